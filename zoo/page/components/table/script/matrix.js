// The confusion matrix of an opened row, read with pointer or keyboard.

import { h } from "../../base/dom.js";
import { decimal, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { part } from "./board.js";
import { canDrill, openDrill } from "./drill.js";
import { classTitle } from "./groups.js";

/** True when the matrix is square and as large as the list of classes. */
function hasMatrix(row) {
  const size = row.classes?.length ?? 0;
  return (
    size > 0 &&
    Array.isArray(row.confusion_matrix) &&
    row.confusion_matrix.length === size &&
    row.confusion_matrix.every((line) => line?.length === size)
  );
}

export function confusionPart(row) {
  if (!hasMatrix(row)) return null;
  const hints = ["detail_confusion_hint", ...(canDrill() ? ["detail_confusion_images"] : [])];
  const readout = h("p", { class: "readout", role: "status" }, hints.map((hint) => text(hint)).join(" "));
  const heads = row.classes.map((name) => h("th", { scope: "col" }, h("span", {}, classTitle(name))));
  const lines = row.classes.map((name, target) =>
    h("tr", {}, h("th", { scope: "row" }, classTitle(name)), confusionCells(row, target)),
  );
  const corner = h("td", {}, "");
  const grid = h(
    "table",
    { class: "matrix", role: "grid", "aria-label": text("detail_confusion") },
    h("thead", {}, h("tr", {}, corner, heads)),
    h("tbody", {}, lines),
  );
  const say = (event) => {
    const cell = event.target.closest("td[aria-label]");
    if (cell) readout.textContent = cell.getAttribute("aria-label");
  };
  grid.addEventListener("pointerover", say);
  grid.addEventListener("focusin", say);
  grid.addEventListener("keydown", moveInGrid);
  const drill = (event) => {
    const { label, prediction } = event.target.closest("td[data-label]")?.dataset ?? {};
    if (label) openDrill({ rows: [row.key], label, prediction });
  };
  grid.addEventListener("click", drill);
  grid.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    drill(event);
  });
  return part(
    text("detail_confusion"),
    "confusion",
    h("p", { class: "note" }, text("detail_confusion_note")),
    h("div", { class: "scroll" }, grid),
    readout,
  );
}

function confusionCells(row, target) {
  const counts = row.confusion_matrix[target];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count, prediction) => {
    const names = {
      target: classTitle(row.classes[target]),
      prediction: classTitle(row.classes[prediction]),
      share: percent(total ? count / total : 0),
      pixels: decimal(count),
    };
    const label = text(total ? "detail_confusion_cell" : "detail_confusion_empty", names);
    const first = target === 0 && prediction === 0;
    return h("td", {
      role: "gridcell",
      tabindex: first ? "0" : "-1",
      "aria-label": label,
      "data-label": total ? row.classes[target] : null,
      "data-prediction": total ? row.classes[prediction] : null,
      style: total ? `--share: ${count / total}` : null,
      class: total ? null : "missing",
      "data-focus": `cell ${row.key} ${target} ${prediction}`,
    });
  });
}

/** Arrow keys, Home and End move the focus in a grid with one tab stop. */
function moveInGrid(event) {
  const cell = event.target.closest("td[tabindex]");
  const steps = {
    ArrowLeft: [0, -1],
    ArrowRight: [0, 1],
    ArrowUp: [-1, 0],
    ArrowDown: [1, 0],
    Home: [0, -Infinity],
    End: [0, Infinity],
  };
  if (!cell || !steps[event.key]) return;
  event.preventDefault();
  const lines = [...event.currentTarget.tBodies[0].rows].map((line) => [...line.querySelectorAll("td")]);
  const line = lines.findIndex((cells) => cells.includes(cell));
  const clamp = (value) => Math.min(lines.length - 1, Math.max(0, value));
  const [down, right] = steps[event.key];
  const next = lines[clamp(line + down)][clamp(lines[line].indexOf(cell) + right)];
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}
