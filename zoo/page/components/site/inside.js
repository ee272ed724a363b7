// "Inside the network": the score maps of one network that was compared, as a strip, and in a viewer once it is opened.

import { h, one } from "../base/dom.js";
import { text } from "../base/texts.js";
import { ask } from "./engine.js";
import { mount } from "./mount.js";
import { countPairs, iouOf, viewerValue } from "./shown.js";

const inner = { data: null, parts: null, work: null, chosen: "", turn: 0, failed: (_error) => {}, made: [] };

/** Puts strip and viewer into their places; `learn()` opens the lesson, `failed(error)` says what went wrong. */
export function makeInside(data, { learn, failed }) {
  const parts = { rungs: mount("rungs", one("#rungs")), viewer: mount("viewer", one("#inside-viewer")) };
  Object.assign(inner, { data, parts, failed });
  parts.rungs.on("learn", learn);
  const choice = /** @type {HTMLSelectElement} */ (one("#inside-whose"));
  choice.addEventListener("change", () => {
    inner.chosen = choice.value;
    look();
  });
  one("#inside").addEventListener("toggle", look);
}

/** Shows the inside of a comparison that has ended, of the network last chosen or else the last one; null empties it. */
export function showInside(work) {
  inner.work = work;
  inner.turn++;
  const names = work ? work.names.filter((name) => work.results[name]) : [];
  one("#inside").hidden = !names.length;
  if (!names.length) {
    freeMaps();
    inner.parts.rungs.value = null;
    inner.parts.viewer.value = null;
    return;
  }
  if (!names.includes(inner.chosen)) inner.chosen = names.at(-1);
  const option = (name) => {
    const { title, subtitle } = inner.data.networks[name];
    return h("option", { value: name, selected: name === inner.chosen }, `${title} · ${subtitle}`);
  };
  one("#inside-whose").replaceChildren(...names.map(option));
  look();
}

async function look() {
  const { work, chosen, data, parts } = inner;
  if (!work?.results[chosen]) return;
  const turn = ++inner.turn;
  const opened = one("#inside").open;
  const network = data.networks[chosen];
  const { seen, maps } = work.results[chosen];
  const { width, height } = work.photo;
  try {
    const found = await ask("inside", {
      network: networkFacts(network, data),
      maps,
      seen,
      width,
      height,
      sure: opened,
    });
    if (turn !== inner.turn) return;
    freeMaps();
    const rungs = Object.fromEntries([...found.map(rungOf), ["output", outputOf(work.results[chosen])]]);
    for (const rung of Object.values(rungs)) rung.miou = miouOf(rung.samples, work, network);
    parts.rungs.value = stripValue(network, rungs);
    parts.viewer.value = opened ? insideValue(network, rungs, work) : null;
  } catch (error) {
    if (error.key !== "status_stopped") inner.failed(error); // stopped: another comparison has begun
  }
}

/** The pictures that are shown no more. */
function freeMaps() {
  for (const address of inner.made.splice(0)) URL.revokeObjectURL(address);
}

function mapAddress(blob) {
  const address = URL.createObjectURL(blob);
  inner.made.push(address);
  return address;
}

const networkFacts = ({ grids, palette, labels }, data) => ({
  grids,
  palette,
  classes: data.labels[labels].classes.length,
});

function rungOf({ name, mask, confidence, ...found }) {
  return [name, { ...found, mask: mapAddress(mask), confidence: confidence && mapAddress(confidence) }];
}

const outputOf = ({ mask, confidence, samples, shares, meanConfidence }) => {
  return { mask, confidence, samples, shares, meanConfidence };
};

function miouOf(samples, { truth }, { labels }) {
  if (truth?.labels !== labels) return null;
  return iouOf(countPairs(samples, truth.ids, inner.data.labels[labels].classes.length)).mean;
}

function stripValue({ title, ladder }, rungs) {
  const { data } = inner;
  const steps = data.ladders[ladder].map((step) => {
    return step.name ? { ...step, src: rungs[step.name].mask, miou: rungs[step.name].miou } : step;
  });
  return { title: text("rungs_title", { title }), steps, strings: data.strings, locale: data.tag };
}

function insideValue({ ladder, labels }, rungs, work) {
  const { data } = inner;
  const panels = data.ladders[ladder]
    .filter(({ name }) => name)
    .map(({ name, title, told }) => {
      const { mask, confidence, meanConfidence, shares, miou } = rungs[name];
      const same = { name, title, subtitle: told, status: "done", message: "", labels: data.labels[labels] };
      return { ...same, mask, confidence, mean_confidence: meanConfidence, shares, miou };
    });
  const { photo, truth, strings, locale } = viewerValue(work, data);
  return { photo, truth, panels, notes: [], strings, locale, label: text("inside") };
}
