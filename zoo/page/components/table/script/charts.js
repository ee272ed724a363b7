// What every plot is made of: scales, axes, marks, a frame with export buttons.
// Plots are inline SVG drawn at the width they have on the page, coloured by classes so that dark mode just works.

import { saveFile } from "../../base/clipboard.js";
import { h, SVG_SPACE, svg } from "../../base/dom.js";
import { isInterval, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { button } from "./board.js";
import { chosenGroup, fileName, groupName } from "./groups.js";

export const SERIES_COLOURS = 6;
export const TEXT_WIDTH = 6.1; // average width of a glyph at the plots' 12 px, for placing labels
const EXPORT_SCALE = 2;
const LINE_HEIGHT = 16;
const LABEL_HEIGHT = 13;
const COLUMN = 12; // points of a plot that lie nearer side by side count as one above the other
const EXPORTED_STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linecap",
  "stroke-linejoin",
  "paint-order",
  "opacity",
  "font-family",
  "font-size",
  "font-weight",
  "text-anchor",
  "dominant-baseline",
];

/**
 * Function from data to pixels; `log` for a logarithmic axis.
 * @param {number[]} domain  lowest and highest value
 * @param {number[]} range   their pixels
 */
export function makeScale(domain, range, log = false) {
  const [low, high] = domain;
  const [from, to] = range;
  const place = log ? Math.log : (value) => value;
  const span = place(high) - place(low) || 1;
  return (value) => from + ((to - from) * (place(value) - place(low))) / span;
}

/** Round values that cover [low, high] in about `count` steps. */
export function niceTicks(low, high, count = 5) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index += 1)
    ticks.push(index * step + 0); // + 0: no minus zero
  return ticks;
}

/** Decimals that keep neighbouring ticks apart when they are `step` apart. */
export function tickDigits(step) {
  return Math.min(3, Math.max(0, -Math.floor(Math.log10(step * 1.0001))));
}

/** Function that writes one of `ticks`, fractions, as per cent with as few decimals as tell them apart. */
function percentTick(ticks) {
  const digits = ticks.length > 1 ? tickDigits(100 * (ticks[1] - ticks[0])) : 1;
  return (tick) => percent(tick, digits);
}

/** 1, 2 and 5 times powers of ten inside [low, high]. */
export function logTicks(low, high) {
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const factor of [1, 2, 5]) ticks.push(factor * 10 ** power);
  }
  return ticks.filter((tick) => tick >= low * 0.999 && tick <= high * 1.001);
}

/** [low, high] of the numbers with some air, kept inside `limits`; about equal numbers as much as their size. */
export function paddedDomain(values, limits = [0, 1], air = 0.12) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = (high - low || Math.abs(high) || 0.1) * air;
  return [Math.max(limits[0], low - pad), Math.min(limits[1], high + pad)];
}

/** Horizontal grid lines with numbers at the left and an axis title above. */
export function verticalAxis(box, scale, ticks, title, format = percentTick(ticks)) {
  const lines = ticks.map((tick) => [
    svg("line", { class: "grid", x1: box.left, x2: box.right, y1: scale(tick), y2: scale(tick) }),
    svg("text", { class: "tick", x: box.left - 8, y: scale(tick) + 4, "text-anchor": "end" }, format(tick)),
  ]);
  const name = svg("text", { class: "axis", x: Math.max(0, box.left - 36), y: box.top - 12 }, title);
  return svg("g", {}, lines, name);
}

/** Ticks and a title under the plot; ticks that would overlap are left out. */
export function horizontalAxis(box, scale, ticks, format, title, grid = false) {
  let free = -Infinity;
  const labels = ticks.map((tick) => {
    const half = (String(format(tick)).length * TEXT_WIDTH) / 2 + 4;
    const x = scale(tick);
    const line = grid ? svg("line", { class: "grid", x1: x, x2: x, y1: box.top, y2: box.bottom }) : null;
    if (x - half < free) return line;
    free = x + half;
    return [line, svg("text", { class: "tick", x, y: box.bottom + 18, "text-anchor": "middle" }, format(tick))];
  });
  const name = title && svg("text", { class: "axis", x: box.right, y: box.bottom + 38, "text-anchor": "end" }, title);
  const base = svg("line", { class: "base", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
  return svg("g", {}, labels, base, name);
}

/** Mark of series `index` at (x, y): colour and shape both differ, so colour is never alone. */
export function marker(index, x, y, title) {
  const shapes = [
    () => svg("circle", { cx: x, cy: y, r: 4.5 }),
    () => svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8 }),
    () => svg("path", { d: `M${x} ${y - 5.5}L${x + 5} ${y + 4}L${x - 5} ${y + 4}Z` }),
    () => svg("path", { d: `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z` }),
  ];
  const mark = shapes[index % shapes.length]();
  mark.setAttribute("class", `mark series-${index % SERIES_COLOURS}`);
  if (title) mark.append(svg("title", {}, title));
  return mark;
}

/** The figure with other seeds, hollow and small, in the colour of their series; nothing for one seed. */
export function seedMarks(index, points, place) {
  if (points.length < 2) return [];
  return points.map((point) => {
    const [x, y] = place(point.value);
    const tip = text("seed_point", { seed: point.seed ?? "–", value: percent(point.value) });
    return svg(
      "circle",
      { class: `seed series-${index % SERIES_COLOURS}`, cx: x, cy: y, r: 3.5 },
      svg("title", {}, tip),
    );
  });
}

/** Interval as a vertical line with caps, or null. */
export function whiskerMark(index, x, interval, scale) {
  if (!isInterval(interval)) return null;
  const [low, high] = interval.map(scale);
  const path = `M${x} ${low}V${high}M${x - 3} ${low}h6M${x - 3} ${high}h6`;
  return svg("path", { class: `error series-${index % SERIES_COLOURS}`, d: path });
}

/** Marks and names of series in rows that fit `width`; returns {node, height}. */
export function legend(names, left, top, width) {
  let [x, y] = [left, top];
  const items = names.map(([index, name]) => {
    const room = 22 + name.length * TEXT_WIDTH * 1.05;
    if (x > left && x + room > left + width) [x, y] = [left, y + 18];
    const item = svg("g", {}, marker(index, x + 6, y), svg("text", { class: "label", x: x + 16, y: y + 4 }, name));
    x += room + 10;
    return item;
  });
  return { node: svg("g", {}, items), height: y - top + 18 };
}

/**
 * Places at least `gap` apart and in the order of `wanted`, which ascends, as near to it as can be in [low, high]; as
 * many as fit there.
 */
export function spreadOut(wanted, gap, low, high) {
  const kept = wanted.slice(0, Math.max(1, Math.floor((high - low) / gap) + 1));
  const blocks = []; // runs that touch one another: {sum of where they would start, count}
  kept.forEach((place, index) => {
    blocks.push({ sum: place - gap * index, count: 1 });
    while (blocks.length > 1 && meanOf(blocks.at(-2)) >= meanOf(blocks.at(-1))) {
      const last = blocks.pop();
      blocks.at(-1).sum += last.sum;
      blocks.at(-1).count += last.count;
    }
  });
  const starts = blocks.flatMap((block) => Array(block.count).fill(meanOf(block)));
  const room = high - low - gap * (kept.length - 1);
  return starts.map((start, index) => Math.min(low + room, Math.max(low, start)) + gap * index);
}

const meanOf = ({ sum, count }) => sum / count;

/** Points in columns, from left to right: those that lie less than `COLUMN` pixels from the one before. */
function columnsOf(points) {
  const columns = [];
  for (const point of [...points].sort((a, b) => a.x - b.x)) {
    const last = columns.at(-1)?.at(-1);
    if (last && point.x - last.x < COLUMN) columns.at(-1).push(point);
    else columns.push([point]);
  }
  return columns;
}

/**
 * Place labels beside points without overlaps. Where points lie above one another their labels do too, in their order,
 * with a line from each to its point. A point with no free side keeps only its tooltip.
 */
export function placeLabels(points, box) {
  const taken = points.map(({ x, y }) => [x - 6, y - 6, x + 6, y + 6]);
  const place = (point, spots, lead = false) => {
    const room = { taken, box, width: point.label.length * TEXT_WIDTH * 1.05 };
    const free = freeSpot(spots(room.width), room);
    if (!free) return null;
    taken.push(free);
    const [start, end] = free[0] > point.x ? [point.x + 6, free[0] - 2] : [point.x - 6, free[2] + 2];
    const line = { class: "leader", x1: start, y1: point.y, x2: end, y2: free[1] + LABEL_HEIGHT / 2 };
    return [lead ? svg("line", line) : null, svg("text", { class: "label", x: free[0], y: free[1] + 10 }, point.label)];
  };
  const [alone, above] = [false, true].map((several) =>
    columnsOf(points).filter(({ length }) => length > 1 === several),
  );
  return [
    ...above.map((column) => {
      const sorted = column.sort((a, b) => a.y - b.y);
      const wanted = sorted.map(({ y }) => y - LABEL_HEIGHT / 2);
      const tops = spreadOut(wanted, LABEL_HEIGHT, box.top - 8, box.bottom - LABEL_HEIGHT);
      const lead = tops.some((top, index) => Math.abs(top - wanted[index]) > 2);
      const far = lead ? 24 : 10;
      const xs = sorted.map(({ x }) => x);
      const [left, right] = [Math.min(...xs) - far, Math.max(...xs) + far];
      return tops.map((top, index) =>
        place(
          sorted[index],
          (width) => [
            [right, top],
            [left - width, top],
          ],
          lead,
        ),
      );
    }),
    ...alone.map(([point]) => place(point, (width) => sidesOf(point, width))),
  ];
}

/** Where a label of a point that stands alone may go, the best place first. */
function sidesOf({ x, y }, width) {
  return [
    [x + 10, y - 6],
    [x - 10 - width, y - 6],
    [x + 8, y - 20],
    [x + 8, y + 8],
    [x - 8 - width, y - 20],
    [x - 8 - width, y + 8],
  ];
}

/** The first of `spots` [left, top] where a label fits and covers nothing, as [left, top, right, bottom]. */
function freeSpot(spots, { taken, box, width }) {
  const overlaps = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  return spots
    .map(([left, top]) => [left, top, left + width, top + LABEL_HEIGHT])
    .find(
      (spot) =>
        spot[0] >= box.left &&
        spot[2] <= box.right + box.after &&
        spot[1] >= box.top - 8 &&
        spot[3] <= box.bottom &&
        !taken.some((other) => overlaps(spot, other)),
    );
}

/**
 * The picture itself; `label` is what a screen reader says. `lines` stand below, so that a saved picture says of which
 * images it is, and what else a reader must know.
 */
export function picture(width, height, label, lines, ...children) {
  const said = lines.filter(Boolean).flatMap((line) => wrapped(line, (width - 8) / 1.1)); // some words are wider
  const below = said.map((line, index) =>
    svg("text", { class: "source", x: 4, y: height + 12 + LINE_HEIGHT * index }, line),
  );
  const high = height + LINE_HEIGHT * said.length + 6;
  return svg(
    "svg",
    {
      class: "chart",
      role: "img",
      "aria-label": [label, ...lines.filter(Boolean)].join(" "),
      width,
      height: high,
      viewBox: `0 0 ${width} ${high}`,
    },
    children,
    below,
  );
}

/** A text in lines that fit `width`. */
export function wrapped(words, width) {
  const lines = [""];
  for (const word of words.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (lines.at(-1) && longer.length * TEXT_WIDTH > width) lines.push(word);
    else lines[lines.length - 1] = longer;
  }
  return lines;
}

const widths = { observer: /** @type {ResizeObserver} */ (null) };

/** Draws a canvas again whenever its width changes. */
function watchWidth(canvas) {
  widths.observer ??= new ResizeObserver((entries) => {
    for (const entry of entries) drawCanvas(entry.target);
  });
  widths.observer.observe(canvas);
}

export function drawCanvas(canvas) {
  const width = Math.floor(canvas.clientWidth);
  if (width < 40 || canvas.drawnWidth === width) return;
  canvas.drawnWidth = width;
  canvas.replaceChildren(canvas.drawPicture(width));
}

/** An element that calls `draw(width) -> svg` now, or as soon as it has a width, and whenever that changes. */
export function canvasOf(draw) {
  const canvas = /** @type {HTMLDivElement & {drawPicture: Function}} */ (h("div", { class: "canvas" }));
  canvas.drawPicture = draw;
  watchWidth(canvas);
  return canvas;
}

/** Figure with title, drawing, note and export buttons; `wide` spans the page and may scroll inside. */
export function plotFigure(id, name, note, draw, { wide = false } = {}) {
  const title = `${name} · ${groupName(chosenGroup())}`;
  const canvas = canvasOf(draw);
  const named = fileName(id);
  const saveAs = (format) =>
    button(
      text(`save_${format}`),
      `save ${id} ${format}`,
      () => savePicture(canvas.querySelector("svg"), named, format),
      {
        class: "small",
        "aria-label": text("save_plot", { title, format: text(`save_${format}`) }),
      },
    );
  const scroll = wide
    ? { class: "scroll", role: "group", tabindex: "0", "aria-label": title, "data-focus": `scroll ${id}` }
    : {};
  const head = h(
    "div",
    { class: "head" },
    h("h4", {}, title),
    h("div", { class: "actions" }, saveAs("svg"), saveAs("png")),
  );
  return h(
    "figure",
    { class: wide ? "plot wide" : "plot", "data-plot": id },
    head,
    h("div", scroll, canvas),
    h("figcaption", { class: "note" }, note),
  );
}

/** Figure that says why there is nothing to draw. */
export function emptyFigure(id, name, reason) {
  const title = `${name} · ${groupName(chosenGroup())}`;
  return h(
    "figure",
    { class: "plot", "data-plot": id },
    h("div", { class: "head" }, h("h4", {}, title)),
    h("p", { class: "empty" }, reason),
  );
}

/** Older SVG readers know rgb() only; browsers report mixed colours as color(srgb ...). */
export function plainColour(value) {
  return value.replace(
    /color\(srgb ([\d.e+-]+) ([\d.e+-]+) ([\d.e+-]+)(?: \/ ([\d.e+-]+))?\)/g,
    (_match, r, g, b, a) => {
      const [red, green, blue] = [r, g, b].map((part) => Math.round(255 * Number(part)));
      return a === undefined ? `rgb(${red}, ${green}, ${blue})` : `rgba(${red}, ${green}, ${blue}, ${a})`;
    },
  );
}

/** SVG file text that looks as on the page without its style sheet, on the page's background. */
function standaloneSvg(source) {
  const copy = source.cloneNode(true);
  const originals = [source, ...source.querySelectorAll("*")];
  [copy, ...copy.querySelectorAll("*")].forEach((node, index) => {
    const computed = getComputedStyle(originals[index]);
    for (const name of EXPORTED_STYLES) node.style.setProperty(name, plainColour(computed.getPropertyValue(name)));
  });
  const paper = plainColour(getComputedStyle(source).backgroundColor);
  copy.prepend(svg("rect", { width: "100%", height: "100%", style: `fill: ${paper}` }));
  copy.setAttribute("xmlns", SVG_SPACE);
  return new XMLSerializer().serializeToString(copy);
}

/** Download a drawing as "svg" or "png". */
async function savePicture(source, name, format) {
  const markup = standaloneSvg(source);
  if (format === "svg") return saveFile(`${name}.svg`, "image/svg+xml", markup);
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(markup)}`;
  await image.decode();
  const canvas = h("canvas", { width: EXPORT_SCALE * source.clientWidth, height: EXPORT_SCALE * source.clientHeight });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => saveFile(`${name}.png`, "image/png", blob), "image/png");
}
