// Leaderboard table, part 7: what a row shows when it is opened.

/** The line under an opened row. */
function detailRow(row, group, span) {
  const parts = [classBars(row), confusionPart(row), reliabilityPart(row), trimapPart(row), sequencePart(row), commandPart(row), trainingPart(row), protocolPart(row)];
  const body = h("div", { class: "inside" }, detailHead(row, group), h("div", { class: "parts" }, parts.filter(Boolean)));
  return h("tr", { class: "detail" }, h("td", { colspan: span }, body));
}

function part(title, kind, ...children) {
  return h("section", { class: `part ${kind}` }, h("h4", {}, title), children);
}

function detailHead(row, group) {
  const compare = button(text("compare_image"), `compare ${row.key}`, () => compareOnImage([row]), { class: "primary" });
  const facts = [titleOf("variant", row.variant), titleOf("loss", row.loss), row.backbone, titleOf("source", row.source), row.provenance ? `${text("column_provenance")}: ${provenanceOf(row)}` : ""];
  const miou = `${text("column_miou")} ${describePercent(row.miou, row.miou_interval)}.`;
  return h("div", { class: "head" },
    h("div", { class: "who" }, h("h3", {}, row.name, cardLink(row)), h("p", { class: "note" }, facts.filter(Boolean).join(" · ")), h("p", { class: "standing" }, miou, " ", rankText(row, group))),
    compare);
}

/** Link to the model card of a checkpoint on the Hub, or null. */
function cardLink(row) {
  if (!/^[\w.-]+\/[\w.-]+$/.test(row.repository ?? "")) return null;
  const revision = encodeURIComponent(row.revision || "main");
  return [" ", webLink(text("card"), `https://huggingface.co/${row.repository}/tree/${revision}`)];
}

/** The rank in words, with the reason for it. */
function rankText(row, group) {
  const peers = board.rows.filter((other) => other.group === row.group && isNumber(other.rank));
  if (!isNumber(row.rank)) return "";
  const place = { rank: formatNumber(row.rank, 0), total: formatNumber(peers.length, 0), dataset: titleOf("dataset", group.dataset), split: group.split };
  const above = row.rank - 1;
  const reason = above === 0 ? "rank_none_above" : above === 1 ? "rank_one_above" : "rank_above";
  return `${text("rank_of", place)} ${text(reason, { count: formatNumber(above, 0) })}`;
}

function classBars(row) {
  const classes = classesOf([row]);
  if (classes.length === 0 || !row.class_iou) return null;
  const items = classes.map((name) => {
    const share = row.class_iou[name];
    const bar = h("span", { class: "bar", "aria-hidden": "true" }, h("span", { style: `inline-size: ${isNumber(share) ? 100 * Math.min(1, Math.max(0, share)) : 0}%` }));
    return h("li", {}, h("span", { class: "what" }, name), bar, h("span", { class: "figure" }, formatPercent(share)));
  });
  return part(text("detail_classes"), "classes", h("ul", {}, items));
}

// --- confusion matrix ---

/** True when the matrix is square and as large as the list of classes. */
function hasMatrix(row) {
  const size = row.classes?.length ?? 0;
  return size > 0 && Array.isArray(row.confusion_matrix) && row.confusion_matrix.length === size && row.confusion_matrix.every((line) => line?.length === size);
}

function confusionPart(row) {
  if (!hasMatrix(row)) return null;
  const readout = h("p", { class: "readout", role: "status" }, text("detail_confusion_hint"));
  const heads = row.classes.map((name) => h("th", { scope: "col" }, h("span", {}, name)));
  const lines = row.classes.map((name, target) => h("tr", {}, h("th", { scope: "row" }, name), confusionCells(row, target)));
  const corner = h("td", {}, "");
  const grid = h("table", { class: "matrix", role: "grid", "aria-label": text("detail_confusion") }, h("thead", {}, h("tr", {}, corner, heads)), h("tbody", {}, lines));
  const say = (event) => {
    const cell = event.target.closest("td[aria-label]");
    if (cell) readout.textContent = cell.getAttribute("aria-label");
  };
  grid.addEventListener("pointerover", say);
  grid.addEventListener("focusin", say);
  grid.addEventListener("keydown", moveInGrid);
  return part(text("detail_confusion"), "confusion", h("p", { class: "note" }, text("detail_confusion_note")), h("div", { class: "scroll" }, grid), readout);
}

function confusionCells(row, target) {
  const counts = row.confusion_matrix[target];
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.map((count, prediction) => {
    const names = { target: row.classes[target], prediction: row.classes[prediction], share: formatPercent(total ? count / total : 0), pixels: formatNumber(count, 0) };
    const label = text(total ? "detail_confusion_cell" : "detail_confusion_empty", names);
    const first = target === 0 && prediction === 0;
    return h("td", { role: "gridcell", tabindex: first ? "0" : "-1", "aria-label": label, style: total ? `--share: ${count / total}` : null, class: total ? null : "missing", "data-focus": `cell ${row.key} ${target} ${prediction}` });
  });
}

/** Arrow keys, Home and End move the focus in a grid with one tab stop. */
function moveInGrid(event) {
  const cell = event.target.closest("td[tabindex]");
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] };
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

// --- calibration and boundaries ---

function reliabilityPart(row) {
  const bins = (row.calibration?.bins ?? []).filter((bin) => isNumber(bin.accuracy) && bin.pixels > 0);
  if (bins.length === 0) return null;
  const note = text("detail_calibration_note", { error: formatPercent(row.calibration.expected_calibration_error) });
  return part(text("detail_calibration"), "reliability", canvasOf((width) => reliabilityPicture(bins, Math.min(width, 420))), h("p", { class: "note" }, note));
}

function reliabilityPicture(bins, width) {
  const box = { left: 44, right: width - 14, top: 30, bottom: 220 };
  const [x, y] = [makeScale([0, 1], [box.left, box.right]), makeScale([0, 1], [box.bottom, box.top])];
  const describe = (bin) => `${formatPercent(bin.low, 0)}–${formatPercent(bin.high, 0)} %: ${text("axis_accuracy")} ${formatPercent(bin.accuracy)}, ${text("axis_confidence")} ${formatPercent(bin.confidence)}, ${formatNumber(bin.pixels, 0)} px`;
  const bars = bins.map((bin) => svg("rect", { class: "column", x: x(bin.low) + 1, y: y(bin.accuracy), width: Math.max(1, x(bin.high) - x(bin.low) - 2), height: y(0) - y(bin.accuracy) }, svg("title", {}, describe(bin))));
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return picture(width, box.bottom + 46, `${text("detail_calibration")} ${bins.map(describe).join("; ")}`,
    verticalAxis(box, y, ticks, text("axis_accuracy")), bars,
    svg("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    horizontalAxis(box, x, ticks, (tick) => formatPercent(tick, 0), text("axis_confidence")));
}

function trimapPart(row) {
  const points = TRIMAP_WIDTHS.map((width) => ({ width, share: row.trimap_miou?.[width] })).filter((point) => isNumber(point.share));
  if (points.length < 2) return null;
  return part(text("detail_trimap"), "trimap", canvasOf((width) => trimapPicture(points, Math.min(width, 420))), h("p", { class: "note" }, text("detail_trimap_note")));
}

function trimapPicture(points, width) {
  const box = { left: 44, right: width - 14, top: 30, bottom: 220 };
  const domain = paddedDomain(points.map((point) => point.share));
  const widths = points.map((point) => Number(point.width));
  const x = makeScale([Math.min(...widths) / 1.3, Math.max(...widths) * 1.3], [box.left, box.right], true);
  const y = makeScale(domain, [box.bottom, box.top]);
  const path = points.map((point) => `${x(Number(point.width))} ${y(point.share)}`).join("L");
  const marks = points.map((point) => marker(0, x(Number(point.width)), y(point.share), `${point.width} px: ${formatPercent(point.share)} %`));
  const label = `${text("detail_trimap")}: ${points.map((point) => `${point.width} px ${formatPercent(point.share)} %`).join("; ")}`;
  return picture(width, box.bottom + 46, label,
    verticalAxis(box, y, niceTicks(...domain), text("plot_axis_miou")),
    horizontalAxis(box, x, widths, (tick) => formatNumber(tick, 0), text("axis_width")),
    svg("path", { class: "line series-0", d: `M${path}` }), marks);
}

// --- sequences, command, facts ---

function sequencePart(row) {
  const sequences = Object.entries(row.sequences ?? {});
  if (sequences.length === 0) return null;
  const labels = ["sequence", "column_images", "column_miou", "column_pixel_accuracy"];
  const head = h("tr", {}, labels.map((label, index) => h("th", { scope: "col", class: index ? "number" : null }, text(label))));
  const lines = sequences.map(([name, scores]) => h("tr", {}, h("th", { scope: "row" }, name),
    [formatNumber(scores.images, 0), formatPercent(scores.miou), formatPercent(scores.pixel_accuracy)].map((figure) => h("td", { class: "number" }, figure))));
  return part(text("detail_sequences"), "sequences", h("table", { class: "plain" }, h("thead", {}, head), h("tbody", {}, lines)));
}

function commandPart(row) {
  if (!row.command) return null;
  const code = h("code", {}, row.command);
  const copier = button(text("copy"), `copy ${row.key}`, () => copyText(code, copier));
  return part(text("detail_command"), "command", h("pre", { tabindex: "0", "aria-label": text("detail_command") }, code), h("div", { class: "actions" }, copier));
}

/** Copy, or select the text where the page may not use the clipboard (an embedded page, plain http). */
async function copyText(code, copier) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    copier.textContent = text("copied");
  } catch {
    window.getSelection().selectAllChildren(code);
    copier.textContent = text("copy_failed");
  }
}

/** Nested facts as one flat list: {"a": {"b": 1}} -> [["a.b", "1"]]. */
function flatFacts(facts, prefix = "") {
  return Object.entries(facts ?? {}).flatMap(([name, value]) => {
    const label = prefix ? `${prefix}.${name}` : name;
    if (value === null || value === undefined || value === "") return [];
    if (Array.isArray(value)) return [[label, value.map((one) => (one !== null && typeof one === "object" ? JSON.stringify(one) : String(one))).join(", ")]];
    if (typeof value === "object") return flatFacts(value, label);
    if (typeof value === "boolean") return [[label, text(value ? "yes" : "no")]];
    return [[label, String(value)]];
  });
}

function factList(title, kind, facts) {
  if (facts.length === 0) return null;
  return part(title, kind, h("dl", {}, facts.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value)))));
}

function trainingPart(row) {
  const { recipe = row.recipe, ...facts } = row.training ?? {};
  const named = recipe ? [[text("column_recipe"), String(recipe)]] : [];
  return factList(text("detail_training"), "training", [...named, ...flatFacts(facts)]);
}

function protocolPart(row) {
  const known = ["sha256", "revision", "git_commit", "date"].filter((field) => row[field]).map((field) => [text(`column_${field}`), String(row[field])]);
  const timings = (row.timings ?? [row]).filter((timing) => isNumber(timing.milliseconds));
  const devices = timings.map((timing) => [text("column_device"), `${deviceOf(timing)}: ${formatNumber(timing.milliseconds, 1)} ms`]);
  return factList(text("detail_protocol"), "protocol", [...known, ...devices, ...flatFacts(row.protocol), ...flatFacts(row.versions)]);
}
