// Why your validation flatters: one video's frames, split by video or by frame, and what two networks then score.

import { h, put, svg } from "../../base/dom.js";
import { decimal, isInterval, percentage, withSign } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { choice, makePart } from "./frame.js";

const BOUNDS = [0.01, 0.1]; // gaps between the choices of the question: about none, some points, more
const ACROSS = 34; // frames in a row of the picture
const WAYS = ["video", "frame"];

/** The choice that is true of a gap, counted from 1. */
export const rightGap = (gap) => 1 + BOUNDS.filter((bound) => gap >= bound).length;

export function splitPart({ split }) {
  const scored = split.frames.filter(Boolean).length;
  return makePart({
    name: "split",
    choices: BOUNDS.length + 1,
    right: rightGap(split.gap),
    play: () => makeSplit(split, scored),
    answer: () => ({
      ...Object.fromEntries(WAYS.map((way) => [way, percentage(split.runs[way].miou)])),
      gap: decimal(100 * split.gap, 1),
      low: decimal(100 * split.gap_interval[0], 1),
      high: decimal(100 * split.gap_interval[1], 1),
      seeds: split.runs.video.seeds.length,
      images: split.trained_on,
      epochs: split.epochs,
      scored,
    }),
  });
}

function makeSplit(split, scored) {
  const picture = h("div", { class: "video" });
  const told = h("p", { class: "finding", "aria-live": "polite" });
  const table = h("table", { class: "ceilings" });
  const ways = choice({
    label: text("split_way"),
    options: WAYS.map((way) => [way, text(`split_by_${way}`)]),
    value: WAYS[0],
    change: draw,
  });
  function draw(way) {
    const { miou, interval } = split.runs[way];
    const near = way === "frame" ? split.frames.length - scored : 0;
    const shown = isInterval(interval)
      ? text("loss_interval", { low: percentage(interval[0]), high: percentage(interval[1]) })
      : "";
    const places = { near, frames: split.frames.length, scored, images: split.trained_on };
    const finding = text(`split_told_${way}`, { ...places, miou: percentage(miou), interval: shown });
    put(told, finding);
    picture.replaceChildren(drawVideo(split.frames, way, finding));
    fillGaps(table, split, way);
  }
  draw(WAYS[0]);
  const marks = ["scored", "near", "unused"].map((kind) => h("span", { class: `mark ${kind}` }, text(`split_${kind}`)));
  return h(
    "div",
    { class: "split" },
    h("div", { class: "controls" }, ways.node, h("div", { class: "marks" }, marks)),
    picture,
    told,
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": text("split_table") }, table),
  );
}

/** The video's frames in their order, row by row: scored, trained on, or looked at by nobody. */
function drawVideo(frames, way, finding) {
  const rows = Math.ceil(frames.length / ACROSS);
  const cells = frames.map((isScored, index) =>
    svg("rect", {
      x: (index % ACROSS) + 0.08,
      y: 1.3 * Math.floor(index / ACROSS) + 0.08,
      width: 0.84,
      height: 1.1,
      rx: 0.12,
      class: isScored ? "shot scored" : way === "frame" ? "shot near" : "shot",
    }),
  );
  return svg(
    "svg",
    { viewBox: `0 0 ${ACROSS} ${1.3 * rows}`, role: "img", "aria-label": finding, class: "shots" },
    cells,
  );
}

/** mIoU and the IoU of every class in both splits, and their gap in points. */
function fillGaps(table, { runs, classes }, way) {
  const rows = [{ title: "mIoU", ious: WAYS.map((name) => runs[name].miou) }, ...classes].map(({ title, ious }) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, title),
      ious.map((iou, index) =>
        h(
          "td",
          { class: WAYS[index] === way ? "chosen" : null },
          h("span", {}, percentage(iou)),
          h("i", { class: "bar", style: `--part: ${iou ?? 0}` }),
        ),
      ),
      h("td", {}, ious.includes(null) ? "–" : signedPoints(ious[1] - ious[0])),
    ),
  );
  const heads = ["", ...WAYS.map((name) => text(`split_by_${name}`)), text("split_gap")];
  table.replaceChildren(
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((head) => (head ? h("th", { scope: "col" }, head) : h("td", {}))),
      ),
    ),
    h("tbody", {}, rows),
  );
}

/** A difference of fractions in points: -0.043 -> "−4.3". */
const signedPoints = (value) => withSign(100 * value, 1);
