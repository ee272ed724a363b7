// The mark on results that the controls no longer ask for.
// value: null or {reasons: [text], possible, strings}; event "again" asks for a comparison.

import { one } from "./base/dom.js";
import { speak, text } from "./base/texts.js";

const mark = one(".stale", element);
const again = one("button", mark);

function draw() {
  const { value } = props;
  mark.hidden = !value;
  document.body.classList.toggle("out-of-date", Boolean(value)); // page.css fades what is out of date
  if (!value) return;
  speak(value.strings);
  one("strong", mark).textContent = text("stale_title");
  one("span", mark).textContent = value.reasons.join(" ");
  again.textContent = text("stale_again");
  again.hidden = !value.possible;
}

again.addEventListener("click", () => trigger("again"));
draw();
watch("value", draw);
