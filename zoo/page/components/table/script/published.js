// Figures from the literature, in a table of their own and never ranked.

import { h } from "../../base/dom.js";
import { decimal, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board, slot } from "./board.js";
import { inPageWords } from "./phrases.js";

/** Link to `address` when it is a web address, else plain text: the scheme is checked because data is not trusted. */
export function webLink(label, address) {
  if (!/^https?:\/\//i.test(String(address ?? ""))) return label;
  return h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, label);
}

function publishedColumns() {
  const words = (value) => (value === null || value === undefined || value === "" ? "–" : inPageWords(String(value)));
  const known = { yes: text("pretraining_yes"), none: text("pretraining_none") };
  return [
    { label: text("column_dataset"), show: (row) => words(titleOf("dataset", row.dataset)) },
    { label: text("published_split"), show: (row) => words(row.split) },
    { label: text("column_miou"), number: true, show: (row) => percent(row.miou) },
    { label: text("column_pixel_accuracy"), number: true, show: (row) => percent(row.pixel_accuracy) },
    { label: text("published_pretraining"), show: (row) => words(known[row.pretraining] ?? row.pretraining) },
    { label: text("published_training_split"), show: (row) => words(row.training_split) },
    {
      label: text("column_parameters"),
      number: true,
      show: (row) => decimal(row.parameters, 0, { notation: "compact", maximumSignificantDigits: 4 }),
    },
    { label: text("published_source"), show: (row) => webLink(words(row.source), row.url) },
  ];
}

function publishedTable() {
  const columns = publishedColumns();
  const heads = [text("published_model"), ...columns.map((column) => column.label)].map((label, index) =>
    h("th", { scope: "col", class: index === 0 ? "name" : columns[index - 1].number ? "number" : "words" }, label),
  );
  const lines = board.published.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "name" }, inPageWords(row.name)),
      columns.map((column) => h("td", { class: column.number ? "number" : "words" }, column.show(row))),
    ),
  );
  const caption = h("caption", {}, h("span", {}, text("published_caption")));
  return h("table", { class: "literature" }, caption, h("thead", {}, h("tr", {}, heads)), h("tbody", {}, lines));
}

/** Draw the published figures, closed until somebody asks for them. */
export function drawPublished() {
  if (board.published.length === 0) return slot("published").replaceChildren();
  const count = h("small", {}, ` ${decimal(board.published.length)}`);
  const region = h(
    "div",
    { class: "region", role: "region", tabindex: "0", "aria-label": text("published_region") },
    publishedTable(),
  );
  const panel = h(
    "details",
    { class: "published" },
    h("summary", { "data-focus": "published" }, text("published_title"), count),
    region,
  );
  panel.open = board.state.publishedOpen;
  panel.addEventListener("toggle", () => (board.state.publishedOpen = panel.open));
  slot("published").replaceChildren(panel);
}
