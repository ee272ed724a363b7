// Plot: from 32s to 16s to 8s.

import { svg } from "../../base/dom.js";
import { isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board, describePercent } from "./board.js";
import {
  emptyFigure,
  horizontalAxis,
  legend,
  makeScale,
  marker,
  niceTicks,
  paddedDomain,
  picture,
  plotFigure,
  SERIES_COLOURS,
  seedMarks,
  verticalAxis,
  whiskerMark,
} from "./charts.js";
import { effortGap } from "./effort.js";
import { lossIndex } from "./losses.js";
import { boundaryPoints, linesOf, miouPoints, reachOf } from "./seeds.js";

/** Series of the ladder: checkpoints that differ in their variant only, as [{label, loss, rows}]. */
export function ladderSeries(rows) {
  const series = new Map();
  for (const row of rows.filter(
    (candidate) => board.facts.variants.includes(candidate.variant) && isNumber(candidate.miou),
  )) {
    const key = [row.loss, row.backbone, row.source, String(row.name).replace(row.variant, "")].join("|");
    if (!series.has(key)) series.set(key, { loss: row.loss ?? "", backbone: row.backbone, rows: [] });
    series.get(key).rows.push(row);
  }
  const many = new Set([...series.values()].map((one) => one.backbone)).size > 1;
  const ordered = [...series.values()].sort((a, b) => lossIndex(a.loss) - lossIndex(b.loss));
  return ordered.map((one) => ({
    ...one,
    label: [titleOf("loss", one.loss), many ? one.backbone : ""].filter(Boolean).join(" · "),
    rows: one.rows.sort((a, b) => board.facts.variants.indexOf(a.variant) - board.facts.variants.indexOf(b.variant)),
  }));
}

export function ladderPlot(rows) {
  const series = ladderSeries(rows).filter((one) => new Set(one.rows.map((row) => row.variant)).size > 1);
  const variants = new Set(series.flatMap((one) => one.rows.map((row) => row.variant)));
  if (variants.size < 2) return emptyFigure("ladder", text("plot_ladder"), text("plot_ladder_none"));
  const note = [text("plot_ladder_note"), effortGap(series.flatMap((one) => one.rows))].filter(Boolean).join(" ");
  return plotFigure("ladder", text("plot_ladder"), note, (width) => ladderPicture(series, width));
}

function ladderPicture(series, width) {
  const labelled = series.map((one, place) => ({ ...one, place, index: lossIndex(one.loss) }));
  const key = legend(
    labelled.map((one) => [one.index, one.label]),
    4,
    12,
    width - 8,
  );
  const stacked = width < 460;
  const panel = stacked ? width : width / 2;
  const top = key.height + 32;
  const boxes = [0, 1].map((index) => {
    const left = stacked ? 0 : index * panel;
    const start = stacked ? top + index * 210 : top;
    return { left: left + 44, right: left + panel - 14, top: start, bottom: start + (stacked ? 140 : 218) };
  });
  const bottom = Math.max(...boxes.map((box) => box.bottom));
  return picture(
    width,
    bottom + 46,
    ladderSummary(series),
    linesOf(series.flatMap((one) => one.rows)),
    key.node,
    ladderPanel(labelled, boxes[0], "miou", miouPoints, text("plot_axis_miou")),
    ladderPanel(labelled, boxes[1], "boundary_f", boundaryPoints, text("plot_axis_boundary_f")),
  );
}

function ladderPanel(series, box, field, pointsOf, title) {
  const all = series.flatMap((one) => one.rows).filter((row) => isNumber(row[field]));
  if (all.length === 0) return svg("text", { class: "axis", x: box.left, y: box.top }, `${title}: ${text("missing")}`);
  const domain = paddedDomain(all.flatMap((row) => [row[field], ...(reachOf(pointsOf(row)) ?? [])]));
  const y = makeScale(domain, [box.bottom, box.top]);
  const step = (box.right - box.left) / board.facts.variants.length;
  const dodge = Math.min(9, step / (series.length + 1));
  const x = (variant, place) =>
    box.left + step * (board.facts.variants.indexOf(variant) + 0.5) + dodge * (place - (series.length - 1) / 2);
  const lines = series.map((one) => {
    const points = one.rows.filter((row) => isNumber(row[field]));
    const path = points.map((row) => `${x(row.variant, one.place)} ${y(row[field])}`).join("L");
    const marks = points.map((row) => [
      whiskerMark(one.index, x(row.variant, one.place), reachOf(pointsOf(row)), y),
      marker(
        one.index,
        x(row.variant, one.place),
        y(row[field]),
        `${row.name}: ${describePercent(row[field], row[`${field}_interval`])}`,
      ),
      seedMarks(one.index, pointsOf(row), (value) => [x(row.variant, one.place), y(value)]),
    ]);
    return [
      points.length > 1 ? svg("path", { class: `line series-${one.index % SERIES_COLOURS}`, d: `M${path}` }) : null,
      marks,
    ];
  });
  const middle = (variant) => box.left + step * (board.facts.variants.indexOf(variant) + 0.5);
  return svg(
    "g",
    {},
    verticalAxis(box, y, niceTicks(...domain), title),
    horizontalAxis(
      box,
      middle,
      board.facts.variants,
      (variant) => titleOf("variant", variant).replace(/^FCN-/, ""),
      "",
    ),
    lines,
  );
}

function ladderSummary(series) {
  const figures = series.flatMap((one) =>
    one.rows.map(
      (row) =>
        `${row.name} ${text("column_miou")} ${percent(row.miou)}, ${text("column_boundary_f")} ${percent(row.boundary_f)}`,
    ),
  );
  return `${text("plot_ladder")}: ${figures.join("; ")}`;
}
