// Plot: mIoU against milliseconds.

import { decimal, isNumber, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { describePercent, shortLabels } from "./board.js";
import {
  emptyFigure,
  horizontalAxis,
  legend,
  logTicks,
  makeScale,
  marker,
  niceTicks,
  paddedDomain,
  picture,
  placeLabels,
  plotFigure,
  seedMarks,
  tickDigits,
  verticalAxis,
  whiskerMark,
} from "./charts.js";
import { deviceOf } from "./columns.js";
import { effortGap } from "./effort.js";
import { lossesOf, lossIndex, lossLegend, mostCommon } from "./losses.js";
import { linesOf, miouPoints, reachOf } from "./seeds.js";

const LOG_RATIO = 8; // times that differ more than this are drawn on a logarithmic axis

export function costPlot(rows) {
  const title = text("plot_cost");
  const timed = rows.filter((row) => isNumber(row.milliseconds) && row.milliseconds > 0 && isNumber(row.miou));
  if (timed.length === 0) return emptyFigure("cost", title, text("plot_cost_none"));
  const device = mostCommon(timed.map(deviceOf));
  const drawn = timed.filter((row) => deviceOf(row) === device);
  const left = rows.length - drawn.length;
  const note = [
    text("plot_cost_note", { device: device || "–" }),
    left ? text("plot_cost_left_out", { count: decimal(left) }) : "",
  ];
  return plotFigure("cost", title, [...note, effortGap(drawn)].filter(Boolean).join(" "), (width) =>
    costPicture(drawn, width),
  );
}

function costPicture(rows, width) {
  const times = rows.map((row) => row.milliseconds);
  const log = Math.max(...times) / Math.min(...times) > LOG_RATIO;
  const losses = lossesOf(rows);
  const key = legend(lossLegend(losses), 4, 12, width - 8);
  const box = { left: 44, right: width - 20, top: key.height + 32, bottom: key.height + 250, after: 16 };
  const xDomain = log ? [Math.min(...times) / 1.3, Math.max(...times) * 1.6] : paddedDomain(times, [0, Infinity], 0.3);
  const yDomain = paddedDomain(rows.flatMap((row) => [row.miou, ...(reachOf(miouPoints(row)) ?? [])]));
  const [x, y] = [makeScale(xDomain, [box.left, box.right], log), makeScale(yDomain, [box.bottom, box.top])];
  const labels = shortLabels(rows);
  const points = rows.map((row) => ({ x: x(row.milliseconds), y: y(row.miou), label: labels.get(row.key) }));
  const marks = rows.map((row, index) => {
    const series = lossIndex(row.loss ?? "");
    const cost = isNumber(row.gmacs) ? `, ${decimal(row.gmacs, 2)} GMACs` : "";
    const tip = `${row.name}: ${describePercent(row.miou, row.miou_interval)}; ${decimal(row.milliseconds, 1)} ms${cost}`;
    return [
      whiskerMark(series, points[index].x, reachOf(miouPoints(row)), y),
      marker(series, points[index].x, points[index].y, tip),
      seedMarks(series, miouPoints(row), (value) => [points[index].x, y(value)]),
    ];
  });
  const xTicks = log ? logTicks(...xDomain) : niceTicks(...xDomain);
  const digits = xTicks.length > 1 ? tickDigits(xTicks[1] - xTicks[0]) : 1;
  return picture(
    width,
    box.bottom + 46,
    costSummary(rows, labels),
    linesOf(rows),
    key.node,
    verticalAxis(box, y, niceTicks(...yDomain), text("plot_axis_miou")),
    horizontalAxis(
      box,
      x,
      xTicks,
      (tick) => decimal(tick, digits),
      text(log ? "plot_axis_milliseconds_log" : "plot_axis_milliseconds"),
    ),
    marks,
    placeLabels(points, box),
  );
}

function costSummary(rows, labels) {
  const points = rows.map((row) => `${labels.get(row.key)} ${percent(row.miou)} %, ${decimal(row.milliseconds, 1)} ms`);
  return `${text("plot_cost")}: ${points.join("; ")}`;
}
