// From classifier to FCN: the same weights slid over a larger image, and the map of one class that comes out.

import { h, put } from "../../base/dom.js";
import { decimal, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { makePart } from "./frame.js";
import { drawn, listen, swatch } from "./picture.js";
import { readMaps, winner } from "./scores.js";

const STRIDE = 32;
const SHOWN = 4; // classes in the list under the map

export function firstPart(scene) {
  const { coarse, fields } = scene.network;
  const cells = coarse.rows * coarse.columns;
  const times = (cells * fields[STRIDE] ** 2) / (scene.width * scene.height);
  return makePart({
    name: "first",
    choices: 3,
    right: times > 30 ? 3 : times > 3 ? 2 : 1,
    play: () => makeMap(scene),
    answer: () => ({
      cells: decimal(cells),
      columns: decimal(coarse.columns),
      rows: decimal(coarse.rows),
      field: decimal(fields[STRIDE]),
      times: decimal(times, 0),
      kernel: decimal(scene.network.head_kernel),
    }),
  });
}

/** The probability of each class in one cell, from its scores. */
export function softmax(scores) {
  const most = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - most));
  const total = powers.reduce((sum, one) => sum + one, 0);
  return powers.map((power) => power / total);
}

function makeMap(scene) {
  const { width, height, network } = scene;
  const { rows, columns } = network.coarse;
  const [scores] = Object.values(readMaps({ maps: { [STRIDE]: network.coarse.map }, scale: network.scale }));
  const cells = Array.from({ length: rows * columns }, (_, at) =>
    softmax(network.classes.map((_, id) => scores[id * rows * columns + at])),
  );
  const photo = drawn(scene.image, width, height);
  const state = { x: Math.round(width / 2), y: Math.round(height / 2), id: startingClass(network.classes) };
  const canvas = h("canvas", { width, height, tabindex: 0, role: "img" });
  const list = h("ol", { class: "chances" });
  const told = h("p", { class: "finding", "aria-live": "polite" });
  const whose = h(
    "select",
    { name: "class" },
    network.classes.map(({ title }, id) => h("option", { value: id, selected: id === state.id }, title)),
  );
  whose.addEventListener("change", () => {
    state.id = Number(whose.value);
    show();
  });
  function go(x, y) {
    state.x = Math.min(Math.max(Math.round(x), 0), width - 1);
    state.y = Math.min(Math.max(Math.round(y), 0), height - 1);
    show();
  }
  function show() {
    const column = Math.min(Math.floor(state.x / STRIDE), columns - 1);
    const row = Math.min(Math.floor(state.y / STRIDE), rows - 1);
    const chances = cells[row * columns + column];
    paintMap(canvas, photo, { row, column, columns, cells, field: network.fields[STRIDE] }, state.id);
    const best = winner(chances);
    const { title } = network.classes[state.id];
    const values = {
      column: column + 1,
      row: row + 1,
      name: network.classes[best].title,
      chance: percentage(chances[best], 0),
    };
    const strongest = cells.reduce((top, cell, at) => (cell[state.id] > cells[top][state.id] ? at : top), 0);
    const most = {
      title,
      most: percentage(cells[strongest][state.id], 0),
      at: `${(strongest % columns) + 1}, ${Math.floor(strongest / columns) + 1}`,
    };
    const finding = `${text("first_cell", values)} ${text("first_most", most)}`;
    put(told, finding);
    canvas.setAttribute("aria-label", finding);
    const order = chances.map((_, id) => id).sort((a, b) => chances[b] - chances[a]);
    list.replaceChildren(...order.slice(0, SHOWN).map((id) => chance(network.classes[id], chances[id])));
  }
  listen(canvas, scene, state, go, STRIDE);
  show();
  return h(
    "div",
    { class: "first" },
    h("div", { class: "controls" }, h("label", { class: "pick" }, text("first_class"), whose)),
    h(
      "div",
      { class: "side-by-side" },
      h("div", {}, canvas, h("p", { class: "hint" }, text("first_keys"))),
      h("div", {}, told, list),
    ),
  );
}

const startingClass = (classes) =>
  Math.max(
    0,
    classes.findIndex(({ name }) => name === "car"),
  );

function chance(one, value) {
  return h(
    "li",
    {},
    h("span", {}, swatch(one), one.title),
    h("span", { class: "number" }, percentage(value)),
    h("i", { class: "bar", style: `--part: ${value}` }),
  );
}

/** The probability of one class in each cell over the darkened photo, and the window that the chosen cell sees. */
function paintMap(canvas, photo, { row, column, columns, cells, field }, id) {
  const { width, height } = canvas;
  const context = canvas.getContext("2d");
  context.drawImage(photo, 0, 0);
  context.fillStyle = "rgb(8 12 20 / 45%)";
  context.fillRect(0, 0, width, height);
  cells.forEach((chances, at) => {
    context.fillStyle = `rgb(255 176 46 / ${(85 * chances[id]).toFixed(1)}%)`;
    context.fillRect((at % columns) * STRIDE + 1, Math.floor(at / columns) * STRIDE + 1, STRIDE - 2, STRIDE - 2);
  });
  const reach = (field - STRIDE) / 2;
  context.lineWidth = 2;
  context.strokeStyle = "#fff";
  context.setLineDash([7, 5]);
  context.strokeRect(column * STRIDE - reach, row * STRIDE - reach, field, field);
  context.setLineDash([]);
  context.lineWidth = 3;
  context.strokeRect(column * STRIDE + 1, row * STRIDE + 1, STRIDE - 2, STRIDE - 2);
}
