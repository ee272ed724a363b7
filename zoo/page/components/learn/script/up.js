// Transposed convolution, with your hands: which outputs one input paints, where they overlap, what kernels do.

import { h, put, svg } from "../../base/dom.js";
import { decimal } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { choice, makePart, slider } from "./frame.js";
import { bilinear, outputSize, paintedBy, paintedSquare, random, repeatedSums, timesPainted } from "./upsampling.js";

const LEARNED = { kernel: 4, stride: 2, padding: 1 }; // of the x2 upsamplings inside the network
const CELL = 20; // of the drawing, whose width is that of the longest line
const FALL = 74; // from the inputs down to the outputs

export function upPart({ network }) {
  const kernels = network?.kernels ?? {};
  const spreads = Object.values(kernels).flatMap((list) => list.map((kernel) => spreadOf(repeatedSums(kernel, 2))));
  const counts = timesPainted({ inputs: 6, stride: 2, kernel: 3, padding: 0 }).slice(2, 4);
  return makePart({
    name: "up",
    choices: 3,
    right: 2,
    play: () => makeBench(network, kernels),
    answer: () => ({
      fewest: decimal(Math.min(...counts) ** 2),
      most: decimal(Math.max(...counts) ** 2),
      learned: spreads.length
        ? text("up_answer_learned", {
            number: decimal(spreads.length),
            mean: decimal(spreads.reduce((sum, one) => sum + one, 0) / spreads.length, 2),
            largest: decimal(Math.max(...spreads), 2),
            title: network.title,
          })
        : "",
    }),
  });
}

const spreadOf = (sums) => Math.max(...sums) - Math.min(...sums);

function makeBench(network, kernels) {
  const state = { inputs: 5, stride: 2, kernel: 3, padding: 0, active: 1, weights: "ones", layer: "32", id: 0 };
  const formula = h("p", { class: "formula", "aria-live": "polite" });
  const told = h("p", { class: "finding", "aria-live": "polite" });
  const line = h("div", { class: "line" });
  const square = h("div", { class: "square" });
  const number = (value) => decimal(value);
  const make = (name, low, high) =>
    slider({
      label: text(`up_${name}`),
      name,
      low,
      high,
      value: state[name],
      say: number,
      change: (value) => set({ [name]: value }),
    });
  const sliders = {
    inputs: make("inputs", 2, 8),
    stride: make("stride", 1, 4),
    kernel: make("kernel", 1, 8),
    padding: make("padding", 0, 3),
    active: slider({
      label: text("up_active"),
      name: "active",
      low: 0,
      high: 7,
      value: state.active,
      say: (value) => decimal(value + 1),
      change: (value) => set({ active: value }),
    }),
  };
  const kinds = ["ones", "bilinear", "random", ...(Object.keys(kernels).length ? ["learned"] : [])];
  const weights = choice({
    label: text("up_weights"),
    options: kinds.map((kind) => [kind, text(`up_${kind}`)]),
    value: state.weights,
    change: (kind) => set(kind === "learned" ? { weights: kind, ...LEARNED } : { weights: kind }),
  });
  const whose = h("select", { "aria-label": text("up_class") });
  for (const layer of Object.keys(kernels)) {
    const titles = network.classes.map(({ title }, id) => h("option", { value: `${layer} ${id}` }, title));
    whose.append(h("optgroup", { label: text(`up_layer_${layer}`) }, titles));
  }
  whose.addEventListener("change", () => {
    const [layer, id] = whose.value.split(" ");
    set({ layer, id: Number(id) });
  });

  let setting = false;
  function set(change) {
    if (setting) return;
    setting = true; // moving a slider by hand of ours calls back
    Object.assign(state, change);
    const changed = ["kernel", "stride", "padding"].some((name) => name in change);
    if (changed && state.weights === "learned" && !("weights" in change)) state.weights = "bilinear";
    state.padding = Math.min(state.padding, Math.floor((state.kernel - 1) / 2));
    state.active = Math.min(state.active, state.inputs - 1);
    for (const name of Object.keys(sliders)) sliders[name].set(state[name]);
    weights.press(state.weights);
    whose.hidden = state.weights !== "learned";
    setting = false;
    draw();
  }

  function draw() {
    const { inputs, stride, kernel, padding } = state;
    const size = outputSize(inputs, stride, kernel, padding);
    put(formula, text("up_formula", { inputs, stride, kernel, padding, size }));
    const counts = timesPainted(state);
    const [first, last] = paintedBy(state.active, state);
    const own = { input: state.active + 1, first: first + 1, last: last + 1, counts: counts.join(" ") };
    const sums = repeatedSums(kernelOf(state, kernels), stride);
    const even = spreadOf(sums) < 0.005;
    const inside = { low: decimal(Math.min(...sums), 2), high: decimal(Math.max(...sums), 2) };
    put(told, [text("up_paints", own), text(even ? "up_even" : "up_uneven", inside)].join(" "));
    line.replaceChildren(drawLine(state, counts, text("up_paints", own), (active) => set({ active })));
    square.replaceChildren(
      drawSquare(paintedSquare(kernelOf(state, kernels), state), text(even ? "up_even" : "up_uneven", inside)),
    );
  }
  set({});
  const controls = h(
    "div",
    { class: "sliders" },
    Object.values(sliders).map(({ node }) => node),
  );
  return h(
    "div",
    { class: "bench" },
    controls,
    formula,
    line,
    h("div", { class: "controls" }, weights.node, whose),
    h("div", { class: "square-row" }, square, told),
  );
}

function kernelOf({ weights, kernel, layer, id }, kernels) {
  if (weights === "learned") return kernels[layer][id];
  if (weights === "bilinear") return bilinear(kernel);
  if (weights === "random") return random(kernel);
  return Array.from({ length: kernel }, () => new Array(kernel).fill(1));
}

/** Inputs above, outputs below, and what the active one paints; a finger or mouse that moves across takes the input. */
function drawLine(state, counts, finding, take) {
  const { inputs, stride, kernel, padding, active } = state;
  const whole = (inputs - 1) * stride + kernel;
  const width = Math.max(whole, 18) * CELL;
  const left = (width - whole * CELL) / 2;
  const middle = (input) => left + (input * stride + kernel / 2) * CELL;
  const inputWidth = Math.min(CELL * 1.4, CELL * Math.max(stride, 1) * 0.92);
  const fan = (input) => {
    const from = left + input * stride * CELL;
    const x = middle(input);
    return `M${x - inputWidth / 2} ${CELL * 1.3}H${x + inputWidth / 2}L${from + kernel * CELL} ${FALL}H${from}Z`;
  };
  const node = svg(
    "svg",
    { viewBox: `0 0 ${width} ${FALL + CELL * 1.5}`, role: "img", "aria-label": finding, class: "fan" },
    Array.from({ length: inputs }, (_, input) =>
      svg("path", { d: fan(input), class: input === active ? "beam on" : "beam" }),
    ),
    Array.from({ length: inputs }, (_, input) =>
      svg("rect", {
        x: middle(input) - inputWidth / 2,
        y: 2,
        width: inputWidth,
        height: CELL * 1.2,
        rx: 4,
        class: input === active ? "input on" : "input",
      }),
    ),
    Array.from({ length: whole }, (_, at) => {
      const count = counts[at - padding];
      const x = left + at * CELL;
      const painted = at >= active * stride && at < active * stride + kernel;
      const kind = count === undefined ? "output cut" : painted ? "output on" : "output";
      return [
        svg("rect", {
          x: x + 1,
          y: FALL + 1,
          width: CELL - 2,
          height: CELL * 1.2,
          rx: 3,
          class: kind,
          style: `--times: ${count ?? 0}`,
        }),
        count === undefined ? null : svg("text", { x: x + CELL / 2, y: FALL + CELL * 0.88, class: "count" }, count),
      ];
    }),
  );
  const follow = (event) => {
    const box = node.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    const nearest = Math.round((x - left - (kernel * CELL) / 2) / (stride * CELL));
    take(Math.min(Math.max(nearest, 0), inputs - 1));
  };
  node.addEventListener("pointerdown", follow);
  node.addEventListener("pointermove", (event) => event.buttons && follow(event));
  return node;
}

/** The output of an input that is 1 everywhere, in two dimensions; blue above zero, orange below. */
function drawSquare(values, finding) {
  const size = values.length;
  const most = Math.max(0.001, ...values.flat().map(Math.abs));
  const cells = values.flatMap((row, y) =>
    row.map((value, x) =>
      svg("rect", {
        x,
        y,
        width: 0.96,
        height: 0.96,
        class: value < 0 ? "minus" : "plus",
        "fill-opacity": (Math.abs(value) / most).toFixed(3),
      }),
    ),
  );
  return svg("svg", { viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": finding, class: "sums" }, cells);
}
