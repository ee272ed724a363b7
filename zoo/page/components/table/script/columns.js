// The columns, which preset shows which, and how their values read.

import { decimal, isNumber, percent } from "../../base/numbers.js";
import { hasText, text, titleOf } from "../../base/texts.js";
import { board } from "./board.js";
import { elsewhereOf, epochsOf, epochsText, stagesText } from "./effort.js";
import { classTitle, groupRows } from "./groups.js";
import { classPoints, miouPoints, spanOf } from "./seeds.js";

export const PRESETS = ["accuracy", "boundaries", "classes", "cost", "reproduce"];
const MEGABYTE = 1e6;

/**
 * @typedef {Object} Column
 * @property {string} id         name in the address and in `data-column`
 * @property {string} label      text of the header
 * @property {string} hint       explanation of the header
 * @property {string|null} better   which end is best, "high" or "low"; null for columns that are no score
 * @property {boolean} numeric
 * @property {(row: any) => any} value    what is sorted; null sorts last
 * @property {(row: any) => string} show  what is read
 * @property {(row: any) => number[]|null} [interval]
 * @property {(row: any) => {value: number}[]} [points]  the figure with every seed that was measured
 * @property {(row: any) => string} [tip]
 * @property {Object} [drill]  which images stand behind the figure of a row, see drill.js
 * @property {(row: any) => string} [same]  best is only marked when all rows shown agree on this
 */

function hintOf(id) {
  return hasText(`hint_${id}`) ? text(`hint_${id}`) : "";
}

function textColumn(id, show = (row) => row[id] ?? "") {
  const value = (row) => show(row) || null;
  return { id, label: text(`column_${id}`), hint: hintOf(id), better: null, numeric: false, value, show };
}

function numberColumn(id, better, value, show, extra = {}) {
  const column = { id, label: text(`column_${id}`), hint: hintOf(id), better, numeric: true };
  const known = (row) => (isNumber(value(row)) ? value(row) : null);
  return { ...column, value: known, show: (row) => (known(row) === null ? "–" : show(known(row))), ...extra };
}

function percentColumn(id, value = (row) => row[id], extra = {}) {
  return numberColumn(id, "high", value, (share) => percent(share), extra);
}

/** Where and how a time was measured, of a row or one of its timings; times compare within one such place only. */
export function deviceOf(timing) {
  const count = isNumber(timing.threads) ? timing.threads : 0;
  const threads = count > 0 ? text("threads", { count }) : "";
  return [timing.device, threads, timing.precision].filter(Boolean).join(", ");
}

/** Who measured the row, and whether its figures were recomputed from counts; nothing where nobody said. */
export function provenanceOf(row) {
  if (!row.provenance) return "";
  const stated = row.recomputed === false ? text("as_stated") : "";
  return [titleOf("provenance", row.provenance), stated].filter(Boolean).join(", ");
}

/** The row's timing on an accelerator, or an empty object. */
function acceleratorOf(row) {
  return (row.timings ?? []).find((timing) => timing.kind !== "cpu") ?? {};
}

const rankColumn = () =>
  numberColumn(
    "rank",
    "low",
    (row) => row.rank,
    (rank) => decimal(rank),
  );
const nameColumn = () => textColumn("name");
const miouColumn = () =>
  percentColumn("miou", (row) => row.miou, {
    interval: (row) => row.miou_interval,
    points: miouPoints,
    drill: { order: "pulls" },
  });

function accuracyColumns() {
  return [
    miouColumn(),
    percentColumn("per_image_miou"),
    percentColumn("worst_miou", (row) => row.worst_miou, worstWords()),
    percentColumn("corrupted_miou", (row) => row.corrupted_miou, { tip: corruptionsText }),
    ...effortColumns(),
    percentColumn("pixel_accuracy"),
    percentColumn("mean_accuracy"),
    percentColumn("frequency_weighted_iou"),
    percentColumn("dice"),
    percentColumn("calibration", (row) => row.calibration?.expected_calibration_error, { better: "low" }),
  ];
}

function worstWords() {
  const share = percent(board.facts.worst_share, 0);
  const words = { label: text("column_worst_miou", { share }), hint: text("hint_worst_miou", { share }) };
  return { ...words, drill: { order: "worst" } };
}

/** mIoU by kind of corruption, from the mildest level to the worst. */
function corruptionsText(row) {
  const kinds = Object.entries(row.corruptions ?? {});
  const lines = kinds.map(
    ([kind, mious]) => `${titleOf("corruption", kind)}: ${mious.map((miou) => percent(miou)).join(" / ")}`,
  );
  return lines.length ? [text("corrupted_on", { images: row.corrupted_images }), ...lines].join("\n") : "";
}

function effortColumns() {
  const epochs = numberColumn("epochs", null, epochsOf, String, { show: (row) => epochsText(row) || "–" });
  const elsewhere = textColumn("elsewhere", (row) => elsewhereOf(row).join(", "));
  return [{ ...epochs, tip: stagesText }, elsewhere];
}

function boundaryColumns() {
  const trimap = board.facts.trimap_widths.map((width) =>
    percentColumn(`trimap_${width}`, (row) => row.trimap_miou?.[width], {
      label: text("column_trimap", { width }),
      hint: text("hint_trimap"),
    }),
  );
  const boundary = percentColumn("boundary_f", (row) => row.boundary_f, { interval: (row) => row.boundary_f_interval });
  return [miouColumn(), boundary, ...trimap];
}

/** Every class of `rows`, in the order in which the rows name them. */
export function classesOf(rows) {
  return [...new Set(rows.flatMap((row) => row.classes ?? Object.keys(row.class_iou ?? {})))];
}

function classColumns(rows) {
  const columns = classesOf(rows).map((name) =>
    percentColumn(`class_${name}`, (row) => row.class_iou?.[name], {
      label: classTitle(name),
      hint: text("hint_class", { name: classTitle(name) }),
      points: (row) => classPoints(row, name),
      drill: { label: name },
    }),
  );
  return [miouColumn(), ...columns];
}

function costColumns(rows) {
  const compact = { notation: "compact", maximumSignificantDigits: 3, minimumFractionDigits: 0 };
  const megabytes = (bytes) => decimal(bytes / MEGABYTE, 1);
  return [
    miouColumn(),
    numberColumn(
      "parameters",
      "low",
      (row) => row.parameters,
      (count) => decimal(count, 2, compact),
    ),
    numberColumn(
      "gmacs",
      "low",
      (row) => row.gmacs,
      (gmacs) => decimal(gmacs, 1),
    ),
    numberColumn("file_bytes", "low", (row) => row.file_bytes, megabytes),
    numberColumn(
      "milliseconds",
      "low",
      (row) => row.milliseconds,
      (ms) => decimal(ms, 1),
      { same: deviceOf },
    ),
    // A forward pass always needs some memory: 0 means that nobody measured it.
    numberColumn("peak_memory_bytes", "low", (row) => row.peak_memory_bytes || null, megabytes, { same: deviceOf }),
    textColumn("device", deviceOf),
    ...(rows.some((row) => isNumber(acceleratorOf(row).milliseconds)) ? acceleratorColumns() : []),
  ];
}

function acceleratorColumns() {
  const device = (row) => deviceOf(acceleratorOf(row));
  const milliseconds = (row) => acceleratorOf(row).milliseconds;
  return [
    numberColumn("accelerator_milliseconds", "low", milliseconds, (ms) => decimal(ms, 1), { same: device }),
    textColumn("accelerator", device),
  ];
}

function reproduceColumns() {
  return [
    miouColumn(),
    numberColumn(
      "images",
      null,
      (row) => row.images,
      (count) => decimal(count),
    ),
    textColumn("source", (row) => titleOf("source", row.source)),
    textColumn("provenance", provenanceOf),
    textColumn("revision"),
    textColumn("sha256", (row) => (row.sha256 ?? "").slice(0, 12)),
    textColumn("git_commit", (row) => (row.git_commit ?? "").slice(0, 12)),
    textColumn("recipe"),
    textColumn("date"),
  ];
}

/** Columns of a preset, after the ones that are always there (tick, rank, checkpoint). @returns {Column[]} */
function presetColumns(preset, rows) {
  if (preset === "boundaries") return boundaryColumns();
  if (preset === "classes") return classColumns(rows);
  if (preset === "cost") return costColumns(rows);
  if (preset === "reproduce") return reproduceColumns();
  return accuracyColumns();
}

/** All columns on show, rank and name first. @returns {Column[]} */
export function shownColumns() {
  return [rankColumn(), nameColumn(), ...presetColumns(board.state.columns, groupRows())];
}

/** How the best value of `column` among `rows` reads, or null where "best" would mean nothing. */
export function bestOf(column, rows) {
  const values = rows.map(column.value).filter(isNumber);
  if (!column.better || column.id === "rank" || values.length < 2) return null;
  if (column.same && new Set(rows.filter((row) => column.value(row) !== null).map(column.same)).size > 1) return null;
  const best = column.better === "high" ? Math.max(...values) : Math.min(...values);
  const first = rows.find((row) => column.value(row) === best);
  return column.points && seedsOverlap(column, first, rows) ? null : column.show(first);
}

/** True where a seed of another row reaches the worst seed of the best one: which is best, the seeds do not tell. */
function seedsOverlap(column, first, rows) {
  const [low] = spanOf(column.points(first)) ?? [column.value(first)];
  const others = rows.filter((row) => column.value(row) !== null && column.show(row) !== column.show(first));
  return others.some((row) => (spanOf(column.points(row)) ?? [0, column.value(row)])[1] >= low);
}
