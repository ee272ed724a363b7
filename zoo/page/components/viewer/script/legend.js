// The legend: a chip per class that was found, and the table of shares, which screen readers get as a real table.

import { h, put } from "../../base/dom.js";
import { isNumber, percent, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { layersChanged, paintSwatch } from "./layers.js";
import { drawn, find, panelShares, panelTitle, reading, state } from "./state.js";
import { say, showMarks } from "./toolbar.js";

const chips = new Map(); // class name -> button

/** Rebuilds chips and table; keeps the focus on the class that had it. */
export function updateLegend() {
  const focused = [...chips].find(([, chip]) => chip === document.activeElement);
  const shares = state.panels.map((panel) => panelShares(panel));
  const found = state.classes.filter(({ index }) => shares.some((own) => own[index] > 0));
  chips.clear();
  for (const entry of found) chips.set(entry.name, makeChip(entry, shares));
  const list = find(".chips");
  list.replaceChildren(...chips.values());
  if (state.hidden.size) list.append(makeShowAll());
  if (focused && chips.has(focused[0])) chips.get(focused[0]).focus();
  fillTable(shares);
  const absent = state.classes.filter((entry) => !found.includes(entry)).map(({ title }) => title);
  const told = found.length && absent.length ? text("not_found", { names: absent.join(", ") }) : "";
  put(find(".absent"), told);
  markChips();
}

function makeChip(entry, shares) {
  const swatch = h("canvas", { class: "swatch" });
  swatch.setAttribute("aria-hidden", "true");
  paintSwatch(swatch, entry);
  const own = shares.map((list) => list[entry.index]).filter(isNumber);
  const name = h("span", { class: "name" }, [entry.title]);
  const range = h("span", { class: "range" }, [shareRange(own)]);
  const chip = h("button", { type: "button", class: "chip", title: text("legend_hint") }, [swatch, name, range]);
  chip.dataset.name = entry.name;
  chip.setAttribute("aria-pressed", String(!state.hidden.has(entry.name)));
  chip.addEventListener("click", () => toggleClass(entry.name));
  chip.addEventListener("dblclick", () => showAlone(entry.name));
  return chip;
}

function makeShowAll() {
  const button = h("button", { type: "button", class: "show-all" }, [text("show_all")]);
  button.addEventListener("click", showAllClasses);
  return button;
}

/** "31 %" or, where checkpoints disagree, "28–31 %". */
function shareRange(shares) {
  if (!shares.length) return "";
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  const digits = high < 0.0995 ? 1 : 0;
  const [from, to] = [percentage(low, digits), percentage(high, digits)];
  return from === to ? to : `${from.replace(/\s?%/, "")}–${to}`;
}

function fillTable(shares) {
  const columns = state.panels.map((panel) => h("th", { scope: "col" }, panelTitle(panel)));
  const head = h("tr", {}, h("th", { scope: "col" }, text("class_name")), columns);
  const errors = state.panels.map((panel) => errorsOf(panel));
  const rows = state.classes.map((entry) => {
    const swatch = h("canvas", { class: "swatch", "aria-hidden": "true" });
    paintSwatch(swatch, entry);
    const off = state.hidden.has(entry.name) ? ` (${text("hidden")})` : "";
    const name = h("th", { scope: "row" }, swatch, h("span", {}, entry.title + off));
    return h(
      "tr",
      {},
      name,
      shares.map((own, at) => shareCell(own[entry.index], errors[at]?.[entry.index])),
    );
  });
  const title = text(errors.some(Boolean) ? "errors" : "shares");
  put(find(".shares summary"), title);
  const caption = h("caption", { class: "unseen" }, title);
  find(".shares table").replaceChildren(caption, h("thead", {}, head), h("tbody", {}, rows));
}

/**
 * Per class of state.classes the shares of the labelled pixels that a panel takes for it wrongly and that it misses, as
 * {positives, negatives}; null where the difference to the ground truth is not what is shown.
 */
function errorsOf(panel) {
  const truth = state.panels.find((other) => other.data.isTruth);
  const wanted = state.mode === "difference" && state.reference === "truth";
  if (!wanted || !truth?.ids || !panel.ids || panel === truth) return null;
  return countErrors(panel, truth, state.classes.length);
}

/** @param {{ids: Uint8Array, classAt: Int16Array}} panel @param {{ids: Uint8Array, classAt: Int16Array}} truth */
export function countErrors(panel, truth, count) {
  const errors = Array.from({ length: count }, () => ({ positives: 0, negatives: 0 }));
  let labelled = 0;
  for (let i = 0; i < panel.ids.length; i++) {
    const label = truth.classAt[truth.ids[i]];
    if (label < 0) continue;
    labelled++;
    const found = panel.classAt[panel.ids[i]];
    if (found === label) continue;
    errors[label].negatives++;
    if (found >= 0) errors[found].positives++;
  }
  const share = (pixels) => (labelled ? pixels / labelled : 0);
  return errors.map(({ positives, negatives }) => ({ positives: share(positives), negatives: share(negatives) }));
}

function shareCell(share, error) {
  const cell = h("td", {}, percentage(share));
  if (share > 0) cell.style.setProperty("--share", `${share * 100}%`);
  if (!error || (!error.positives && !error.negatives)) return cell;
  const [positives, negatives] = [percent(error.positives), percent(error.negatives)];
  cell.append(h("small", { "aria-hidden": "true" }, `+${positives} −${negatives}`));
  cell.setAttribute("aria-label", text("errors_of", { share: percentage(share), positives, negatives }));
  return cell;
}

function classesChanged(message) {
  updateLegend();
  showMarks();
  layersChanged();
  say(message);
}

const titleOfClass = (name) => state.classes.find((entry) => entry.name === name).title;

/** Hides a class in every panel, or shows it again. */
export function toggleClass(name) {
  const hide = !state.hidden.has(name);
  if (hide) state.hidden.add(name);
  else state.hidden.delete(name);
  classesChanged(text(hide ? "class_hidden" : "class_shown", { name: titleOfClass(name) }));
}

/** Shows one class alone; all classes when it is alone already. */
export function showAlone(name) {
  const others = state.classes.map((entry) => entry.name).filter((other) => other !== name);
  if (!state.hidden.has(name) && others.every((other) => state.hidden.has(other))) return showAllClasses();
  state.hidden = new Set(others);
  return classesChanged(text("class_alone", { name: titleOfClass(name) }));
}

export function showAllClasses() {
  state.hidden.clear();
  classesChanged(text("all_shown"));
}

/** Marks the chips of the classes that the panels see under the cross-hair. */
export function markChips() {
  const { cross } = state;
  const names = new Set();
  for (const panel of cross ? drawn() : []) names.add(reading(panel, cross.x, cross.y).name);
  for (const [name, chip] of chips) chip.classList.toggle("under-cross", names.has(name));
}
