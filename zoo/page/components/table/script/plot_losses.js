// Plot: losses on rare classes.

import { svg } from "../../base/dom.js";
import { decimal, isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board } from "./board.js";
import {
  emptyFigure,
  horizontalAxis,
  legend,
  makeScale,
  marker,
  niceTicks,
  picture,
  plotFigure,
  SERIES_COLOURS,
  TEXT_WIDTH,
} from "./charts.js";
import { classTitle } from "./groups.js";
import { lossesOf, lossIndex } from "./losses.js";
import { classPoints, linesOf, reachOf, spanOf, spanText } from "./seeds.js";

const RARE = 5; // classes of the fewest pixels that the plot shows
const LINE = 15; // pixels between the lines of two losses
const GAP = 16; // and between classes
const NOTABLE = 0.03; // seeds that lie further apart than this are named

/** Rows of one variant and backbone, trained alike, with the most losses; the finest variant wins a tie. */
function ablationRows(rows) {
  const sets = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.variant, row.backbone, row.trained_alike ?? row.key]);
    sets.set(key, [...(sets.get(key) ?? []), row]);
  }
  const fine = (set) => board.facts.variants.indexOf(set[0].variant);
  return [...sets.values()].sort((a, b) => lossesOf(b).length - lossesOf(a).length || fine(b) - fine(a))[0];
}

/** The classes with the fewest labelled pixels, none with more than half of them, rarest first, as far as counted. */
export function rareClasses(rows) {
  const counted = rows.find(
    (row) => Array.isArray(row.confusion_matrix) && row.confusion_matrix.length === row.classes?.length,
  );
  if (!counted) return [];
  const pixels = counted.classes.map((name, index) => ({
    name,
    count: counted.confusion_matrix[index].reduce((sum, count) => sum + count, 0),
  }));
  const half = pixels.reduce((sum, { count }) => sum + count, 0) / 2;
  const found = pixels.filter(
    ({ name, count }) => count > 0 && count <= half && rows.some((row) => isNumber(row.class_iou?.[name])),
  );
  const rarest = found.sort((a, b) => a.count - b.count).slice(0, RARE);
  return rarest.map(({ name }) => name);
}

export function lossPlot(rows) {
  const compared = ablationRows(rows.filter((row) => Object.values(row.class_iou ?? {}).some(isNumber))) ?? [];
  const classes = rareClasses(compared);
  if (classes.length === 0) return emptyFigure("losses", text("plot_losses"), text("plot_losses_none"));
  const variant = [titleOf("variant", compared[0].variant), compared[0].backbone].filter(Boolean).join(" · ");
  const note = [text("plot_losses_note", { variant }), lossesOf(compared).length < 2 ? text("plot_losses_one") : ""];
  return plotFigure(
    "losses",
    text("plot_losses"),
    note.filter(Boolean).join(" "),
    (width) => lossPicture(compared, classes, width),
    { wide: true },
  );
}

function lossPicture(rows, classes, width) {
  const ordered = [...rows].sort((a, b) => lossIndex(a.loss ?? "") - lossIndex(b.loss ?? ""));
  const key = legend(ordered.map(lossEntry), 4, 12, width - 8);
  const left = 16 + Math.max(...classes.map((name) => classTitle(name).length)) * TEXT_WIDTH * 1.1;
  const step = LINE * ordered.length + GAP;
  const top = key.height + 12;
  const box = { left, right: Math.min(width - 20, 900), top, bottom: top + 8 + step * classes.length };
  const ends = ordered.flatMap((row) => classes.flatMap((name) => reachOf(classPoints(row, name)) ?? []));
  const high = Math.min(1, Math.max(0.1, ...ends) * 1.05);
  const x = makeScale([0, high], [box.left, box.right]);
  const lines = classes.map((name, line) => {
    const y = box.top + step * line + GAP;
    const middle = y + (LINE * (ordered.length - 1)) / 2;
    return [
      svg("text", { class: "label", x: box.left - 10, y: middle + 4, "text-anchor": "end" }, classTitle(name)),
      ordered.map((row, place) => lossMarks(row, name, x, y + LINE * place)),
    ];
  });
  return picture(
    width,
    box.bottom + 46,
    `${text("plot_losses")}. ${ordered.map((row) => spokenRow(row, classes)).join("; ")}`,
    [...linesOf(ordered), shakyLine(ordered, classes)],
    key.node,
    horizontalAxis(box, x, niceTicks(0, high), (tick) => percent(tick, 0), text("plot_axis_iou"), true),
    lines,
  );
}

/** Name of a loss in the legend, with how many seeds stand behind its marks. */
function lossEntry(row) {
  const count = Math.max(1, row.seeds?.length ?? 0);
  const seeds = text("seed_count", { count: decimal(count) });
  return [lossIndex(row.loss ?? ""), `${titleOf("loss", row.loss) || "–"} (${seeds})`];
}

/** A dot for every seed, none before another, and a whisker from the lowest to the highest end of their intervals. */
function lossMarks(row, name, x, y) {
  const points = classPoints(row, name);
  const reach = reachOf(points);
  if (!reach) return null;
  const index = lossIndex(row.loss ?? "");
  const [low, high] = reach.map(x);
  const path = `M${low} ${y}H${high}M${low} ${y - 3}v6M${high} ${y - 3}v6`;
  const dots = points.map((point) => {
    const seed = point.seed === undefined ? "" : ` (${text("seed_point", { seed: point.seed, value: "" }).trim()})`;
    return marker(index, x(point.value), y, `${row.name}${seed}, ${classTitle(name)}: ${percent(point.value)} %`);
  });
  return [svg("path", { class: `error series-${index % SERIES_COLOURS}`, d: path }), dots];
}

function spokenRow(row, classes) {
  const figures = classes.map((name) => {
    const span = spanOf(classPoints(row, name));
    return `${classTitle(name)} ${span ? spanText(span) : "–"}`;
  });
  return `${row.name}: ${figures.join(", ")}`;
}

/** How far the seeds of one loss alone lie apart, which no gap between losses may be smaller than. */
function shakyLine(rows, classes) {
  const wide = rows
    .filter((row) => row.seeds?.length)
    .flatMap((row) => classes.map((name) => ({ row, name, span: spanOf(classPoints(row, name)) })))
    .filter(({ span }) => span && span[1] - span[0] > NOTABLE);
  if (wide.length === 0) return "";
  const said = wide.map(({ row, name, span }) =>
    text("seeds_alone", { class: classTitle(name), span: spanText(span), loss: titleOf("loss", row.loss) }),
  );
  return text("seeds_move", { said: said.join("; ") });
}
