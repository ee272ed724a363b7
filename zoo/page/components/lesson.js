// The tab's place for the lesson, whose scripts, styles and data come when the tab is opened.
// value: null or {script, style, ...}, of which script is a module that exports `teach(place, value)`; event "open".

import { h, one } from "./base/dom.js";

const place = one(".lesson", element);

async function draw() {
  const { value } = props;
  if (!value) return trigger("open");
  const address = URL.createObjectURL(new Blob([value.script], { type: "text/javascript" }));
  const { default: teach } = await import(address);
  URL.revokeObjectURL(address);
  place.replaceChildren(h("style", {}, value.style), h("div", { class: "learn" }));
  return teach(one(".learn", place), value);
}

draw();
watch("value", draw);
