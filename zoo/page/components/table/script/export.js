// The rows shown as CSV, JSON, LaTeX and BibTeX files.

import { saveFile } from "../../base/clipboard.js";
import { h } from "../../base/dom.js";
import { isInterval, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { board, button, describePercent } from "./board.js";
import { sharesCaveat } from "./caveats.js";
import { shownColumns } from "./columns.js";
import { chosenGroup, fileName, groupName, groupTitle, shownRows } from "./groups.js";

export function exportMenu() {
  const menu = h("details", { class: "export" }, h("summary", { "data-focus": "export" }, text("export")));
  const choices = ["csv", "json", "latex", "bibtex"].map((format) =>
    button(text(`export_${format}`), `export ${format}`, () => exportRows(format), { "data-export": format }),
  );
  menu.append(
    h(
      "div",
      { class: "panel" },
      h("p", { class: "note" }, text("export_note")),
      h("div", { class: "actions" }, choices),
    ),
  );
  return menu;
}

/** Download the rows shown as "csv", "json", "latex" or "bibtex". */
function exportRows(format) {
  const rows = shownRows();
  if (format === "csv") saveFile(`${fileName("leaderboard")}.csv`, "text/csv", csvOf(rows));
  if (format === "json") saveFile(`${fileName("leaderboard")}.json`, "application/json", jsonOf(rows));
  if (format === "latex") saveFile(`${fileName("leaderboard")}.tex`, "application/x-tex", latexOf(rows));
  if (format === "bibtex") saveFile(`${fileName("leaderboard")}.bib`, "application/x-bibtex", bibtexOf(rows));
}

/** The value at a path of keys and places in a row; undefined where the way ends early. */
export function valueAt(row, path) {
  return path.reduce((found, step) => found?.[step], row);
}

/** RFC 4180, one line per row, the columns as the command line has them. */
function csvOf(rows) {
  const columns = board.facts.csv;
  const lines = rows.map((row) => columns.map(([, path]) => csvCell(valueAt(row, path))).join(","));
  return [columns.map(([name]) => csvCell(name)).join(","), ...lines, ""].join("\r\n");
}

/** One field; text that a spreadsheet would run as a formula gets a leading apostrophe. */
export function csvCell(value) {
  if (value === null || value === undefined) return "";
  const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** The rows as the payload has them, and the images that they were measured on. */
function jsonOf(rows) {
  const plain = rows.map(({ key, group, called, ...row }) => row);
  const { key: place, dataset, split } = chosenGroup();
  return `${JSON.stringify({ images: { dataset, split, ...board.splits[place] }, rows: plain }, null, 2)}\n`;
}

export function latexText(value) {
  const escapes = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  return String(value ?? "")
    .replace(/[\\~^&%$#_{}]/g, (mark) => escapes[mark] ?? `\\${mark}`)
    .replace(/[\r\n]+/g, " ");
}

/** Rows of a tabular with the columns on show; comments name the images, what flatters on them, and the columns. */
function latexOf(rows) {
  const columns = shownColumns();
  const cell = (row, column) => {
    if (column.value(row) === null) return "--";
    const interval = column.interval?.(row);
    const ends = isInterval(interval) ? ` {\\scriptsize [${interval.map((end) => percent(end)).join(", ")}]}` : "";
    return latexText(column.show(row)) + ends;
  };
  const lines = rows.map(
    (row) => `${[...columns.map((column) => cell(row, column)), latexText(groupName(row))].join(" & ")} \\\\`,
  );
  const heading = [...columns.map((column) => latexText(column.label)), latexText(text("column_dataset"))].join(" & ");
  const images = `% ${latexText(groupTitle(chosenGroup()))}. ${latexText(sharesCaveat(chosenGroup()))}`;
  return [images, `% ${heading} \\\\`, ...lines, ""].join("\n");
}

/** One entry per row with what pins it down, the FCN paper, and the papers of the datasets. */
function bibtexOf(rows) {
  const cited = board.facts.citations;
  const used = new Set();
  const entries = rows.map((row) => bibtexEntry(row, used));
  const datasets = [...new Set(rows.map((row) => row.dataset))].map((name) => cited.datasets[name]).filter(Boolean);
  return [...entries, cited.method, ...datasets, ""].join("\n\n");
}

function bibtexEntry(row, used) {
  const base = `${row.name}-${row.split}`.replace(/[^A-Za-z0-9:._-]+/g, "-");
  let key = base;
  for (let number = 2; used.has(key); number += 1) key = `${base}-${number}`;
  used.add(key);
  const facts = [
    `${text("column_miou")} ${describePercent(row.miou, row.miou_interval)}`,
    groupName(row),
    row.revision ? `revision ${row.revision}` : "",
    row.sha256 ? `sha256 ${row.sha256}` : "",
  ];
  const note = facts.filter(Boolean).map(latexText).join(", ");
  const year = /^\d{4}/.exec(row.date ?? "")?.[0];
  return `@misc{${key},\n  title = {{${latexText(row.name)}}},\n  note = {${note}}${year ? `,\n  year = {${year}}` : ""}\n}`;
}
