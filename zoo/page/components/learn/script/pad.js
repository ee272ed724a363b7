// The paper's pad of 100 on a ruler: where each grid begins, and so where the crops come from.

import { h, svg } from "../../base/dom.js";
import { decimal } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { choice, makePart, slider } from "./frame.js";
import { paperSide, sameSide } from "./padding.js";

const STARTING_SIZE = 360;

/** How many times the image's pixels the network computes on, for a square of this side. */
const effort = (pixels, begin) => ((pixels - 2 * begin) / pixels) ** 2;

/** A whole number with a minus sign as it is printed. */
const signed = (value) => decimal(value).replace("-", "−");

export function padPart() {
  const tiny = paperSide(1);
  return makePart({
    name: "pad",
    choices: 3,
    right: 2,
    play: makeRuler,
    answer: () => ({
      tiny: decimal(tiny.scores.size),
      pool5: decimal(tiny.pools[4]),
      effort: decimal(effort(STARTING_SIZE, tiny.begin), 1),
      side: decimal(STARTING_SIZE),
    }),
  });
}

function makeRuler() {
  const state = { pixels: STARTING_SIZE, variant: "8", padding: "paper" };
  const rows = h("div", { class: "ruler" });
  const steps = h("ol", { class: "derivation", "aria-live": "polite" });
  const size = slider({
    label: text("pad_size"),
    name: "size",
    low: 1,
    high: 500,
    value: state.pixels,
    say: (value) => decimal(value),
    change: (pixels) => set({ pixels }),
  });
  const variants = choice({
    label: text("pad_variant"),
    options: ["32", "16", "8"].map((stride) => [stride, `FCN-${stride}s`]),
    value: state.variant,
    change: (variant) => set({ variant }),
  });
  const paddings = choice({
    label: text("pad_padding"),
    options: ["paper", "same"].map((kind) => [kind, text(`pad_${kind}`)]),
    value: state.padding,
    change: (padding) => set({ padding }),
  });
  function set(change) {
    Object.assign(state, change);
    draw();
  }
  function draw() {
    const side = state.padding === "paper" ? paperSide(state.pixels) : sameSide(state.pixels);
    rows.replaceChildren(...rulerRows(state, side));
    steps.replaceChildren(...derivation(state, side).map((said) => h("li", {}, said)));
  }
  draw();
  return h(
    "div",
    { class: "pad" },
    h("div", { class: "controls" }, paddings.node, variants.node),
    h("div", { class: "sliders" }, size.node),
    rows,
    h("h3", {}, text("pad_why")),
    steps,
  );
}

/** One line for each layer: its name and, to scale, where its cells lie along the image. */
function rulerRows({ pixels, variant, padding }, side) {
  const output = side.output[variant];
  const from = Math.min(side.begin, output.begin) - 4;
  const to = Math.max(pixels - side.begin, side.begin + side.pools[4] * 32, output.begin + output.size) + 4;
  const row = (key, values, begin, count, stride, kept = null) => {
    const name = text(`pad_row_${key}`, values);
    const marks = count <= 90 ? Array.from({ length: count + 1 }, (_, at) => begin + at * stride) : [];
    const bar = svg(
      "svg",
      { viewBox: `${from} 0 ${to - from} 16`, preserveAspectRatio: "none", role: "img", "aria-label": name },
      svg("rect", { x: begin, y: 1, width: count * stride, height: 14, class: kept ? "lane cut" : "lane" }),
      kept ? svg("rect", { x: kept[0], y: 1, width: kept[1] - kept[0], height: 14, class: "lane kept" }) : null,
      marks.map((x) => svg("line", { x1: x, x2: x, y1: 1, y2: 15, class: "tick" })),
      [0, pixels].map((x) => svg("line", { x1: x, x2: x, y1: 0, y2: 16, class: "edge" })),
    );
    return h("div", { class: "lane-row" }, h("p", {}, name), bar);
  };
  const found = [row("image", { size: signed(pixels) }, 0, 1, pixels, [0, pixels])];
  if (padding === "paper") {
    found.push(row("padded", { size: signed(pixels - 2 * side.begin) }, side.begin, 1, pixels - 2 * side.begin));
  }
  found.push(row("pool5", { count: signed(side.pools[4]) }, side.begin, side.pools[4], 32));
  found.push(
    row(
      "fc6",
      { count: signed(side.scores.size), begin: signed(side.scores.begin) },
      side.scores.begin,
      side.scores.size,
      32,
    ),
  );
  for (const stride of [16, 8].filter((one) => one >= Number(variant))) {
    const { begin, size } = side.fused[stride];
    const layer = stride === 16 ? 4 : 3;
    const values = {
      layer,
      crop: signed(side.crops[stride]),
      count: signed(side.pools[layer - 1]),
      size: signed(size),
    };
    found.push(row("skip", values, side.begin, side.pools[layer - 1], stride, [begin, begin + size * stride]));
  }
  const values = { crop: signed(-output.begin), size: signed(output.size), factor: variant };
  found.push(row("output", values, output.begin, 1, output.size, [0, pixels]));
  return found;
}

/** The crops, step by step. */
function derivation({ variant, padding, pixels }, side) {
  if (padding === "same")
    return [text("pad_same_fill", { size: decimal(side.output[32].size) }), text("pad_same_crops")];
  const found = [text("pad_step_conv"), text("pad_step_fc6", { begin: signed(side.scores.begin) })];
  if (variant === "32")
    found.push(
      text("pad_step_output", { factor: 32, before: -side.scores.begin, margin: 16, crop: -side.output[32].begin }),
    );
  for (const stride of [16, 8].filter((one) => one >= Number(variant))) {
    const { begin } = side.fused[stride];
    const values = {
      layer: stride === 16 ? 4 : 3,
      stride,
      begin: signed(begin),
      shift: -begin,
      crop: decimal(side.crops[stride]),
    };
    found.push(text("pad_step_skip", values));
    if (stride === Number(variant)) {
      found.push(
        text("pad_step_output", {
          factor: stride,
          before: -begin,
          margin: stride / 2,
          crop: -side.output[variant].begin,
        }),
      );
    }
  }
  found.push(text("pad_step_effort", { effort: decimal(effort(pixels, side.begin), 1) }));
  return found;
}
