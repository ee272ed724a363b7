// Many photos: a row per photo with the class shares that each checkpoint found.
// value: columns have miou too, and there are scored, and rows: [{name, src, problem, unlike, disagreement,
//         cells: [{shares, miou} or null]}]

import { h } from "../../base/dom.js";
import { isNumber, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { drawShares } from "./shares.js";

const scoreOf = (miou) => `${text("batch_miou")} ${percentage(miou)}`;

function drawCell(column, found) {
  if (!found) return h("td", { class: "batch-cell" }, "–");
  return drawShares(column.labels.classes, found.shares, isNumber(found.miou) ? [scoreOf(found.miou)] : []);
}

function drawRow({ name, src, problem, unlike, disagreement, cells }, columns) {
  const photo = h("span", { class: "batch-photo" }, src ? h("img", { src, alt: "" }) : null, name);
  const notes = [problem, unlike && text("batch_unlike")].filter(Boolean);
  const told = notes.map((note) => h("span", { class: "batch-problem" }, note));
  const found = columns.map((column, index) => drawCell(column, cells[index]));
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, photo, told),
    h("td", { class: "batch-number" }, percentage(disagreement)),
    found,
  );
}

function drawTotals({ columns, scored }) {
  if (!columns.some(({ miou }) => isNumber(miou))) return [];
  const scores = columns.map(({ miou }) => h("td", { class: "batch-cell" }, isNumber(miou) ? scoreOf(miou) : "–"));
  const name = h("th", { scope: "row" }, text("batch_all", { number: scored }));
  return [h("tr", {}, name, h("td", { class: "batch-number" }), scores)];
}

/** How far the work is, in a sentence. */
export function photosState({ done, total, finished, stopped }) {
  if (finished) return text(stopped ? "batch_stopped" : "batch_done", { done, total });
  return text(stopped ? "batch_stopping" : "batch_running", { done, total });
}

/** Heads and rows of the table. */
export function drawPhotos(value) {
  const named = value.columns.map(({ title, subtitle }) => ({ head: [title, h("small", {}, subtitle)] }));
  const first = [{ head: text("batch_photo") }, { head: text("batch_disagreement"), number: true }];
  const rows = value.rows.map((row) => drawRow(row, value.columns));
  return { heads: [...first, ...named], rows: [...rows, ...drawTotals(value)] };
}
