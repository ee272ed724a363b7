// Leaderboard table, part 6: the four plots of the rows shown: cost, ladder, class heat map, loss ablation.

const LADDER = ["fcn32s", "fcn16s", "fcn8s"];
const LOSS_ORDER = ["ce", "focal", "dice", "ce+dice"];
const RARE_CLASSES = ["pole", "sign symbol", "fence", "pedestrian", "bicyclist"];
const LOG_RATIO = 8; // times that differ more than this are drawn on a logarithmic axis

/** Draw the plots of one set of images; a picker appears when rows of several are shown. */
function drawPlots() {
  const groups = shownGroups();
  const group = groups.find((candidate) => candidate.key === board.state.group) ?? groups[0];
  const drawn = JSON.stringify([group?.key, groups.map((one) => one.rows.map((row) => row.key))]);
  if (drawn === board.drawnPlots) return; // ticking or opening a row changes no plot
  board.drawnPlots = drawn;
  if (!group) return slot("plots").replaceChildren();
  const head = h("div", { class: "head" }, h("h3", {}, text("plots")), h("p", { class: "note" }, text("plots_note")), groups.length > 1 ? groupPicker(groups, group) : null);
  const drawings = [costPlot, ladderPlot, heatPlot, lossPlot].map((plot) => plot(group.rows));
  slot("plots").replaceChildren(h("section", { class: "plots", "aria-label": text("plots") }, head, h("div", { class: "grid" }, drawings)));
}

function groupPicker(groups, chosen) {
  const select = h("select", { "data-focus": "plot group", onchange: () => change((state) => (state.group = select.value)) },
    groups.map((group) => h("option", { value: group.key, selected: group === chosen }, groupName(group))));
  return h("label", { class: "picker" }, text("plot_group"), select);
}

/** Colour and shape of a loss, the same in every plot. */
function lossIndex(loss, losses) {
  const known = LOSS_ORDER.indexOf(loss);
  if (known >= 0) return known;
  return LOSS_ORDER.length + losses.filter((other) => !LOSS_ORDER.includes(other)).indexOf(loss);
}

/** Different losses of the rows, in the order of the legend. */
function lossesOf(rows) {
  const losses = [...new Set(rows.map((row) => row.loss ?? ""))];
  return losses.sort((a, b) => lossIndex(a, losses) - lossIndex(b, losses));
}

function lossLegend(losses) {
  return losses.map((loss) => [lossIndex(loss, losses), titleOf("loss", loss) || "–"]);
}

/** The value that occurs most often; the first one on a tie. */
function mostCommon(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", 0])[0];
}

// --- mIoU against milliseconds ---

/** Rows that no other row beats on both time and mIoU, fastest first. */
function paretoFront(rows) {
  const front = [];
  for (const row of [...rows].sort((a, b) => a.milliseconds - b.milliseconds || b.miou - a.miou)) {
    if (front.length === 0 || row.miou > front.at(-1).miou) front.push(row);
  }
  return front;
}

function costPlot(rows) {
  const title = text("plot_cost");
  const timed = rows.filter((row) => isNumber(row.milliseconds) && row.milliseconds > 0 && isNumber(row.miou));
  if (timed.length === 0) return emptyFigure("cost", title, text("plot_cost_none"));
  const device = mostCommon(timed.map(deviceOf));
  const drawn = timed.filter((row) => deviceOf(row) === device);
  const left = rows.length - drawn.length;
  const note = [text("plot_cost_note", { device: device || "–" }), left ? text("plot_cost_left_out", { count: formatNumber(left, 0) }) : ""];
  return plotFigure("cost", title, note.filter(Boolean).join(" "), (width) => costPicture(drawn, width));
}

function costPicture(rows, width) {
  const times = rows.map((row) => row.milliseconds);
  const log = Math.max(...times) / Math.min(...times) > LOG_RATIO;
  const losses = lossesOf(rows);
  const key = legend(lossLegend(losses), 4, 12, width - 8);
  const box = { left: 44, right: width - 20, top: key.height + 32, bottom: key.height + 250, after: 16 };
  const xDomain = log ? [Math.min(...times) / 1.3, Math.max(...times) * 1.6] : paddedDomain(times, [0, Infinity], 0.3);
  const yDomain = paddedDomain(rows.flatMap((row) => [row.miou, ...(isInterval(row.miou_interval) ? row.miou_interval : [])]));
  const [x, y] = [makeScale(xDomain, [box.left, box.right], log), makeScale(yDomain, [box.bottom, box.top])];
  const labels = shortLabels(rows);
  const points = rows.map((row) => ({ x: x(row.milliseconds), y: y(row.miou), label: labels.get(row.key) }));
  const marks = rows.map((row, index) => {
    const series = lossIndex(row.loss ?? "", losses);
    const tip = `${row.name}: ${describePercent(row.miou, row.miou_interval)}; ${formatNumber(row.milliseconds, 1)} ms`;
    return [whiskerMark(series, points[index].x, row.miou_interval, y), marker(series, points[index].x, points[index].y, tip)];
  });
  const front = paretoFront(rows).map((row) => `${x(row.milliseconds)} ${y(row.miou)}`);
  const path = front.length > 1 ? svg("path", { class: "front", d: `M${front.join("L")}` }) : null;
  const xTicks = log ? logTicks(...xDomain) : niceTicks(...xDomain);
  const digits = xTicks.length > 1 ? tickDigits(xTicks[1] - xTicks[0]) : 1;
  return picture(width, box.bottom + 46, costSummary(rows, labels), key.node,
    verticalAxis(box, y, niceTicks(...yDomain), text("plot_axis_miou")),
    horizontalAxis(box, x, xTicks, (tick) => formatNumber(tick, digits), text(log ? "plot_axis_milliseconds_log" : "plot_axis_milliseconds")),
    path, marks, placeLabels(points, box));
}

function costSummary(rows, labels) {
  const points = rows.map((row) => `${labels.get(row.key)} ${formatPercent(row.miou)} %, ${formatNumber(row.milliseconds, 1)} ms`);
  return `${text("plot_cost")}: ${points.join("; ")}`;
}

// --- 32s, 16s, 8s ---

/** Series of the ladder: checkpoints that differ in their variant only, as [{label, loss, rows}]. */
function ladderSeries(rows) {
  const series = new Map();
  for (const row of rows.filter((candidate) => LADDER.includes(candidate.variant) && isNumber(candidate.miou))) {
    const key = [row.loss, row.backbone, row.source, String(row.name).replace(row.variant, "")].join("|");
    if (!series.has(key)) series.set(key, { loss: row.loss ?? "", backbone: row.backbone, rows: [] });
    series.get(key).rows.push(row);
  }
  const many = new Set([...series.values()].map((one) => one.backbone)).size > 1;
  const losses = lossesOf(rows);
  const ordered = [...series.values()].sort((a, b) => lossIndex(a.loss, losses) - lossIndex(b.loss, losses));
  return ordered.map((one) => ({
    ...one,
    label: [titleOf("loss", one.loss), many ? one.backbone : ""].filter(Boolean).join(" · "),
    rows: one.rows.sort((a, b) => LADDER.indexOf(a.variant) - LADDER.indexOf(b.variant)),
  }));
}

function ladderPlot(rows) {
  const series = ladderSeries(rows);
  const variants = new Set(series.flatMap((one) => one.rows.map((row) => row.variant)));
  if (variants.size < 2) return emptyFigure("ladder", text("plot_ladder"), text("plot_ladder_none"));
  return plotFigure("ladder", text("plot_ladder"), text("plot_ladder_note"), (width) => ladderPicture(series, width));
}

function ladderPicture(series, width) {
  const losses = [...new Set(series.map((one) => one.loss))];
  const labelled = series.map((one, place) => ({ ...one, place, index: lossIndex(one.loss, losses) }));
  const key = legend(labelled.map((one) => [one.index, one.label]), 4, 12, width - 8);
  const stacked = width < 460;
  const panel = stacked ? width : width / 2;
  const top = key.height + 32;
  const boxes = [0, 1].map((index) => {
    const left = stacked ? 0 : index * panel;
    const start = stacked ? top + index * 210 : top;
    return { left: left + 44, right: left + panel - 14, top: start, bottom: start + (stacked ? 140 : 218) };
  });
  const bottom = Math.max(...boxes.map((box) => box.bottom));
  return picture(width, bottom + 46, ladderSummary(series), key.node,
    ladderPanel(labelled, boxes[0], "miou", "miou_interval", text("plot_axis_miou")),
    ladderPanel(labelled, boxes[1], "boundary_f", "boundary_f_interval", text("plot_axis_boundary_f")));
}

function ladderPanel(series, box, field, intervalField, title) {
  const all = series.flatMap((one) => one.rows).filter((row) => isNumber(row[field]));
  if (all.length === 0) return svg("text", { class: "axis", x: box.left, y: box.top }, `${title}: ${text("missing")}`);
  const domain = paddedDomain(all.flatMap((row) => [row[field], ...(isInterval(row[intervalField]) ? row[intervalField] : [])]));
  const y = makeScale(domain, [box.bottom, box.top]);
  const step = (box.right - box.left) / LADDER.length;
  const dodge = Math.min(9, step / (series.length + 1));
  const x = (variant, place) => box.left + step * (LADDER.indexOf(variant) + 0.5) + dodge * (place - (series.length - 1) / 2);
  const lines = series.map((one) => {
    const points = one.rows.filter((row) => isNumber(row[field]));
    const path = points.map((row) => `${x(row.variant, one.place)} ${y(row[field])}`).join("L");
    const marks = points.map((row) => [whiskerMark(one.index, x(row.variant, one.place), row[intervalField], y),
      marker(one.index, x(row.variant, one.place), y(row[field]), `${row.name}: ${describePercent(row[field], row[intervalField])}`)]);
    return [points.length > 1 ? svg("path", { class: `line series-${one.index % SERIES_COLOURS}`, d: `M${path}` }) : null, marks];
  });
  const middle = (variant) => box.left + step * (LADDER.indexOf(variant) + 0.5);
  return svg("g", {}, verticalAxis(box, y, niceTicks(...domain), title),
    horizontalAxis(box, middle, LADDER, (variant) => titleOf("variant", variant).replace(/^FCN-/, ""), ""), lines);
}

function ladderSummary(series) {
  const figures = series.flatMap((one) => one.rows.map((row) =>
    `${row.name} ${text("column_miou")} ${formatPercent(row.miou)}, ${text("column_boundary_f")} ${formatPercent(row.boundary_f)}`));
  return `${text("plot_ladder")}: ${figures.join("; ")}`;
}

// --- IoU of each class ---

function heatPlot(rows) {
  const classes = classesOf(rows).filter((name) => rows.some((row) => isNumber(row.class_iou?.[name])));
  const drawn = rows.filter((row) => classes.some((name) => isNumber(row.class_iou?.[name])));
  if (drawn.length === 0) return emptyFigure("classes", text("plot_heat"), text("plot_heat_none"));
  return plotFigure("classes", text("plot_heat"), text("plot_heat_note"), (width) => heatPicture(drawn, classes, width), { wide: true });
}

/** Colour of a share in [0, 1] and of text on it (contrast at least 4.4 to 1), the same in light and dark. */
function heatColours(share) {
  const [pale, deep] = [[236, 245, 244], [6, 78, 74]];
  const mixed = pale.map((start, channel) => Math.round(start + (deep[channel] - start) * share));
  return { fill: `rgb(${mixed.join(",")})`, ink: share > 0.66 ? "#ffffff" : "#03110f" };
}

function heatPicture(rows, classes, width) {
  const labels = shortLabels(rows);
  const left = Math.min(220, 16 + Math.max(...rows.map((row) => labels.get(row.key).length)) * TEXT_WIDTH * 1.1);
  const cell = Math.min(84, Math.max(40, (width - left - 60) / classes.length));
  const top = 24 + Math.max(...classes.map((name) => name.length)) * TEXT_WIDTH * 0.72;
  const heads = classes.map((name, column) => {
    const x = left + cell * (column + 0.5);
    return svg("text", { class: "tick", x, y: top - 8, transform: `rotate(-40 ${x} ${top - 8})` }, name);
  });
  const lines = rows.map((row, line) => [
    svg("text", { class: "label", x: left - 10, y: top + 28 * line + 18, "text-anchor": "end" }, labels.get(row.key)),
    classes.map((name, column) => heatCell(row, name, left + cell * column, top + 28 * line, cell)),
  ]);
  const best = rows.map((row) => `${labels.get(row.key)}: ${classes.map((name) => `${name} ${formatPercent(row.class_iou?.[name])}`).join(", ")}`);
  const fullWidth = Math.max(left + cell * classes.length + 60, 0);
  return picture(fullWidth, top + 28 * rows.length + 8, `${text("plot_heat")}. ${best.join("; ")}`, heads, lines);
}

function heatCell(row, name, x, y, width) {
  const share = row.class_iou?.[name];
  const middle = { x: x + width / 2, y: y + 18, "text-anchor": "middle" };
  if (!isNumber(share)) return svg("text", { class: "tick", ...middle }, "–");
  const { fill: colour, ink } = heatColours(share);
  return svg("g", {}, svg("title", {}, `${row.name}, ${name}: ${formatPercent(share)} %`),
    svg("rect", { x: x + 1, y: y + 1, width: width - 2, height: 26, rx: 3, style: `fill: ${colour}` }),
    svg("text", { class: "heat", ...middle, style: `fill: ${ink}` }, formatPercent(share)));
}

// --- losses on rare classes ---

/** Rows of one variant and backbone, trained alike, with the most losses; the finest variant wins a tie. */
function ablationRows(rows) {
  const sets = new Map();
  for (const row of rows) {
    const { epochs, batch_size: batch, crop, learning_rate: rate } = row.training ?? {};
    const key = JSON.stringify([row.variant, row.backbone, epochs, batch, crop, rate]);
    sets.set(key, [...(sets.get(key) ?? []), row]);
  }
  const fine = (set) => LADDER.indexOf(set[0].variant);
  return [...sets.values()].sort((a, b) => lossesOf(b).length - lossesOf(a).length || fine(b) - fine(a))[0];
}

/** The CamVid five where the rows have them, else the five classes with the fewest labelled pixels. */
function rareClasses(rows) {
  const classes = classesOf(rows).filter((name) => rows.some((row) => isNumber(row.class_iou?.[name])));
  const named = RARE_CLASSES.filter((name) => classes.includes(name));
  const source = rows.find((row) => Array.isArray(row.confusion_matrix) && row.confusion_matrix.length === row.classes?.length);
  if (named.length >= 2 || !source) return named;
  const pixels = (name) => source.confusion_matrix[source.classes.indexOf(name)]?.reduce((sum, count) => sum + count, 0) || Infinity;
  return [...classes].sort((a, b) => pixels(a) - pixels(b)).slice(0, RARE_CLASSES.length);
}

function lossPlot(rows) {
  const compared = ablationRows(rows.filter((row) => Object.values(row.class_iou ?? {}).some(isNumber))) ?? [];
  const classes = rareClasses(compared);
  if (classes.length === 0) return emptyFigure("losses", text("plot_losses"), text("plot_losses_none"));
  const variant = [titleOf("variant", compared[0].variant), compared[0].backbone].filter(Boolean).join(" · ");
  const note = [text("plot_losses_note", { variant }), lossesOf(compared).length < 2 ? text("plot_losses_one") : ""];
  return plotFigure("losses", text("plot_losses"), note.filter(Boolean).join(" "), (width) => lossPicture(compared, classes, width), { wide: true });
}

function lossPicture(rows, classes, width) {
  const losses = lossesOf(rows);
  const key = legend(lossLegend(losses), 4, 12, width - 8);
  const left = 16 + Math.max(...classes.map((name) => name.length)) * TEXT_WIDTH * 1.1;
  const box = { left, right: Math.min(width - 20, 900), top: key.height + 12, bottom: key.height + 20 + 38 * classes.length };
  const values = rows.flatMap((row) => classes.map((name) => row.class_iou?.[name])).filter(isNumber);
  const high = Math.max(0.1, ...values) * 1.08;
  const x = makeScale([0, Math.min(1, high)], [box.left, box.right]);
  const lines = classes.map((name, line) => {
    const y = box.top + 38 * line + 22;
    const found = rows.filter((row) => isNumber(row.class_iou?.[name]));
    const places = found.map((row) => x(row.class_iou[name]));
    const reach = places.length > 1 ? svg("line", { class: "reach", x1: Math.min(...places), x2: Math.max(...places), y1: y, y2: y }) : null;
    const marks = found.map((row, index) => marker(lossIndex(row.loss ?? "", losses), places[index], y, `${row.name}, ${name}: ${formatPercent(row.class_iou[name])} %`));
    return [svg("text", { class: "label", x: box.left - 10, y: y + 4, "text-anchor": "end" }, name), reach, marks];
  });
  const summary = rows.map((row) => `${row.name}: ${classes.map((name) => `${name} ${formatPercent(row.class_iou?.[name])}`).join(", ")}`);
  return picture(width, box.bottom + 46, `${text("plot_losses")}. ${summary.join("; ")}`, key.node,
    horizontalAxis(box, x, niceTicks(0, Math.min(1, high)), (tick) => formatPercent(tick, 0), text("plot_axis_iou"), true), lines);
}
