// The toolbar, the help sheet and the line that screen readers hear.

import { h, put } from "../../base/dom.js";
import { chooseLooks, followLooks, looks } from "../../base/looks.js";
import { percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { cards, showReadings, updateCard } from "./cards.js";
import { layersChanged } from "./layers.js";
import { updateLegend } from "./legend.js";
import { restorePanels, setBlink, showRestore } from "./panels.js";
import { find, findAll, panelTitle, state, takePanels } from "./state.js";
import { setSwipe } from "./swipe.js";
import { fitView, redraw, visibleStages, zoomBy } from "./view.js";

const KEYS = [
  ["O M C F D", "key_modes"],
  ["[ ]", "key_opacity"],
  ["← ↑ ↓ →", "key_pan"],
  ["Shift + ← ↑ ↓ →", "key_cross"],
  ["Enter", "key_pin"],
  ["+ −", "key_zoom"],
  ["0", "key_fit"],
  ["H", "key_hide"],
  ["S", "key_solo"],
  ["A", "key_all"],
  ["P", "key_patterns"],
  ["R", "key_reference"],
  ["B", "key_blink"],
  ["W , .", "key_swipe"],
  ["G", "key_fullscreen"],
  ["?", "key_help"],
  ["Esc", "key_escape"],
];

export const ACTIONS = {
  zoom_in: () => zoomBy(mainStage(), 1.5),
  zoom_out: () => zoomBy(mainStage(), 1 / 1.5),
  fit: fitView,
  patterns: () => chooseLooks({ patterns: !looks().patterns }),
  distinct: () => chooseLooks({ distinct: !looks().distinct }),
  blink: () => setBlink(!state.blink.on),
  restore: restorePanels,
  swipe: () => setSwipe(!state.swipe.on),
  fullscreen: toggleFullscreen,
  help: () => find("dialog").showModal(),
  close: () => find("dialog").close(),
};

/** The stage that keys and buttons act on: the focused one, else the first on screen. */
export function mainStage() {
  const shown = visibleStages();
  return shown.find((stage) => stage.canvas === document.activeElement) || shown[0];
}

export function bindToolbar() {
  for (const button of findAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
  for (const button of findAll("[data-action]")) {
    button.addEventListener("click", () => state.photo && ACTIONS[button.dataset.action]());
  }
  find(".opacity input").addEventListener("input", (event) => setOpacity(Number(event.target.value) / 100));
  find(".reference select").addEventListener("change", (event) => setReference(event.target.value));
  followLooks(element, looksChanged);
  const sheet = find("dialog");
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
}

/** Landmarks of one name would be confused: of two viewers on a page, one has a name of its own. */
function nameLandmarks(label) {
  if (!label) return;
  find(".fcn-viewer").setAttribute("aria-label", label);
  find(".shares .scroll").setAttribute("aria-label", `${label}: ${text("shares")}`);
}

/** Puts texts, names and pressed states in place; called for each new value, as its strings may be new. */
export function updateToolbar() {
  for (const node of findAll("[data-text]")) put(node, text(node.dataset.text));
  for (const node of findAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  nameLandmarks(state.value.label);
  for (const node of findAll("button[data-label], [data-title]")) {
    node.title = text(node.dataset.title || node.dataset.label);
  }
  fillHelp();
  fillReference();
  showMode();
  showZoom();
  setOpacity(state.opacity);
  showRestore();
  find("[data-action=blink]").disabled = state.panels.length < 2;
  showLooks();
}

function fillHelp() {
  const lines = KEYS.flatMap(([keys, key]) => [h("dt", {}, [h("kbd", {}, [keys])]), h("dd", {}, [text(key)])]);
  find("dialog dl").replaceChildren(...lines);
}

/** What the difference mode can compare with: [value, text] pairs. */
export function references() {
  const checkpoints = state.panels.filter((panel) => !panel.data.isTruth);
  const list = [["panels", text("all_checkpoints")]];
  if (state.panels.some((panel) => panel.data.isTruth)) list.push(["truth", text("ground_truth")]);
  return list.concat(checkpoints.map((panel) => [`panel:${panel.key}`, panelTitle(panel)]));
}

export function fillReference() {
  const options = references();
  const offered = (wanted) => options.some(([value]) => value === wanted);
  if (!state.referenceChosen || !offered(state.reference)) state.reference = offered("truth") ? "truth" : "panels";
  const select = find(".reference select");
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  select.value = state.reference;
}

export function setReference(value) {
  Object.assign(state, { reference: value, referenceChosen: true });
  showMarks();
  find(".reference select").value = value;
  for (const card of cards.values()) updateCard(card);
  layersChanged();
}

export function setMode(mode) {
  state.mode = mode;
  showMode();
  updateLegend();
  for (const card of cards.values()) updateCard(card);
  layersChanged();
  showReadings(); // shares of differing pixels go with their mode
  say(text("mode_is", { name: text(mode) }));
}

function showMode() {
  const { mode } = state;
  for (const button of findAll("[data-mode]"))
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  find(".reference").hidden = mode !== "difference";
  find(".heat").hidden = mode !== "confidence";
  showMarks();
  find(".opacity input").disabled = mode === "mask"; // nothing lies under the mask there
}

/** Keys of what the difference mode marks by colours: one kind, or three where only some classes are shown. */
export function shownMarks() {
  if (state.mode !== "difference") return [];
  if (state.reference !== "truth") return ["mark_differs"];
  return ["mark_wrong", ...(state.hidden.size ? ["false_positive", "false_negative"] : [])];
}

export function showMarks() {
  const [both, ...some] = shownMarks();
  find(".marks").hidden = !both;
  if (both) put(find(".marks .both"), text(both));
  for (const node of findAll(".marks .some")) node.hidden = !some.length;
}

export function setOpacity(opacity) {
  state.opacity = Math.min(Math.max(opacity, 0), 1);
  const slider = find(".opacity input");
  slider.value = String(Math.round(state.opacity * 100));
  slider.style.setProperty("--fill", `${state.opacity * 100}%`);
  slider.setAttribute("aria-valuetext", percentage(state.opacity, 0));
  redraw();
}

function showLooks() {
  for (const [name, on] of Object.entries(looks())) {
    find(`[data-action=${name}]`).setAttribute("aria-pressed", String(on));
  }
}

/** Draws classes as they are chosen to look now: their dataset's colours or distinct ones, plain or with patterns. */
function looksChanged() {
  if (!state.value) return;
  showLooks();
  takePanels(state.value);
  updateLegend();
  layersChanged();
  showReadings();
}

export function showZoom() {
  put(find(".level"), percentage(state.view.zoom, 0));
  find(".body").classList.toggle("zoomed", state.view.zoom > 1); // then one finger moves the photo, not the page
}

export function toggleFullscreen() {
  const root = find(".fcn-viewer");
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen();
}

/** Says a line to screen readers. */
export function say(message) {
  put(find(".status"), message);
}
