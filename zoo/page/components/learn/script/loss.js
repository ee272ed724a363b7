// Losses on rare pixels: which way each loss pulls every pixel of a small image, live, and what became of it for real.

import { h, put, svg } from "../../base/dom.js";
import { decimal, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { choice, makePart, slider } from "./frame.js";
import { balancedWeights, crossEntropy, dice, focal, pulls, weightedCrossEntropy } from "./gradients.js";
import { lossName, makeCrackRows, makeVesselRows, tellVessels } from "./rare_rows.js";

const SIDE = 12; // pixels of the small image across and down
const START = { count: 3, onRare: 0.3, onCommon: 0.05, gamma: 2, loss: "ce" };

/** The gradients of a state by the loss's name. */
export function gradients({ count, onRare, onCommon, gamma }) {
  const rare = crack(count);
  const chance = rare.map((one) => (one ? onRare : onCommon));
  return {
    rare,
    slopes: {
      ce: crossEntropy(chance, rare),
      wce: weightedCrossEntropy(chance, rare, balancedWeights(rare)),
      focal: focal(chance, rare, gamma),
      dice: dice(chance, rare),
    },
  };
}

/** 1 for `count` pixels in a crooked line through the middle, wider where the line is not long enough; row by row. */
export function crack(count) {
  const rare = new Array(SIDE * SIDE).fill(0);
  const shifts = [0, 0, 1, 1, 2, 1, 1, 2, 3, 3, 2, 3];
  const rows = [5, 6, 4, 7, 3, 8, 2, 9, 1, 10, 0, 11];
  const places = Array.from({ length: SIDE }, (_, width) =>
    rows.map((y) => [y, (shifts[y] + 4 + width) % SIDE]),
  ).flat();
  for (const [y, x] of places.slice(0, count)) rare[y * SIDE + x] = 1;
  return rare;
}

/** More than 1 where the rare pixels pull harder: the loss as a whole then raises the rare class. */
const balance = ({ rare, common }) => rare / common;

export function lossPart({ rare: real, vessels }) {
  const { rare, slopes } = gradients(START);
  const found = Object.fromEntries(Object.entries(slopes).map(([name, own]) => [name, balance(pulls(own, rare))]));
  const plain = real?.rows.find(({ loss }) => loss === "ce");
  const best = real?.rows.reduce((top, row) => (row.iou > top.iou ? row : top), real.rows[0]);
  return makePart({
    name: "loss",
    choices: 3,
    right: found.ce < 0.9 ? 2 : found.ce > 1.1 ? 1 : 3,
    play: () => h("div", {}, makeImage(), real ? makeCrackRows(real) : null, makeVesselRows(vessels)),
    answer: () => ({
      pushes: decimal(1 / found.ce, 1),
      plain: decimal(found.ce, 2),
      focal: decimal(found.focal, 2),
      dice: decimal(found.dice, 2),
      weighted: decimal(found.wce, 2),
      real: plain
        ? text("loss_real", {
            plain: percentage(plain.iou),
            best: percentage(best.iou),
            title: lossName(best),
            images: real.images,
          })
        : "",
      vessels: tellVessels(vessels),
    }),
  });
}

function makeImage() {
  const state = { ...START };
  const picture = h("div", { class: "tiny" });
  const table = h("table", { class: "pulls" });
  const told = h("p", { class: "finding", "aria-live": "polite" });
  const gammaSlider = make("gamma", 0, 5, 0.5, (value) => decimal(value, 1));
  const sliders = [
    make("count", 1, 72, 1, (value) =>
      text("loss_count_is", { count: decimal(value), share: percentage(value / SIDE ** 2) }),
    ),
    make("onRare", 0.02, 0.98, 0.02, (value) => percentage(value, 0)),
    make("onCommon", 0.01, 0.99, 0.01, (value) => percentage(value, 0)),
    gammaSlider,
  ];
  function make(name, low, high, step, say) {
    const key = name.toLowerCase();
    return slider({
      label: text(`loss_${key}`),
      name: key,
      low,
      high,
      step,
      value: state[name],
      say,
      change: (value) => set({ [name]: value }),
    });
  }
  const looks = choice({
    label: text("loss_shown"),
    options: ["ce", "wce", "focal", "dice"].map((name) => [name, text(`loss_${name}`)]),
    value: state.loss,
    change: (loss) => set({ loss }),
  });
  function set(change) {
    Object.assign(state, change);
    draw();
  }
  function draw() {
    const { rare, slopes } = gradients(state);
    const sides = pulls(slopes[state.loss], rare);
    const ratio = balance(sides);
    const key = ratio > 1.05 ? "loss_up" : ratio < 0.95 ? "loss_down" : "loss_still";
    const finding = text(key, { name: text(`loss_${state.loss}`), ratio: decimal(ratio < 1 ? 1 / ratio : ratio, 1) });
    put(told, finding);
    picture.replaceChildren(drawPixels(slopes[state.loss], rare, finding));
    fillPulls(table, slopes, rare, state.loss);
  }
  draw();
  return h(
    "div",
    { class: "rare" },
    h(
      "div",
      { class: "sliders" },
      sliders.map(({ node }) => node),
    ),
    h("div", { class: "controls" }, looks.node),
    h(
      "div",
      { class: "square-row" },
      h("div", {}, picture, h("p", { class: "hint" }, text("loss_colours"))),
      h(
        "div",
        {},
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": text("loss_table") }, table),
        told,
      ),
    ),
  );
}

/** Pixels as squares whose area is the gradient's size: orange pulls towards the crack, blue away; cracks have a frame. */
function drawPixels(slopes, rare, finding) {
  const most = Math.max(...slopes.map(Math.abs), 1e-12);
  const cells = slopes.map((slope, i) => {
    const side = 0.92 * Math.sqrt(Math.abs(slope) / most);
    const x = i % SIDE;
    const y = Math.floor(i / SIDE);
    return [
      svg("rect", { x: x + 0.03, y: y + 0.03, width: 0.94, height: 0.94, class: rare[i] ? "pixel crack" : "pixel" }),
      svg("rect", {
        x: x + (1 - side) / 2,
        y: y + (1 - side) / 2,
        width: side,
        height: side,
        class: slope < 0 ? "minus" : "plus",
      }),
    ];
  });
  return svg(
    "svg",
    { viewBox: `-0.1 -0.1 ${SIDE + 0.2} ${SIDE + 0.2}`, role: "img", "aria-label": finding, class: "sums" },
    cells,
  );
}

function fillPulls(table, slopes, rare, chosen) {
  const rows = Object.entries(slopes).map(([name, own]) => {
    const sides = pulls(own, rare);
    const total = sides.rare + sides.common;
    const cell = (value, kind) =>
      h(
        "td",
        {},
        h("span", {}, decimal(value, 4)),
        h("i", { class: `bar ${kind}`, style: `--part: ${value / total}` }),
      );
    return h(
      "tr",
      { class: name === chosen ? "chosen" : null },
      h("th", { scope: "row" }, text(`loss_${name}`)),
      cell(sides.rare, "minus"),
      cell(sides.common, ""),
      h("td", {}, decimal(balance(sides), 2)),
    );
  });
  const heads = ["loss_head", "loss_pull", "loss_push", "loss_ratio"].map((key) =>
    h("th", { scope: "col" }, text(key)),
  );
  table.replaceChildren(h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows));
}
