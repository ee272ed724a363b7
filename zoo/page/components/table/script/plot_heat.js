// Plot: IoU of each class, a line per checkpoint.

import { svg } from "../../base/dom.js";
import { isNumber, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { shortLabels } from "./board.js";
import { emptyFigure, picture, plotFigure, TEXT_WIDTH } from "./charts.js";
import { classesOf } from "./columns.js";
import { openDrill } from "./drill.js";
import { effortGap } from "./effort.js";
import { classTitle } from "./groups.js";
import { classPoints, linesOf, spanOf, spanText } from "./seeds.js";

export function heatPlot(rows) {
  const classes = classesOf(rows).filter((name) => rows.some((row) => isNumber(row.class_iou?.[name])));
  const drawn = rows.filter((row) => classes.some((name) => isNumber(row.class_iou?.[name])));
  if (drawn.length === 0) return emptyFigure("classes", text("plot_heat"), text("plot_heat_none"));
  const note = [text("plot_heat_note"), effortGap(drawn)].filter(Boolean).join(" ");
  return plotFigure("classes", text("plot_heat"), note, (width) => heatPicture(drawn, classes, width), { wide: true });
}

/** Colour of a share in [0, 1] and of text on it (contrast at least 4.4 to 1), the same in light and dark. */
function heatColours(share) {
  const [pale, deep] = [
    [236, 245, 244],
    [6, 78, 74],
  ];
  const mixed = pale.map((start, channel) => Math.round(start + (deep[channel] - start) * share));
  return { fill: `rgb(${mixed.join(",")})`, ink: share > 0.66 ? "#ffffff" : "#03110f" };
}

function heatPicture(rows, classes, width) {
  const labels = shortLabels(rows);
  const left = Math.min(220, 16 + Math.max(...rows.map((row) => labels.get(row.key).length)) * TEXT_WIDTH * 1.1);
  const cell = Math.min(84, Math.max(40, (width - left - 60) / classes.length));
  const top = 24 + Math.max(...classes.map((name) => classTitle(name).length)) * TEXT_WIDTH * 0.72;
  const heads = classes.map((name, column) => {
    const x = left + cell * (column + 0.5);
    return svg("text", { class: "tick", x, y: top - 8, transform: `rotate(-40 ${x} ${top - 8})` }, classTitle(name));
  });
  const lines = rows.map((row, line) => [
    svg("text", { class: "label", x: left - 10, y: top + 28 * line + 18, "text-anchor": "end" }, labels.get(row.key)),
    classes.map((name, column) => heatCell(row, name, left + cell * column, top + 28 * line, cell)),
  ]);
  const best = rows.map((row) => `${labels.get(row.key)}: ${classes.map((name) => spoken(row, name)).join(", ")}`);
  const fullWidth = Math.max(left + cell * classes.length + 60, 0);
  return picture(
    fullWidth,
    top + 28 * rows.length + 8,
    `${text("plot_heat")}. ${best.join("; ")}`,
    linesOf(rows, "cells"),
    heads,
    lines,
  );
}

function heatCell(row, name, x, y, width) {
  const points = classPoints(row, name);
  const middle = { x: x + width / 2, y: y + 18, "text-anchor": "middle" };
  if (points.length === 0) return svg("text", { class: "tick", ...middle }, "–");
  const [low, high] = spanOf(points);
  const { fill: colour, ink } = heatColours((low + high) / 2);
  const read = points.length > 1 ? spanText([low, high], 0).replaceAll(" ", "") : percent(low);
  const seeds = points.map((point) => percent(point.value)).join(", ");
  return svg(
    "g",
    { class: "drill", onclick: () => openDrill({ rows: [row.key], label: name }) },
    svg("title", {}, `${row.name}, ${classTitle(name)}: ${seeds} %`),
    svg("rect", { x: x + 1, y: y + 1, width: width - 2, height: 26, rx: 3, style: `fill: ${colour}` }),
    svg("text", { class: "heat", ...middle, style: `fill: ${ink}` }, read),
  );
}

function spoken(row, name) {
  const span = spanOf(classPoints(row, name));
  return `${classTitle(name)} ${span ? spanText(span) : "–"}`;
}
