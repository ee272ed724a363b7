// What the viewer knows: the value from the page, one record per panel, and what the person chose.

import { all, one } from "../../base/dom.js";
import { colourOf } from "../../base/looks.js";
import { decimal, isNumber } from "../../base/numbers.js";
import { text } from "../../base/texts.js";

export const find = (selector) => one(selector, element);
export const findAll = (selector) => all(selector, element);

export const TRUTH_KEY = "truth";

export const state = {
  value: null,
  photo: null, // {src, width, height, image} once decoded
  panels: [], // records made by panelRecord(), in the order of the value, ground truth last
  classes: [], // union over all label sets, see classUnion()
  hidden: new Set(), // class names
  mode: "overlay",
  opacity: 0.6,
  reference: "panels", // what the difference mode compares with: "panels", "truth" or "panel:KEY"
  referenceChosen: false, // by the person; else it is the ground truth where there is one
  order: [], // keys of panels in the order that the person gave them, [] for the page's
  removed: new Set(), // keys of panels that the person took off the screen
  pinned: null, // key of the panel that comes first and is the reference
  given: "", // keys that the page sent last, joined
  blink: { on: false, other: false, timer: 0 },
  view: { zoom: 1, x: 0, y: 0 }, // x, y: image point in the middle of every panel; zoom 1 fits the whole photo
  cross: null, // {x, y, pinned} in image pixels
  swipe: { on: false, left: null, right: null, at: 0.5 },
};

export const records = new Map(); // key -> panel record; survives a new value, so that masks are not decoded twice

function panelRecord(key) {
  const mask = { url: null, ids: null, error: "" };
  const confidence = { confidenceUrl: null, confidence: null, confidenceError: "" };
  return { key, data: null, announced: "", ...mask, ...confidence };
}

/** Values that state.panels is made from: the checkpoints, then the ground truth as one more panel. */
function panelData(value) {
  const given = Array.isArray(value.panels) ? value.panels : [];
  const counted = new Map();
  const list = given.map((data) => {
    const times = counted.get(data.name) || 0;
    counted.set(data.name, times + 1);
    return { key: `${data.name}#${times}`, data };
  });
  if (value.truth?.mask) {
    const truth = { ...value.truth, name: TRUTH_KEY, title: text("ground_truth"), status: "done", isTruth: true };
    list.push({ key: TRUTH_KEY, data: truth });
  }
  return list;
}

/** Takes a new value over: keeps the records of panels that stay, drops the others. */
export function takePanels(value) {
  const all = panelData(value);
  const given = all.map(({ key }) => key).join("\n");
  if (given !== state.given) Object.assign(state, { given, order: [], removed: new Set() });
  const list = arranged(all);
  for (const key of records.keys()) if (!all.some((one) => one.key === key)) records.delete(key);
  state.panels = list.map(({ key, data }) => {
    if (!records.has(key)) records.set(key, panelRecord(key));
    return Object.assign(records.get(key), { data });
  });
  state.classes = classUnion(state.panels);
  for (const panel of state.panels) panel.classAt = classLookup(panel);
}

export const labelClasses = (panel) => panel.data.labels?.classes || [];

/** The panels that are shown, in the person's order, the pinned one first. */
function arranged(list) {
  const place = ({ key }) => (key === state.pinned ? -1 : state.order.indexOf(key) + 1 || Infinity);
  const shown = list.filter(({ key }) => !state.removed.has(key));
  return shown
    .map((entry, index) => ({ entry, index }))
    .sort((a, b) => compare(place(a.entry), place(b.entry)) || a.index - b.index)
    .map(({ entry }) => entry);
}

const compare = (a, b) => (a === b ? 0 : a - b);

/** One entry per class name over all label sets; checkpoints of different datasets meet by name. */
export function classUnion(panels) {
  const union = new Map();
  for (const panel of panels) {
    for (const one of labelClasses(panel)) {
      const { name, title = name } = one;
      const color = colourOf(one);
      if (!union.has(name)) union.set(name, { name, title, index: union.size, colors: [] });
      const entry = union.get(name);
      if (!entry.colors.includes(color)) entry.colors.push(color);
    }
  }
  return [...union.values()];
}

/** Int16Array(256): mask value -> index in state.classes, -1 for void and for values without a class. */
function classLookup(panel) {
  const lookup = new Int16Array(256).fill(-1);
  const indexOf = new Map(state.classes.map(({ name, index }) => [name, index]));
  for (const { id, name } of labelClasses(panel)) if (id >= 0 && id < 256) lookup[id] = indexOf.get(name);
  return lookup;
}

/** Share of pixels of each class of state.classes in this panel; null where its label set lacks the class. */
export function panelShares(panel) {
  const shares = new Array(state.classes.length).fill(null);
  const own = Array.isArray(panel.data.shares) ? panel.data.shares : countShares(panel);
  if (!own) return shares;
  labelClasses(panel).forEach(({ id }, i) => {
    if (isNumber(own[i])) shares[panel.classAt[id]] = own[i];
  });
  return shares;
}

/** Shares counted from the mask, for panels that come without (ground truth); void pixels are left out. */
function countShares(panel) {
  if (!panel.ids) return null;
  if (panel.counted && panel.counted.ids === panel.ids) return panel.counted.shares;
  const histogram = new Float64Array(256);
  for (const id of panel.ids) histogram[id]++;
  const classes = labelClasses(panel);
  const total = classes.reduce((sum, { id }) => sum + histogram[id], 0);
  const shares = classes.map(({ id }) => (total ? histogram[id] / total : 0));
  panel.counted = { ids: panel.ids, shares };
  return shares;
}

/** A panel's name on cards and in lists: panels with one title are told apart by what differs in their subtitles. */
export function panelTitle({ data }) {
  const titleOf = (other) => String(other.title || other.name);
  const partsOf = (other) => String(other.subtitle || "").split(/\s*[,·]\s*/);
  const checkpoints = state.panels.map((panel) => panel.data).filter((other) => !other.isTruth);
  const title = titleOf(data);
  if (checkpoints.filter((other) => titleOf(other) === title).length < 2) return title;
  const own = partsOf(data).filter((part) => checkpoints.some((other) => !partsOf(other).includes(part)));
  return own.length ? `${title} · ${own.join(", ")}` : title;
}

export const drawn = () => state.panels.filter((panel) => panel.ids);
export const drawnCheckpoints = () => drawn().filter((panel) => !panel.data.isTruth);

/** What one panel says at an image pixel: {name, title, index, confidence}, index -1 for void; null without a mask. */
export function reading(panel, x, y) {
  if (!panel.ids || !state.photo) return null;
  const at = y * state.photo.width + x;
  const index = panel.classAt[panel.ids[at]];
  return {
    index,
    name: index < 0 ? null : state.classes[index].name,
    title: index < 0 ? text("void") : state.classes[index].title,
    confidence: panel.confidence ? panel.confidence[at] / 255 : null,
  };
}

/** Milliseconds as people read them: one decimal below ten. */
export function duration(milliseconds) {
  return text("milliseconds", { value: decimal(milliseconds, milliseconds < 10 ? 1 : 0) });
}

export const parseColour = (color) => {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  return hex ? hex.slice(1).map((part) => parseInt(part, 16)) : [128, 128, 128];
};
