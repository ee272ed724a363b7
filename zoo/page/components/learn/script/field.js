// Where the pole is lost: the grid of each stride and what one of its cells sees, over the photo.

import { h, put } from "../../base/dom.js";
import { decimal, isNumber, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { choice, makePart } from "./frame.js";
import { drawn, listen, swatch, within } from "./picture.js";

const STRIDES = ["32", "16", "8"];

export function fieldPart(scene, start) {
  const { ceilings, classes } = scene.network;
  const thin = classes.find(({ name }) => name === "pole") ?? classes.at(-1);
  const best = (stride) => ceilings[stride].classes[thin.name];
  const reached = best("32");
  return makePart({
    name: "field",
    choices: 3,
    right: reached > 0.75 ? 1 : reached > 0.25 ? 2 : 3,
    play: () => makeGrid(scene, start),
    answer: () => ({
      name: thin.title,
      coarse: percentage(best("32"), 0),
      middle: percentage(best("16"), 0),
      fine: percentage(best("8"), 0),
      mean_coarse: percentage(ceilings["32"].miou, 0),
      mean_fine: percentage(ceilings["8"].miou, 0),
    }),
  });
}

function makeGrid(scene, start) {
  const { width, height, network, truth, isVoid } = scene;
  const photo = drawn(scene.image, width, height);
  const pole = thinPlace(scene);
  const state = { x: pole % width, y: Math.floor(pole / width), stride: "32", ...within(start, scene) };
  const canvas = h("canvas", { width, height, tabindex: 0, role: "img" });
  const told = h("p", { class: "finding", "aria-live": "polite" });
  const table = h("table", { class: "ceilings" });
  const looks = choice({
    label: text("field_stride"),
    options: STRIDES.map((stride) => [stride, text("field_stride_is", { stride })]),
    value: state.stride,
    change: (stride) => {
      state.stride = stride;
      show();
    },
  });
  function go(x, y) {
    state.x = Math.min(Math.max(Math.round(x), 0), width - 1);
    state.y = Math.min(Math.max(Math.round(y), 0), height - 1);
    show();
  }
  function show() {
    const stride = Number(state.stride);
    const cell = { left: Math.floor(state.x / stride) * stride, top: Math.floor(state.y / stride) * stride };
    paintGrid(canvas, photo, cell, stride, network.fields[state.stride]);
    const own = inCell(truth, cell, stride, width, height, isVoid);
    const parts = own.map(([id, share]) => `${network.classes[id].title} ${percentage(share, 0)}`).join(", ");
    const wins = own.length
      ? text("field_wins", { parts, name: network.classes[own[0][0]].title })
      : text("field_void");
    const finding = `${text("field_cell", { stride: state.stride, field: decimal(network.fields[state.stride]) })} ${wins}`;
    put(told, finding);
    canvas.setAttribute("aria-label", finding);
    fillCeilings(table, network, state.stride);
  }
  listen(canvas, scene, state, go);
  show();
  return h(
    "div",
    { class: "field" },
    h("div", { class: "controls" }, looks.node),
    h(
      "div",
      { class: "side-by-side" },
      h("div", {}, canvas, h("p", { class: "hint" }, text("sum_keys"))),
      h(
        "div",
        {},
        told,
        h("h3", {}, text("field_ceiling")),
        h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": text("field_ceiling") }, table),
      ),
    ),
  );
}

/** A pixel on a pole that a cell of stride 8 names and one of stride 32 does not; any of a pole, or the first. */
export function thinPlace({ truth, network, width, height, isVoid }) {
  const id = network.classes.findIndex(({ name }) => name === "pole");
  const poles = [...truth.keys()].filter((i) => truth[i] === id);
  const names = (i, stride) => {
    const [left, top] = [i % width, Math.floor(i / width)].map((at) => Math.floor(at / stride) * stride);
    return inCell(truth, { left, top }, stride, width, height, isVoid)[0][0] === id;
  };
  return poles.find((i) => names(i, 8) && !names(i, 32)) ?? poles[0] ?? 0;
}

/** [class, its share of the labelled pixels] of a cell, the largest first. */
export function inCell(truth, { left, top }, stride, width, height, isVoid) {
  const counts = new Map();
  for (let y = top; y < Math.min(top + stride, height); y++) {
    for (let x = left; x < Math.min(left + stride, width); x++) {
      const id = truth[y * width + x];
      if (id !== isVoid) counts.set(id, (counts.get(id) ?? 0) + 1);
    }
  }
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return [...counts].map(([id, count]) => [id, count / total]).sort((a, b) => b[1] - a[1] || a[0] - b[0]);
}

function paintGrid(canvas, photo, { left, top }, stride, field) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  const reach = (field - stride) / 2;
  context.drawImage(photo, 0, 0);
  context.fillStyle = "rgb(8 12 20 / 55%)";
  context.fillRect(0, 0, width, height);
  const seen = [Math.max(0, left - reach), Math.max(0, top - reach)];
  const until = [Math.min(width, left + stride + reach), Math.min(height, top + stride + reach)];
  const box = [...seen, until[0] - seen[0], until[1] - seen[1]];
  context.drawImage(photo, ...box, ...box);
  context.strokeStyle = "rgb(255 255 255 / 34%)";
  context.lineWidth = 1;
  context.beginPath();
  for (let x = stride; x < width; x += stride) {
    context.moveTo(x + 0.5, 0);
    context.lineTo(x + 0.5, height);
  }
  for (let y = stride; y < height; y += stride) {
    context.moveTo(0, y + 0.5);
    context.lineTo(width, y + 0.5);
  }
  context.stroke();
  context.strokeStyle = "#ffb347";
  context.lineWidth = 2;
  context.setLineDash([7, 5]);
  context.strokeRect(...box);
  context.setLineDash([]);
  context.strokeStyle = "#fff";
  context.lineWidth = 3;
  context.strokeRect(left, top, stride, stride);
}

/** IoU of each class where every cell named its most frequent class without a mistake. */
function fillCeilings(table, { ceilings, classes }, chosen) {
  const occurs = classes.filter(({ name }) => isNumber(ceilings[8].classes[name]));
  const cell = (value, stride) =>
    h(
      "td",
      { class: stride === chosen ? "chosen" : null },
      h("span", {}, percentage(value, 0)),
      h("i", { class: "bar", style: `--part: ${isNumber(value) ? value : 0}` }),
    );
  const rows = occurs.map((one) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, swatch(one), one.title),
      STRIDES.map((stride) => cell(ceilings[stride].classes[one.name], stride)),
    ),
  );
  const mean = h(
    "tr",
    { class: "result" },
    h("th", { scope: "row" }, "mIoU"),
    STRIDES.map((stride) => cell(ceilings[stride].miou, stride)),
  );
  const heads = ["", ...STRIDES.map((stride) => text("field_stride_is", { stride }))].map((head) =>
    head ? h("th", { scope: "col" }, head) : h("td"),
  );
  table.replaceChildren(h("thead", {}, h("tr", {}, heads)), h("tbody", {}, rows, mean));
}
