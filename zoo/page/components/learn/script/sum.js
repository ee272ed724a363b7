// The sum at one pixel: what stride 32 says there, what each skip adds, and where the winner flips.

import { h, put } from "../../base/dom.js";
import { decimal, percentage, withSign } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { decodePng } from "../../viewer/script/png.js";
import { choice, makePart } from "./frame.js";
import { drawn, listen, swatch, within } from "./picture.js";
import { bytesOf, flips, nearBorders, readMaps, rivals, sumAt } from "./scores.js";

const BORDER = 8; // pixels to a border of the ground truth that count as near it
const MARKS = [null, [0, 158, 255], [255, 120, 0], [150, 150, 150], [150, 150, 150]]; // see flips()

/** What the part needs, decoded. */
export async function readScene({ photo, truth, network }) {
  const image = new Image();
  image.src = photo.src;
  await image.decode();
  const ids = async (url) => (await decodePng(bytesOf(url.split(",")[1]).buffer)).samples;
  const strides = Object.keys(network.masks).sort((a, b) => Number(b) - Number(a));
  const masks = await Promise.all(strides.map((stride) => ids(network.masks[stride])));
  const known = truth ? await ids(truth.mask) : null;
  return { image, ...photo, strides, masks, truth: known, isVoid: network.void, maps: readMaps(network), network };
}

/** The finding of the part, for its question and answer. */
function measure({ masks, truth, isVoid, width, height }) {
  const steps = masks.slice(1).map((mask, index) => flips(masks[index], mask, truth, isVoid));
  const near = nearBorders(truth, width, height, BORDER);
  let changed = 0;
  let close = 0;
  for (let i = 0; i < near.length; i++) {
    if (!steps.some(({ marks }) => marks[i])) continue;
    changed++;
    close += near[i];
  }
  return { steps, close: changed ? close / changed : 0, all: near.reduce((sum, one) => sum + one, 0) / near.length };
}

export function sumPart(scene, start) {
  const found = measure(scene);
  const share = (step, key) => percentage(found.steps[step][key]);
  return makePart({
    name: "sum",
    choices: 3,
    right: found.close > 0.5 ? 2 : found.close > found.all ? 1 : 3,
    play: () => makeExplorer(scene, found, start),
    answer: () => ({
      first: share(0, "flipped"),
      first_paid: share(0, "paid"),
      first_cost: share(0, "cost"),
      second: share(1, "flipped"),
      second_paid: share(1, "paid"),
      second_cost: share(1, "cost"),
      close: percentage(found.close, 0),
      all: percentage(found.all, 0),
      reach: decimal(BORDER),
      coarse: percentage(scene.network.mious[scene.strides[0]]),
      middle: percentage(scene.network.mious[scene.strides[1]]),
      fine: percentage(scene.network.mious[scene.strides[2]]),
    }),
  });
}

/** The pixel to begin with: where a skip paid, else the middle. */
export function firstPlace(scene) {
  const { masks, truth, isVoid, width, height } = scene;
  const steps = masks.slice(1).map((mask, index) => flips(masks[index], mask, truth, isVoid));
  const paid = steps.flatMap(({ marks }) => worthwhile(marks, scene));
  return paid[0] ?? Math.floor(height / 2) * width + Math.floor(width / 2);
}

/** Photo and masks with one cross, and the sum under it. */
function makeExplorer(scene, found, start) {
  const { width, height, strides } = scene;
  const drawings = [drawn(scene.image, width, height), ...scene.masks.map((mask) => coloured(mask, scene))];
  const changed = found.steps.map(({ marks }) => marked(marks, scene));
  const names = [text("sum_photo"), ...strides.map((stride) => text(`sum_after_${stride}`))];
  const figures = names.map((name, index) => makeFigure(name, index, scene));
  const table = h("table", { class: "sum" });
  const line = h("p", { class: "finding", "aria-live": "polite" });
  const places = found.steps.map(({ marks }) => worthwhile(marks, scene));
  const first = firstPlace(scene);
  const cross = { x: first % width, y: Math.floor(first / width) };
  const state = { ...cross, shown: "winners", place: 0, ...within(start, scene) };

  function draw() {
    figures.forEach(({ canvas }, index) => {
      const step = state.shown === "changes" && index > 1 ? changed[index - 2] : null;
      paint(canvas, drawings[index], step, state);
    });
  }
  function show() {
    draw();
    const steps = sumAt(scene.maps, scene.network.grid, state.x, state.y);
    fillTable(table, steps, scene);
    put(line, finding(steps, scene, state));
    for (const { canvas } of figures) canvas.setAttribute("aria-label", `${canvas.dataset.name}. ${line.textContent}`);
  }
  function go(x, y) {
    state.x = Math.min(Math.max(Math.round(x), 0), width - 1);
    state.y = Math.min(Math.max(Math.round(y), 0), height - 1);
    show();
  }
  const next = (step) => () => {
    const list = places[step];
    if (!list.length) return;
    state.place = (state.place + 1) % list.length;
    go(list[state.place] % width, Math.floor(list[state.place] / width));
  };
  for (const { canvas } of figures) listen(canvas, scene, state, go);
  const looks = choice({
    label: text("sum_shown"),
    options: ["winners", "changes"].map((key) => [key, text(`sum_${key}`)]),
    value: state.shown,
    change: (key) => {
      state.shown = key;
      legend.hidden = key !== "changes";
      draw();
    },
  });
  const legend = h(
    "p",
    { class: "marks", hidden: state.shown !== "changes" },
    ["paid", "cost", "other"].map((kind) => h("span", { class: `mark ${kind}` }, text(`sum_mark_${kind}`))),
  );
  const jumps = strides
    .slice(1)
    .map((stride, step) => h("button", { type: "button", onclick: next(step) }, text(`sum_next_${stride}`)));
  show();
  return h(
    "div",
    { class: "explorer" },
    h("div", { class: "controls" }, looks.node, h("div", { class: "jumps" }, jumps)),
    legend,
    h(
      "div",
      { class: "views" },
      figures.map(({ figure }) => figure),
    ),
    h("p", { class: "hint" }, text("sum_keys")),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": text("sum_table") }, table),
    line,
  );
}

function makeFigure(name, index, { width, height, strides, network }) {
  const canvas = h("canvas", { width, height, tabindex: index === 0 ? 0 : null, role: "img", "data-name": name });
  const miou = index ? network.mious[strides[index - 1]] : null;
  const score = miou === null || miou === undefined ? null : h("span", { class: "score" }, `mIoU ${percentage(miou)}`);
  return { canvas, figure: h("figure", {}, h("figcaption", {}, h("span", {}, name), score), canvas) };
}

/** Class ids in their colours, the photo faintly beneath, so that one knows where one is. */
function coloured(ids, { image, width, height, network }) {
  const palette = network.classes.map(({ color }) =>
    [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)),
  );
  const layer = painted(width, height, (i) => palette[ids[i]], 255);
  const canvas = drawn(image, width, height);
  const context = canvas.getContext("2d");
  context.globalAlpha = 0.8;
  context.drawImage(layer, 0, 0);
  return canvas;
}

const marked = (marks, { width, height }) => painted(width, height, (i) => MARKS[marks[i]], 235);

function painted(width, height, colourAt, alpha) {
  const canvas = h("canvas", { width, height });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const colour = colourAt(i);
    if (colour) pixels.data.set([...colour, alpha], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

function paint(canvas, picture, changes, { x, y }) {
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  if (changes) {
    context.fillStyle = "rgb(10 14 22 / 78%)";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(changes, 0, 0);
  }
  for (const [colour, line] of [
    ["rgb(0 0 0 / 70%)", 5],
    ["#fff", 2],
  ]) {
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.strokeRect(x - 7.5, y - 7.5, 16, 16);
    context.beginPath();
    for (const [fromX, fromY, toX, toY] of [
      [x + 0.5, y - 22, x + 0.5, y - 8],
      [x + 0.5, y + 9, x + 0.5, y + 23],
      [x - 22, y + 0.5, x - 8, y + 0.5],
      [x + 9, y + 0.5, x + 23, y + 0.5],
    ]) {
      context.moveTo(fromX, fromY);
      context.lineTo(toX, toY);
    }
    context.stroke();
  }
}

/** Pixels in the middle of patches that a skip put right, the largest patches of each class first. */
export function worthwhile(marks, { width, height, truth, network }) {
  const best = new Map(); // class -> largest run of paid pixels down and across
  for (let y = 2; y < height - 2; y += 2) {
    for (let x = 2; x < width - 2; x += 2) {
      const i = y * width + x;
      if (marks[i] !== 1) continue;
      let size = 0;
      for (let dy = -6; dy <= 6; dy++) {
        for (let dx = -6; dx <= 6; dx++) {
          const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width;
          const j = i + dy * width + dx;
          if (inside && marks[j] === 1 && truth[j] === truth[i]) size++;
        }
      }
      if (size > (best.get(truth[i])?.size ?? 0)) best.set(truth[i], { size, i });
    }
  }
  const thin = (id) =>
    Number(["pole", "pedestrian", "bicyclist", "sign symbol", "fence"].includes(network.classes[id]?.name));
  const found = [...best.entries()].sort(([a, one], [b, other]) => thin(b) - thin(a) || other.size - one.size);
  return found.map(([, { i }]) => i);
}

function fillTable(table, steps, { network }) {
  const pair = rivals(steps);
  const title = (id) => network.classes[id].title;
  const widest = Math.max(
    1,
    ...steps.flatMap(({ own, sum }) => pair.flatMap((id) => [Math.abs(own[id]), Math.abs(sum[id])])),
  );
  const cell = (scores, id, wins) => {
    const bar = h("i", {
      class: scores[id] < 0 ? "bar minus" : "bar",
      style: `--part: ${Math.abs(scores[id]) / widest}`,
    });
    return h("td", { class: wins ? "wins" : null }, h("span", {}, withSign(scores[id], 2)), bar);
  };
  const rows = steps.flatMap(({ stride, own, sum, winner: top }, index) => {
    const adds = h(
      "tr",
      {},
      h("th", { scope: "row" }, text(`sum_row_${stride}`)),
      pair.map((id) => cell(own, id, false)),
      h("td"),
    );
    const result = h(
      "tr",
      { class: "result" },
      h("th", { scope: "row" }, text("sum_row_result")),
      pair.map((id) => cell(sum, id, id === top)),
      h("td", { class: "top" }, swatch(network.classes[top]), title(top)),
    );
    return index ? [adds, result] : [result].map((row) => relabel(row, text(`sum_row_${stride}`)));
  });
  const heads = [text("sum_head"), ...pair.map(title), text("sum_winner")];
  table.replaceChildren(
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((name, i) =>
          h("th", { scope: "col" }, i === 1 || i === 2 ? swatch(network.classes[pair[i - 1]]) : null, name),
        ),
      ),
    ),
    h("tbody", {}, rows),
  );
}

function relabel(row, name) {
  row.firstChild.textContent = name;
  row.classList.add("first");
  return row;
}

/** The pixel's story in a sentence or two. */
function finding(steps, { network, truth, isVoid, width }, { x, y }) {
  const title = (id) => network.classes[id].title;
  const at = text("sum_at", { x, y });
  const truthId = truth ? truth[y * width + x] : isVoid;
  const known = truthId === isVoid ? text("sum_truth_unknown") : text("sum_truth", { name: title(truthId) });
  const turns = steps.slice(1).flatMap((step, index) => {
    const before = steps[index].winner;
    if (step.winner === before) return [];
    const paid = truthId === step.winner ? "paid" : truthId === before ? "cost" : "other";
    const verdict = truthId === isVoid ? "" : ` ${text(`sum_flip_${paid}`)}`;
    return [text(`sum_flip_${step.stride}`, { before: title(before), after: title(step.winner) }) + verdict];
  });
  return [at, known, ...(turns.length ? turns : [text("sum_no_flip", { name: title(steps.at(-1).winner) })])].join(" ");
}
