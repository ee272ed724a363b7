// What the person does with panels: pin one as the reference, move, remove and bring back, blink between two.

import { h, put } from "../../base/dom.js";
import { text } from "../../base/texts.js";
import { cards, updateCards } from "./cards.js";
import { layersChanged } from "./layers.js";
import { updateLegend } from "./legend.js";
import { loadPanels } from "./load.js";
import { drawn, find, panelTitle, state, takePanels } from "./state.js";
import { updateSwipe } from "./swipe.js";
import { fillReference, say, setReference } from "./toolbar.js";
import { redraw } from "./view.js";

const TURN = 700; // milliseconds that each of two panels is shown while blinking

/** Shows what has changed in order, number or reference of the panels. */
function panelsChanged() {
  takePanels(state.value);
  fillReference();
  updateCards();
  updateSwipe();
  updateLegend();
  showRestore();
  layersChanged();
}

/** Pins a panel as the reference: it comes first, differences are to it and blinking is with it. Again releases it. */
export function pinPanel(key) {
  state.pinned = state.pinned === key ? null : key;
  panelsChanged();
  if (!state.pinned) return;
  const panel = state.panels.find((other) => other.key === key);
  setReference(panel.data.isTruth ? "truth" : `panel:${key}`);
  say(text("panel_is_reference", { title: panelTitle(panel) }));
}

/** Moves a panel by `step` places. */
export function movePanel(key, step) {
  const keys = state.panels.map((panel) => panel.key);
  const from = keys.indexOf(key);
  const to = Math.min(Math.max(from + step, 0), keys.length - 1);
  keys.splice(to, 0, ...keys.splice(from, 1));
  state.order = keys;
  panelsChanged();
  openerOf(key)?.focus();
}

/** Takes a panel off the screen; its checkpoint stays ticked. */
export function removePanel(key) {
  state.removed.add(key);
  if (state.pinned === key) state.pinned = null;
  panelsChanged();
  find(".restore").focus();
}

export function restorePanels() {
  state.removed.clear();
  panelsChanged();
  loadPanels(); // what came while a panel was away
}

const openerOf = (key) => cards.get(key)?.element.querySelector("summary");

export function showRestore() {
  const button = find(".restore");
  button.hidden = !state.removed.size;
  put(button, text("panels_restore", { count: state.removed.size }));
}

/** The menu in a card's heading. */
export function makeMenu(key) {
  const act = (work) => () => {
    menu.open = false;
    work();
  };
  const item = (work, name) => h("button", { type: "button", "data-panel": name, onclick: act(work) });
  const items = [
    item(() => pinPanel(key), "pin"),
    item(() => movePanel(key, -1), "earlier"),
    item(() => movePanel(key, 1), "later"),
    item(() => removePanel(key), "remove"),
  ];
  const menu = h("details", { class: "menu" }, h("summary", {}, "⋯"), h("div", { role: "group" }, items));
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  menu.addEventListener("focusout", (event) => {
    const next = /** @type {Node} */ (event.relatedTarget);
    if (next && !menu.contains(next)) menu.open = false;
  });
  return menu;
}

/** Names the menu of a card in the page's language. */
export function nameMenu(menu, panel) {
  const place = state.panels.indexOf(panel);
  const label = text("panel_menu", { title: panelTitle(panel) });
  for (const node of [menu.firstChild, menu.lastChild]) node.setAttribute("aria-label", label);
  menu.firstChild.title = label;
  const pinned = state.pinned === panel.key;
  for (const button of menu.querySelectorAll("button")) {
    const { panel: name } = button.dataset;
    put(button, text(name === "pin" && pinned ? "panel_unpin" : `panel_${name}`));
    if (name === "earlier") button.disabled = place === 0;
    if (name === "later") button.disabled = place === state.panels.length - 1;
    if (name === "remove") button.disabled = state.panels.length < 2;
  }
}

// --- blinking ---

/** The panel that others blink with: the pinned one, else the ground truth, else the first. */
function blinkReference() {
  const shown = drawn();
  return shown.find(({ key }) => key === state.pinned) || shown.find(({ data }) => data.isTruth) || shown[0];
}

/** What is on a panel's picture at this moment: itself, or the reference that it blinks with. */
export function panelInSight(panel) {
  const other = state.blink.other && blinkReference();
  return other || panel;
}

/** Starts or stops to blink. Where the person wants little motion, each call turns the pictures over once. */
export function setBlink(on) {
  clearInterval(state.blink.timer);
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  state.blink = { on, other: on && still, timer: on && !still ? window.setInterval(turnOver, TURN) : 0 };
  find("[data-action=blink]").setAttribute("aria-pressed", String(on));
  showTurn();
}

function turnOver() {
  if (!element.isConnected || drawn().length < 2) return setBlink(false);
  state.blink.other = !state.blink.other;
  return showTurn();
}

/** Headings name what the pictures show. */
function showTurn() {
  for (const { panel, title, element: card } of cards.values()) {
    const shown = panelInSight(panel);
    put(title, panelTitle(shown));
    card.classList.toggle("blinked", shown !== panel);
  }
  redraw();
}
