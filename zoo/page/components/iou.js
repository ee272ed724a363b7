// IoU of each class of this one image, per checkpoint; the best of a row is marked.
// value: null or {columns: [title], rows: [{name, color, distinct, values: [0..1 or null]}], strings}

import { h } from "./base/dom.js";
import { colourOf, followLooks } from "./base/looks.js";
import { isNumber, percent } from "./base/numbers.js";
import { speak, text } from "./base/texts.js";

const root = /** @type {HTMLElement} */ (element.querySelector(".iou"));

function drawValue(value, best) {
  const kind = value !== null && value === best ? "best" : null;
  return h("td", { class: kind, style: value === null ? null : `--share: ${value}` }, percent(value));
}

function drawRow(row) {
  const { name, color, values } = row;
  const known = values.filter(isNumber);
  const best = known.length > 1 ? Math.max(...known) || null : null; // no star where nobody found the class
  const swatch = color ? h("span", { class: "iou-swatch", style: `background: ${colourOf(row)}` }) : null;
  const cells = values.map((value) => drawValue(value, best));
  return h("tr", { class: color ? null : "iou-mean" }, h("th", { scope: "row" }, swatch, name), cells);
}

function draw() {
  const { value } = props;
  root.hidden = !value;
  if (!value) return;
  speak(value.strings);
  root.querySelector("h3").textContent = text("iou_title");
  root.querySelector(".iou-explanation").textContent = text("iou_explanation");
  root.querySelector(".iou-scroll").setAttribute("aria-label", text("iou_title"));
  const heads = [text("iou_class"), ...value.columns].map((title) => h("th", { scope: "col" }, title));
  root.querySelector("thead").replaceChildren(h("tr", {}, heads));
  root.querySelector("tbody").replaceChildren(...value.rows.map(drawRow));
}

draw();
followLooks(element, draw);
watch("value", draw);
