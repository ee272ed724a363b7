// Leaderboard table, part 2: the columns, which preset shows which, and how their values read.

const PRESETS = ["accuracy", "boundaries", "classes", "cost", "reproduce"];
const TRIMAP_WIDTHS = ["1", "2", "4", "8", "16"];
const MEGABYTE = 1e6;

/**
 * @typedef {Object} Column
 * @property {string} id         name in the address and in `data-column`
 * @property {string} label      text of the header
 * @property {string} hint       explanation of the header
 * @property {"high"|"low"|null} better   which end is best; null for columns that are no score
 * @property {boolean} numeric
 * @property {function(Object): *} value    what is sorted; null sorts last
 * @property {function(Object): string} show  what is read
 * @property {function(Object): (number[]|null)} [interval]
 * @property {function(Object): string} [same]  best is only marked when all rows shown agree on this
 */

function hintOf(id) {
  return Object.hasOwn(ENGLISH, `hint_${id}`) ? text(`hint_${id}`) : "";
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
  return numberColumn(id, "high", value, (share) => formatPercent(share), extra);
}

/** Where and how a time was measured, of a row or one of its timings; times compare within one such place only. */
function deviceOf(timing) {
  const count = isNumber(timing.threads) ? timing.threads : 0;
  const threads = count > 0 ? text(count === 1 ? "one_thread" : "threads", { count }) : "";
  return [timing.device, threads, timing.precision].filter(Boolean).join(", ");
}

/** Who measured the row, and whether its figures were recomputed from counts; nothing where nobody said. */
function provenanceOf(row) {
  if (!row.provenance) return "";
  const stated = row.recomputed === false ? text("as_stated") : "";
  return [titleOf("provenance", row.provenance), stated].filter(Boolean).join(", ");
}

/** The row's timing on an accelerator, or an empty object. */
function acceleratorOf(row) {
  return (row.timings ?? []).find((timing) => timing.kind !== "cpu") ?? {};
}

const rankColumn = () => numberColumn("rank", "low", (row) => row.rank, (rank) => formatNumber(rank, 0));
const nameColumn = () => textColumn("name");
const miouColumn = () => percentColumn("miou", (row) => row.miou, { interval: (row) => row.miou_interval });

function accuracyColumns() {
  return [
    miouColumn(),
    percentColumn("pixel_accuracy"),
    percentColumn("mean_accuracy"),
    percentColumn("frequency_weighted_iou"),
    percentColumn("dice"),
    percentColumn("calibration", (row) => row.calibration?.expected_calibration_error, { better: "low" }),
  ];
}

function boundaryColumns() {
  const trimap = TRIMAP_WIDTHS.map((width) =>
    percentColumn(`trimap_${width}`, (row) => row.trimap_miou?.[width], {
      label: text("column_trimap", { width }),
      hint: text("hint_trimap"),
    }),
  );
  const boundary = percentColumn("boundary_f", (row) => row.boundary_f, { interval: (row) => row.boundary_f_interval });
  return [miouColumn(), boundary, ...trimap];
}

/** Every class of `rows`, in the order in which the rows name them. */
function classesOf(rows) {
  return [...new Set(rows.flatMap((row) => row.classes ?? Object.keys(row.class_iou ?? {})))];
}

function classColumns(rows) {
  const columns = classesOf(rows).map((name) =>
    percentColumn(`class_${name}`, (row) => row.class_iou?.[name], { label: name, hint: text("hint_class", { name }) }),
  );
  return [miouColumn(), ...columns];
}

function costColumns(rows) {
  const compact = { notation: "compact", maximumSignificantDigits: 3, minimumFractionDigits: 0 };
  const megabytes = (bytes) => formatNumber(bytes / MEGABYTE, 1);
  return [
    miouColumn(),
    numberColumn("parameters", "low", (row) => row.parameters, (count) => formatNumber(count, 2, compact)),
    numberColumn("gmacs", "low", (row) => row.gmacs, (gmacs) => formatNumber(gmacs, 1)),
    numberColumn("file_bytes", "low", (row) => row.file_bytes, megabytes),
    numberColumn("milliseconds", "low", (row) => row.milliseconds, (ms) => formatNumber(ms, 1), { same: deviceOf }),
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
    numberColumn("accelerator_milliseconds", "low", milliseconds, (ms) => formatNumber(ms, 1), { same: device }),
    textColumn("accelerator", device),
  ];
}

function reproduceColumns() {
  return [
    miouColumn(),
    numberColumn("images", null, (row) => row.images, (count) => formatNumber(count, 0)),
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
function shownColumns() {
  return [rankColumn(), nameColumn(), ...presetColumns(board.state.columns, board.rows)];
}

/** How the best value of `column` among `rows` reads, or null where "best" would mean nothing. */
function bestOf(column, rows) {
  const values = rows.map(column.value).filter(isNumber);
  if (!column.better || column.id === "rank" || values.length < 2) return null;
  if (column.same && new Set(rows.filter((row) => column.value(row) !== null).map(column.same)).size > 1) return null;
  const best = column.better === "high" ? Math.max(...values) : Math.min(...values);
  return column.show(rows.find((row) => column.value(row) === best));
}
