// Words about ticked rows: their paired difference, and the way to an image.

import { h } from "../../base/dom.js";
import { decimal, isInterval, isNumber, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { board, button, slot } from "./board.js";
import { turnSentence } from "./caveats.js";
import { drillButton } from "./drill.js";
import { epochsText } from "./effort.js";
import { change, pickedRows } from "./state.js";

/** Words about ticked rows, and the button that takes them to an image. */
export function drawPairs() {
  const rows = pickedRows();
  if (board.rows.length < 2 && rows.length === 0) return slot("pairs").replaceChildren();
  if (rows.length === 0) return slot("pairs").replaceChildren(h("p", { class: "note" }, text("pairs_hint")));
  const sentences = rows.flatMap((a, index) => rows.slice(index + 1).map((b) => pairSentence(a, b)));
  const hint = rows.length === 1 ? h("p", { class: "note" }, text("pairs_hint")) : null;
  const actions = h(
    "div",
    { class: "actions" },
    button(text("compare_selected"), "compare selected", () => compareOnImage(rows), { class: "primary" }),
    button(text("clear_selection"), "clear selection", () => change((state) => (state.picked = [])), {
      class: "quiet",
    }),
  );
  const names = h(
    "p",
    { class: "names" },
    rows.map((row) => h("span", { class: "chip" }, row.name)),
  );
  slot("pairs").replaceChildren(
    h(
      "section",
      { class: "pairs", "aria-live": "polite", "aria-label": text("pairs_title") },
      h("h3", {}, text("pairs_title")),
      names,
      sentences,
      hint,
      actions,
    ),
  );
}

/** Difference a - b with its interval as the payload states it for either order of the two, or null. */
function pairOf(a, b) {
  const stated = (first, second) => {
    const names = `${first.called}|${second.called}`;
    return board.pairs[`${names}@${first.group}`] ?? board.pairs[names];
  };
  if (stated(a, b)) return stated(a, b);
  const turned = stated(b, a);
  if (!turned) return null;
  const interval = isInterval(turned.interval) ? [-turned.interval[1], -turned.interval[0]] : null;
  return { difference: -turned.difference, interval };
}

function pairSentence(a, b) {
  if (a.group !== b.group) return h("p", {}, text("pair_other_images", { a: a.name, b: b.name }));
  const pair = pairOf(a, b);
  if (!pair || !isNumber(pair.difference)) return h("p", {}, text("pair_missing", { a: a.name, b: b.name }));
  if (pair.difference < 0) return pairSentence(b, a);
  const names = { a: a.name, b: b.name, difference: percent(pair.difference) };
  if (!isInterval(pair.interval)) return h("p", {}, text("pair_no_interval", names));
  const [low, high] = pair.interval;
  const values = { ...names, low: percent(low), high: percent(high) };
  const sentence = text(pair.difference === 0 ? "pair_equal" : "pair_higher", values);
  const meaning = text(low > 0 || high < 0 ? "pair_clear" : "pair_unclear");
  const said = [effortOf(a, b), seedsOf(a, b), turnSentence(a, b)].filter(Boolean).join(" ");
  const images = drillButton(text("drill_pair"), `drill ${a.key} ${b.key}`, { rows: [a.key, b.key] });
  return h("p", {}, sentence, " ", h("strong", {}, meaning), " ", said, " ", images);
}

/** How many epochs each had, where they were not trained for as long. */
function effortOf(a, b) {
  const [first, second] = [epochsText(a), epochsText(b)];
  if (!first || !second || first === second) return "";
  return text("pair_effort", { a: a.name, b: b.name, epochs_a: first, epochs_b: second });
}

function seedsOf(a, b) {
  const count = (row) => decimal(Math.max(1, row.seeds?.length ?? 0));
  return text("pair_seeds", { a: a.name, b: b.name, count_a: count(a), count_b: count(b) });
}

/** Tell the app which checkpoints to show on an image: event "compare" with {checkpoints: [names]}. */
export function compareOnImage(rows) {
  trigger("compare", { checkpoints: [...new Set(rows.map((row) => row.name))] });
}
