// Pixels of each mode, one offscreen canvas per panel. They change with mode, hidden classes, patterns and comparison,
// never while panning or zooming: then a frame is two drawImage calls per panel.

import { h } from "../../base/dom.js";
import { colourOf, looks } from "../../base/looks.js";
import { drawn, drawnCheckpoints, labelClasses, parseColour, state, TRUTH_KEY } from "./state.js";
import { redraw, smallestScale } from "./view.js";

// Difference mode: far from every dataset's road, sky and tree colours, and from each other in every kind of sight.
export const MARK = [255, 45, 120];
export const FALSE_POSITIVE = [255, 150, 0];
export const FALSE_NEGATIVE = [0, 190, 255];
// Matplotlib's inferno from its bright end: what is uncertain glows, what is certain stays quiet.
export const HEAT = [
  "#fcffa4",
  "#f7d13d",
  "#fb9b06",
  "#ed6925",
  "#cf4446",
  "#a52c60",
  "#781c6d",
  "#4a0c6b",
  "#1b0c41",
  "#000004",
];
const PATTERN_SIZE = 16;

// The machine is little-endian in every browser: R is the lowest byte.
/** @param {number[]} rgb */
const pack = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

// Pattern `kind` at tile position (x, y), both 0..15: plain, diagonals, lines, dots, lattice, checks.
const PATTERNS = [
  () => false,
  (x, y) => (x + y) % 8 < 2,
  (x, y) => (x - y + 16) % 8 < 2,
  (_x, y) => y % 8 < 2,
  (x) => x % 8 < 2,
  (x, y) => x % 8 < 3 && y % 8 < 3,
  (x, y) => x % 8 < 2 || y % 8 < 2,
  (x, y) => x % 16 < 8 !== y % 16 < 8,
];

function patternAt(classIndex, x, y) {
  const coarse = classIndex >= PATTERNS.length ? 1 : 0; // a second round of wider patterns for long label sets
  return PATTERNS[classIndex % PATTERNS.length]((x >> coarse) % PATTERN_SIZE, (y >> coarse) % PATTERN_SIZE);
}

/** The colour of a class's pattern lines: towards white on dark colours, towards black on light ones.
 * @param {number[]} rgb
 */
function patternColour([r, g, b]) {
  const target = 0.299 * r + 0.587 * g + 0.114 * b < 128 ? 255 : 0;
  return [r, g, b].map((value) => Math.round(value + (target - value) * 0.55));
}

/** Uint32Array(256): mask value -> packed colour, 0 (clear) for void, the ground of others, and hidden classes. */
function colourTable(panel, change = (rgb) => rgb) {
  const table = new Uint32Array(256);
  for (const one of labelClasses(panel)) {
    if (!one.clear && !state.hidden.has(one.name)) table[one.id] = pack(change(parseColour(colourOf(one))));
  }
  return table;
}

/** Paints one class's swatch (legend, read-outs); several colours when label sets disagree about it. */
export function paintSwatch(canvas, entry, size = 14) {
  const ratio = 2;
  canvas.width = canvas.height = size * ratio;
  const context = canvas.getContext("2d");
  entry.colors.forEach((color, part) => {
    const rgb = parseColour(color);
    const width = (size * ratio) / entry.colors.length;
    context.fillStyle = `rgb(${rgb})`;
    context.fillRect(part * width, 0, width, size * ratio);
    if (!looks().patterns) return;
    context.fillStyle = `rgb(${patternColour(rgb)})`;
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < width / ratio; x++) {
        if (patternAt(entry.index, x, y)) context.fillRect(part * width + x * ratio, y * ratio, ratio, ratio);
      }
    }
  });
}

const PAINTERS = {
  overlay: paintMask,
  mask: paintMask,
  contours: paintContours,
  confidence: paintConfidence,
  difference: paintDifference,
};

function paintMask(panel, out, width) {
  const { ids, classAt } = panel;
  const table = colourTable(panel);
  for (let i = 0; i < out.length; i++) out[i] = table[ids[i]];
  if (!looks().patterns) return;
  const lines = colourTable(panel, patternColour);
  const unit = Math.max(1, Math.round(width / 480)); // patterns look alike on small and large photos
  for (let i = 0; i < out.length; i++) {
    if (!out[i]) continue;
    const x = Math.floor((i % width) / unit);
    const y = Math.floor(i / width / unit);
    if (patternAt(classAt[ids[i]], x, y)) out[i] = lines[ids[i]];
  }
}

/** Both sides of every boundary in their own class's colour, `thickness` pixels each. */
function paintContours(panel, out, width, height) {
  const { ids } = panel;
  const table = colourTable(panel);
  const reach = contourThickness();
  const mark = (a, b) => {
    if (ids[a] === ids[b]) return;
    out[a] = table[ids[a]];
    out[b] = table[ids[b]];
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      for (let step = 1; step <= reach; step++) {
        if (x + step < width) mark(i, i + step);
        if (y + step < height) mark(i, i + step * width);
      }
    }
  }
}

/** Lines stay about 1.5 screen pixels wide on each side when the photo is shown smaller than it is. */
function contourThickness() {
  return Math.min(4, Math.max(1, Math.round(1.5 / Math.max(smallestScale(), 0.2))));
}

function paintConfidence(panel, out) {
  if (!panel.confidence) return;
  const visible = colourTable(panel);
  const heat = heatTable();
  for (let i = 0; i < out.length; i++) if (visible[panel.ids[i]]) out[i] = heat[panel.confidence[i]];
}

function heatTable() {
  const stops = HEAT.map(parseColour);
  return Uint32Array.from({ length: 256 }, (_, value) => {
    const at = (value / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    return pack(stops[low].map((part, i) => Math.round(part + (stops[low + 1][i] - part) * (at - low))));
  });
}

/** Marks what differs; a panel that is itself the reference shows its classes instead. */
function paintDifference(panel, out, width) {
  const differs = differenceTest(panel);
  panel.differing = null;
  if (!differs) {
    paintMask(panel, out, width);
    return;
  }
  const mark = marker(panel);
  let count = 0;
  let compared = 0;
  for (let i = 0; i < out.length; i++) {
    const answer = differs(i);
    if (answer < 0) continue;
    compared++;
    count += answer;
    if (answer) out[i] = mark(i);
  }
  panel.differing = compared ? count / compared : 0;
}

/**
 * Colour of a pixel that differs, 0 (clear) for what concerns hidden classes only. Against the ground truth, a pixel of
 * which only the prediction is shown is a false positive, one of which only the label is shown a false negative.
 */
function marker(panel) {
  const visible = colourTable(panel);
  const both = pack(MARK);
  const truth = state.reference === "truth" ? referencePanels()[0] : null;
  if (!truth) return (i) => (visible[panel.ids[i]] ? both : 0);
  const labelled = colourTable(truth);
  const colours = [0, pack(FALSE_POSITIVE), pack(FALSE_NEGATIVE), both];
  return (i) => colours[Number(visible[panel.ids[i]] !== 0) + 2 * Number(labelled[truth.ids[i]] !== 0)];
}

/**
 * How this panel is compared: a function of the pixel's index that gives 1 (differs), 0 (same) or -1 (void in the
 * reference, not compared). Null when there is nothing to compare with, as for the reference itself.
 */
function differenceTest(panel) {
  const others = referencePanels().filter((other) => other !== panel);
  if (!others.length) return null;
  if (state.reference !== "panels" && referencePanels().includes(panel)) return null;
  const { ids, classAt } = panel;
  if (state.reference === "panels") {
    return panel.data.isTruth ? null : (i) => Number(others.some((o) => o.classAt[o.ids[i]] !== classAt[ids[i]]));
  }
  const [other] = others;
  return (i) => {
    const wanted = other.classAt[other.ids[i]];
    return wanted < 0 ? -1 : Number(wanted !== classAt[ids[i]]);
  };
}

function referencePanels() {
  if (state.reference === "panels") return drawnCheckpoints();
  const key = state.reference === "truth" ? TRUTH_KEY : state.reference.slice("panel:".length);
  return drawn().filter((panel) => panel.key === key);
}

/** Everything that decides a layer's pixels, as one string: equal strings mean the layer is still right. */
function layerKey(panel) {
  const parts = [state.mode, panel.url, [...state.hidden].sort(), looks(), labelClasses(panel)];
  if (state.mode === "confidence") parts.push(panel.confidenceUrl);
  if (state.mode === "contours") parts.push(contourThickness());
  if (state.mode === "difference")
    parts.push(
      state.reference,
      referencePanels().map((other) => other.url),
    );
  return JSON.stringify(parts);
}

/** The panel's offscreen canvas for the current mode, painted again only when something it shows has changed. */
export function layerOf(panel) {
  if (panel.layer && panel.layerVersion === layerVersion) return panel.layer;
  const key = layerKey(panel);
  const { width, height } = state.photo;
  if (!panel.layer) panel.layer = h("canvas");
  if (panel.paintedKey !== key) {
    Object.assign(panel.layer, { width, height });
    const pixels = new ImageData(width, height);
    PAINTERS[state.mode](panel, new Uint32Array(pixels.data.buffer), width, height);
    panel.layer.getContext("2d").putImageData(pixels, 0, 0);
    panel.paintedKey = key;
  }
  panel.layerVersion = layerVersion;
  return panel.layer;
}

let layerVersion = 0; // counts what may change layers, so that a frame need not compare keys

/** Says that layers may be out of date; the next frame looks at each of them once. */
export function layersChanged() {
  layerVersion++;
  redraw();
}
