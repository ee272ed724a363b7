// What the parts of the leaderboard's table share: its value, its rows with their keys, and the state in the address.

import { all, h } from "../../base/dom.js";
import { isInterval, isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";

/** The component's value and what is made of it. */
/** What Python tells besides the rows: orders, band widths, CSV columns, citations; see evaluation/board/columns.py. */
export const NO_FACTS = {
  variants: [],
  losses: [],
  splits: [],
  worst_share: 0,
  trimap_widths: [],
  csv: [],
  citations: { datasets: {} },
};

export const board = {
  root: /** @type {HTMLElement} */ (null),
  rows: [],
  pairs: {},
  splits: {},
  published: [],
  facts: NO_FACTS,
  state: null,
  drawnPlots: null,
  redraw: () => {},
};

/** "59.3" or, with an interval, "59.3, 95 % interval 56.0 to 62.0". */
export function describePercent(value, interval) {
  if (!isNumber(value)) return text("missing");
  if (!isInterval(interval)) return percent(value);
  const [low, high] = interval.map((end) => percent(end));
  return text("interval_of", { value: percent(value), low, high });
}

/** A button; `focus` names it so that the focus finds it again after a redraw. */
export function button(label, focus, onclick, attributes = {}) {
  return h("button", { type: "button", "data-focus": focus, onclick, ...attributes }, label);
}

/** The place in the template that `part` draws into. */
export function slot(part) {
  return board.root.querySelector(`[data-slot="${part}"]`);
}

/**
 * Run `draw`, then give the focus back to the element with the same `data-focus` if the redraw replaced it, and scroll
 * so that this element stays where it was on the screen.
 */
export function keepFocus(draw) {
  const focused = /** @type {HTMLElement} */ (document.activeElement);
  const active = board.root.contains(focused) ? focused : null;
  const name = active?.dataset.focus;
  const top = active?.getBoundingClientRect().top;
  draw();
  if (name === undefined) return;
  const now = document.activeElement;
  if (now !== active && now !== document.body && board.root.contains(now)) return; // it was moved on purpose
  const twin = active.isConnected ? active : findFocus(name);
  const next = twin ?? findFocus(/^(chip |clear$)/.test(name) ? "filters" : "region"); // what had the focus is gone
  if (next !== document.activeElement) next?.focus({ preventScroll: true });
  if (twin) window.scrollBy(0, twin.getBoundingClientRect().top - top);
}

function findFocus(name) {
  return all("[data-focus]", board.root).find((node) => node.dataset.focus === name);
}

/** A label short enough for a plot, still different for each of `rows`. */
export function shortLabels(rows) {
  const parts = [(row) => titleOf("variant", row.variant), (row) => row.loss, (row) => row.backbone];
  const used = parts.filter((part, index) => index === 0 || new Set(rows.map(part)).size > 1);
  const labels = rows.map((row) =>
    used
      .map((part) => part(row))
      .filter(Boolean)
      .join(" · "),
  );
  const unique = new Set(labels).size === labels.length && labels.every(Boolean);
  return new Map(rows.map((row, index) => [row.key, unique ? labels[index] : row.name]));
}

/** A part of an opened row under its title. */
export function part(title, kind, ...children) {
  return h("section", { class: `part ${kind}` }, h("h4", {}, title), children);
}
