// A strip of example images. value: {items: [{name, title, src}], selected, strings}; event "pick" with {name}.

import { h } from "./base/dom.js";
import { speak, text } from "./base/texts.js";

const strip = element.querySelector(".examples-strip");

function drawItem({ name, title, src }, selected) {
  const pick = () => {
    for (const other of strip.querySelectorAll("button")) {
      other.setAttribute("aria-pressed", String(other.dataset.name === name));
    }
    props.value = { ...props.value, selected: name };
    trigger("pick", { name });
  };
  const facts = { title, "aria-label": title, "aria-pressed": String(name === selected), "data-name": name };
  return h("li", {}, h("button", { type: "button", onclick: pick, ...facts }, h("img", { src, alt: "" })));
}

function draw() {
  const { items, selected, strings } = props.value || { items: [], strings: {} };
  speak(strings);
  element.querySelector(".examples-heading").textContent = props.value ? text("examples") : "";
  element.querySelector(".examples-licence").textContent = props.value ? text("examples_licence") : "";
  strip.replaceChildren(...items.map((item) => drawItem(item, selected)));
}

draw();
watch("value", draw);
