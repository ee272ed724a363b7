// What the viewer knows: the value from the page, one record per panel, and what the person chose.

const MODES = ["overlay", "mask", "contours", "confidence", "difference"];
const TRUTH_KEY = "truth";

const state = {
  value: null,
  photo: null, // {src, width, height, image} once decoded
  panels: [], // records made by panelRecord(), in the order of the value, ground truth last
  classes: [], // union over all label sets, see classUnion()
  hidden: new Set(), // class names
  mode: "overlay",
  opacity: 0.6,
  patterns: false,
  reference: "panels", // what the difference mode compares with: "panels", "truth" or "panel:KEY"
  view: { zoom: 1, x: 0, y: 0 }, // x, y: image point in the middle of every panel; zoom 1 fits the whole photo
  cross: null, // {x, y, pinned} in image pixels
  swipe: { on: false, left: null, right: null, at: 0.5 },
};

const records = new Map(); // key -> panel record; survives a new value, so that masks are not decoded twice

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
  if (value.truth && value.truth.mask) {
    const truth = { ...value.truth, name: TRUTH_KEY, title: text("ground_truth"), status: "done", isTruth: true };
    list.push({ key: TRUTH_KEY, data: truth });
  }
  return list;
}

/** Takes a new value over: keeps the records of panels that stay, drops the others. */
function takePanels(value) {
  const list = panelData(value);
  const keys = new Set(list.map(({ key }) => key));
  for (const key of records.keys()) if (!keys.has(key)) records.delete(key);
  state.panels = list.map(({ key, data }) => {
    if (!records.has(key)) records.set(key, panelRecord(key));
    return Object.assign(records.get(key), { data });
  });
  state.classes = classUnion(state.panels);
  for (const panel of state.panels) panel.classAt = classLookup(panel);
}

const labelClasses = (panel) => (panel.data.labels && panel.data.labels.classes) || [];

/** One entry per class name over all label sets; checkpoints of different datasets meet by name. */
function classUnion(panels) {
  const union = new Map();
  for (const panel of panels) {
    for (const { name, color } of labelClasses(panel)) {
      if (!union.has(name)) union.set(name, { name, index: union.size, colors: [] });
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
function panelShares(panel) {
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
function panelTitle({ data }) {
  const titleOf = (other) => String(other.title || other.name);
  const partsOf = (other) => String(other.subtitle || "").split(/\s*[,·]\s*/);
  const checkpoints = state.panels.map((panel) => panel.data).filter((other) => !other.isTruth);
  const title = titleOf(data);
  if (checkpoints.filter((other) => titleOf(other) === title).length < 2) return title;
  const own = partsOf(data).filter((part) => checkpoints.some((other) => !partsOf(other).includes(part)));
  return own.length ? `${title} · ${own.join(", ")}` : title;
}

const drawn = () => state.panels.filter((panel) => panel.ids);
const drawnCheckpoints = () => drawn().filter((panel) => !panel.data.isTruth);

/** What one panel says at an image pixel: {name, index, confidence}, index -1 for void; null without a mask. */
function reading(panel, x, y) {
  if (!panel.ids || !state.photo) return null;
  const at = y * state.photo.width + x;
  const index = panel.classAt[panel.ids[at]];
  return {
    index,
    name: index < 0 ? text("void") : state.classes[index].name,
    confidence: panel.confidence ? panel.confidence[at] / 255 : null,
  };
}

const parseColour = (color) => {
  const hex = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(color);
  return hex ? hex.slice(1).map((part) => parseInt(part, 16)) : [128, 128, 128];
};
