// Keys. They work while the focus is inside the viewer, and never while it is in a field that needs them.

import { percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { cards } from "./cards.js";
import { showAllClasses, showAlone, toggleClass } from "./legend.js";
import { setBlink } from "./panels.js";
import { drawn, find, panelTitle, reading, state } from "./state.js";
import { moveDivider, setSwipe } from "./swipe.js";
import { ACTIONS, mainStage, references, say, setMode, setOpacity, setReference, toggleFullscreen } from "./toolbar.js";
import { fitView, panBy, placement, setCross } from "./view.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const LETTERS = {
  o: () => setMode("overlay"),
  m: () => setMode("mask"),
  c: () => setMode("contours"),
  f: () => setMode("confidence"),
  d: () => setMode("difference"),
  "[": () => setOpacity(state.opacity - 0.1),
  "]": () => setOpacity(state.opacity + 0.1),
  "+": () => ACTIONS.zoom_in(),
  "=": () => ACTIONS.zoom_in(),
  "-": () => ACTIONS.zoom_out(),
  0: fitView,
  h: () => withClass(toggleClass),
  s: () => withClass(showAlone),
  a: showAllClasses,
  p: () => ACTIONS.patterns(),
  b: () => ACTIONS.blink(),
  r: nextReference,
  w: () => ACTIONS.swipe(),
  ",": () => moveDivider(state.swipe.at - 0.05),
  ".": () => moveDivider(state.swipe.at + 0.05),
  g: toggleFullscreen,
  "?": () => ACTIONS.help(),
};

export function listenToKeys() {
  find(".fcn-viewer").addEventListener("keydown", (event) => {
    if (!state.photo || event.ctrlKey || event.metaKey || find("dialog").open) return;
    if (handleKey(event)) event.preventDefault();
  });
}

/** True when the key was ours. */
function handleKey(event) {
  const { key, target } = event;
  if (key === "Escape") return leave();
  if (target.matches("select, input")) return false;
  if (target.getAttribute("role") === "slider" && key in ARROWS) return turnDivider(event);
  if (key in ARROWS) return target.matches("canvas") && arrow(event);
  if (key === "Enter" && target.matches("canvas")) return togglePin();
  const action = LETTERS[key.toLowerCase()];
  if (!action || event.altKey) return false;
  action();
  return true;
}

function arrow({ key, shiftKey, altKey }) {
  const [right, down] = ARROWS[key];
  const stage = mainStage();
  if (shiftKey) stepCross(stage, right * (altKey ? 10 : 1), down * (altKey ? 10 : 1));
  else panBy(stage, -right * stage.width * 0.1, -down * stage.height * 0.1);
  return true;
}

/** Moves the cross-hair by whole pixels and keeps it in sight; starts in the middle of the view. */
function stepCross(stage, right, down) {
  const { width, height } = state.photo;
  const from = state.cross || { x: Math.floor(state.view.x) - right, y: Math.floor(state.view.y) - down };
  const x = Math.min(Math.max(from.x + right, 0), width - 1);
  const y = Math.min(Math.max(from.y + down, 0), height - 1);
  setCross({ x, y }, true);
  const { scale, left, top } = placement(stage);
  const outside = (at, size) => (at < 0 ? -at : at > size ? size - at : 0);
  const dx = outside(left + x * scale, stage.width - scale);
  const dy = outside(top + y * scale, stage.height - scale);
  if (dx || dy) panBy(stage, dx, dy);
  sayReadings();
}

let readingTimer = 0;

/** Tells screen readers what every panel says under the cross-hair, once the keys rest. */
function sayReadings() {
  clearTimeout(readingTimer);
  readingTimer = setTimeout(() => {
    if (!state.cross) return;
    const { x, y } = state.cross;
    const lines = drawn().map((panel) => {
      const { title, confidence } = reading(panel, x, y);
      const certainty = confidence === null ? "" : ` ${percentage(confidence)}`;
      return text("reading", { title: panelTitle(panel), name: title + certainty });
    });
    say([text("position", { x, y }), ...lines].join("; "));
  }, 400);
}

function togglePin() {
  const { cross, photo, view } = state;
  if (cross) setCross({ x: cross.x, y: cross.y }, !cross.pinned);
  else
    setCross(
      { x: Math.min(Math.floor(view.x), photo.width - 1), y: Math.min(Math.floor(view.y), photo.height - 1) },
      true,
    );
  sayReadings();
  return true;
}

function turnDivider({ key }) {
  const [right, down] = ARROWS[key];
  moveDivider(state.swipe.at + (right - down) * 0.02);
  return true;
}

/** The class that H and S mean: the focused chip's, else the one under the cross-hair in the focused panel. */
function withClass(act) {
  const chip = /** @type {HTMLElement} */ (document.activeElement?.closest(".chip"));
  if (chip) return act(chip.dataset.name);
  const panels = drawn();
  if (!state.cross || !panels.length) return undefined;
  const focused = panels.find((panel) => cards.get(panel.key).stage.canvas === document.activeElement) || panels[0];
  const found = reading(focused, state.cross.x, state.cross.y);
  return found.index < 0 ? undefined : act(found.name);
}

function nextReference() {
  setMode("difference");
  const values = references().map(([value]) => value);
  setReference(values[(values.indexOf(state.reference) + 1) % values.length]);
  say(find(".reference select").selectedOptions[0].textContent);
}

function leave() {
  if (state.blink.on) setBlink(false);
  else if (state.swipe.on) setSwipe(false);
  else if (state.cross) setCross(null);
  else return false;
  return true;
}
