// The network's inside as a sum: score maps with +, enlargements and = between them.
// value: null or {title, steps: [{title, src, miou, told} or {sign, told}], strings, locale}; event "learn".

import { h, one, unseen } from "./base/dom.js";
import { isNumber, percentage } from "./base/numbers.js";
import { speak, text } from "./base/texts.js";

const box = one(".rungs", element);
const lesson = one("button", box);

function drawStep({ sign, title, src, miou, told }) {
  if (sign) return h("li", { class: "sign" }, h("span", { "aria-hidden": true }, sign), unseen(told));
  const score = isNumber(miou) ? `mIoU ${percentage(miou)}` : "";
  return h(
    "li",
    { class: "rung", title: told },
    h("b", {}, title),
    h("small", {}, score),
    h("img", { src, alt: [title, score, told].filter(Boolean).join(". ") }),
  );
}

function draw() {
  const { value } = props;
  box.hidden = !value;
  if (!value) return;
  speak(value.strings, value.locale);
  one("h3", box).textContent = value.title;
  one("p", box).textContent = text("rungs_help");
  one("ol", box).setAttribute("aria-label", value.title);
  one("ol", box).replaceChildren(...value.steps.map(drawStep));
  lesson.textContent = text("rungs_learn");
}

lesson.addEventListener("click", () => trigger("learn"));
draw();
watch("value", draw);
