// Leaderboard table, part 8: the rows shown as CSV, JSON, LaTeX and BibTeX files.

const DATASET_REFERENCES = {
  camvid: `@article{brostow2009semantic,
  title = {Semantic object classes in video: A high-definition ground truth database},
  author = {Brostow, Gabriel J. and Fauqueur, Julien and Cipolla, Roberto},
  journal = {Pattern Recognition Letters}, volume = {30}, number = {2}, pages = {88--97}, year = {2009}
}`,
  voc: `@article{everingham2010pascal,
  title = {The {PASCAL} Visual Object Classes ({VOC}) Challenge},
  author = {Everingham, Mark and Van Gool, Luc and Williams, Christopher K. I. and Winn, John and Zisserman, Andrew},
  journal = {International Journal of Computer Vision}, volume = {88}, number = {2}, pages = {303--338}, year = {2010}
}`,
  cityscapes: `@inproceedings{cordts2016cityscapes,
  title = {The {Cityscapes} Dataset for Semantic Urban Scene Understanding},
  author = {Cordts, Marius and Omran, Mohamed and Ramos, Sebastian and Rehfeld, Timo and Enzweiler, Markus and
            Benenson, Rodrigo and Franke, Uwe and Roth, Stefan and Schiele, Bernt},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)}, year = {2016}
}`,
};

const METHOD_REFERENCE = `@inproceedings{long2015fully,
  title = {Fully Convolutional Networks for Semantic Segmentation},
  author = {Long, Jonathan and Shelhamer, Evan and Darrell, Trevor},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)}, pages = {3431--3440}, year = {2015}
}`;

const CSV_FIELDS = ["name", "variant", "loss", "backbone", "dataset", "split", "images", "source", "provenance", "revision", "sha256",
  "rank", "miou", "miou_low", "miou_high", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice",
  "boundary_f", "boundary_f_low", "boundary_f_high", "expected_calibration_error", "parameters", "gmacs", "file_bytes",
  "milliseconds", "device", "threads", "precision", "peak_memory_bytes", "recipe", "git_commit", "date", "command"];

function exportMenu() {
  const menu = h("details", { class: "export" }, h("summary", { "data-focus": "export" }, text("export")));
  const choices = ["csv", "json", "latex", "bibtex"].map((format) =>
    button(text(`export_${format}`), `export ${format}`, () => exportRows(format), { "data-export": format }));
  menu.append(h("div", { class: "panel" }, h("p", { class: "note" }, text("export_note")), h("div", { class: "actions" }, choices)));
  return menu;
}

/** Download the rows shown as "csv", "json", "latex" or "bibtex". */
function exportRows(format) {
  const rows = shownRows();
  if (format === "csv") download("leaderboard.csv", "text/csv", csvOf(rows));
  if (format === "json") download("leaderboard.json", "application/json", jsonOf(rows));
  if (format === "latex") download("leaderboard.tex", "application/x-tex", latexOf(rows));
  if (format === "bibtex") download("leaderboard.bib", "application/x-bibtex", bibtexOf(rows));
}

/** Hand `content` (text or Blob) to the browser as a file. */
function download(name, type, content) {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` }));
  const link = h("a", { href: address, download: name, hidden: true });
  board.root.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** One row's figures under flat names, at full precision. */
function flatRow(row) {
  const [low, high] = isInterval(row.miou_interval) ? row.miou_interval : [null, null];
  const [boundaryLow, boundaryHigh] = isInterval(row.boundary_f_interval) ? row.boundary_f_interval : [null, null];
  const flat = { ...row, miou_low: low, miou_high: high, boundary_f_low: boundaryLow, boundary_f_high: boundaryHigh };
  flat.expected_calibration_error = row.calibration?.expected_calibration_error ?? null;
  for (const width of TRIMAP_WIDTHS) flat[`trimap_miou_${width}`] = row.trimap_miou?.[width] ?? null;
  for (const [name, iou] of Object.entries(row.class_iou ?? {})) flat[`iou_${name}`] = iou;
  return flat;
}

/** RFC 4180, one line per row; text that a spreadsheet would run as a formula gets a leading apostrophe. */
function csvOf(rows) {
  const trimap = TRIMAP_WIDTHS.map((width) => `trimap_miou_${width}`);
  const fields = [...CSV_FIELDS, ...trimap, ...classesOf(rows).map((name) => `iou_${name}`)];
  const lines = rows.map(flatRow).map((flat) => fields.map((field) => csvCell(flat[field])).join(","));
  return [fields.map(csvCell).join(","), ...lines, ""].join("\r\n");
}

function csvCell(value) {
  if (value === null || value === undefined) return "";
  const plain = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain;
}

/** The rows as the payload has them. */
function jsonOf(rows) {
  const plain = rows.map(({ key, group, ...row }) => row);
  return `${JSON.stringify({ rows: plain }, null, 2)}\n`;
}

function latexText(value) {
  const escapes = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}" };
  return String(value ?? "").replace(/[\\~^&%$#_{}]/g, (mark) => escapes[mark] ?? `\\${mark}`).replace(/[\r\n]+/g, " ");
}

/** Rows of a tabular with the columns on show; a comment names the columns. */
function latexOf(rows) {
  const columns = shownColumns();
  const cell = (row, column) => {
    if (column.value(row) === null) return "--";
    const interval = column.interval?.(row);
    const ends = isInterval(interval) ? ` {\\scriptsize [${interval.map((end) => formatPercent(end)).join(", ")}]}` : "";
    return latexText(column.show(row)) + ends;
  };
  const lines = rows.map((row) => `${[...columns.map((column) => cell(row, column)), latexText(groupName(row))].join(" & ")} \\\\`);
  const heading = [...columns.map((column) => latexText(column.label)), latexText(text("column_dataset"))].join(" & ");
  return [`% ${heading} \\\\`, ...lines, ""].join("\n");
}

/** One entry per row with what pins it down, the FCN paper, and the papers of the datasets. */
function bibtexOf(rows) {
  const used = new Set();
  const entries = rows.map((row) => bibtexEntry(row, used));
  const datasets = [...new Set(rows.map((row) => row.dataset))].map((name) => DATASET_REFERENCES[name]).filter(Boolean);
  return [...entries, METHOD_REFERENCE, ...datasets, ""].join("\n\n");
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
