// Curves of an opened row: calibration, and mIoU near label boundaries.

import { h, svg } from "../../base/dom.js";
import { decimal, isNumber, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { board, part } from "./board.js";
import {
  canvasOf,
  horizontalAxis,
  makeScale,
  marker,
  niceTicks,
  paddedDomain,
  picture,
  verticalAxis,
} from "./charts.js";
import { chosenGroup, groupTitle } from "./groups.js";

export function reliabilityPart(row) {
  const bins = (row.calibration?.bins ?? []).filter((bin) => isNumber(bin.accuracy) && bin.pixels > 0);
  if (bins.length === 0) return null;
  const note = text("detail_calibration_note", { error: percent(row.calibration.expected_calibration_error) });
  return part(
    text("detail_calibration"),
    "reliability",
    canvasOf((width) => reliabilityPicture(bins, Math.min(width, 420))),
    h("p", { class: "note" }, note),
  );
}

function reliabilityPicture(bins, width) {
  const box = { left: 44, right: width - 14, top: 30, bottom: 220 };
  const [x, y] = [makeScale([0, 1], [box.left, box.right]), makeScale([0, 1], [box.bottom, box.top])];
  const describe = (bin) =>
    `${percent(bin.low, 0)}–${percent(bin.high, 0)} %: ${text("axis_accuracy")} ${percent(bin.accuracy)}, ${text("axis_confidence")} ${percent(bin.confidence)}, ${decimal(bin.pixels)} px`;
  const bars = bins.map((bin) =>
    svg(
      "rect",
      {
        class: "column",
        x: x(bin.low) + 1,
        y: y(bin.accuracy),
        width: Math.max(1, x(bin.high) - x(bin.low) - 2),
        height: y(0) - y(bin.accuracy),
      },
      svg("title", {}, describe(bin)),
    ),
  );
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return picture(
    width,
    box.bottom + 46,
    `${text("detail_calibration")} ${bins.map(describe).join("; ")}`,
    [groupTitle(chosenGroup())],
    verticalAxis(box, y, ticks, text("axis_accuracy")),
    bars,
    svg("line", { class: "diagonal", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }),
    horizontalAxis(box, x, ticks, (tick) => percent(tick, 0), text("axis_confidence")),
  );
}

export function trimapPart(row) {
  const points = board.facts.trimap_widths
    .map((width) => ({ width, share: row.trimap_miou?.[width] }))
    .filter((point) => isNumber(point.share));
  if (points.length < 2) return null;
  return part(
    text("detail_trimap"),
    "trimap",
    canvasOf((width) => trimapPicture(points, Math.min(width, 420))),
    h("p", { class: "note" }, text("detail_trimap_note")),
  );
}

function trimapPicture(points, width) {
  const box = { left: 44, right: width - 14, top: 30, bottom: 220 };
  const domain = paddedDomain(points.map((point) => point.share));
  const widths = points.map((point) => Number(point.width));
  const x = makeScale([Math.min(...widths) / 1.3, Math.max(...widths) * 1.3], [box.left, box.right], true);
  const y = makeScale(domain, [box.bottom, box.top]);
  const path = points.map((point) => `${x(Number(point.width))} ${y(point.share)}`).join("L");
  const marks = points.map((point) =>
    marker(0, x(Number(point.width)), y(point.share), `${point.width} px: ${percent(point.share)} %`),
  );
  const label = `${text("detail_trimap")}: ${points.map((point) => `${point.width} px ${percent(point.share)} %`).join("; ")}`;
  return picture(
    width,
    box.bottom + 46,
    label,
    [groupTitle(chosenGroup())],
    verticalAxis(box, y, niceTicks(...domain), text("plot_axis_miou")),
    horizontalAxis(box, x, widths, (tick) => decimal(tick), text("axis_width")),
    svg("path", { class: "line series-0", d: `M${path}` }),
    marks,
  );
}
