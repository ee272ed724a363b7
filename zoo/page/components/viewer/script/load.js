// Masks and confidences of the panels that are shown: fetched, decoded and told of.

import { isNumber } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { cards, showReadings, updateCard } from "./cards.js";
import { layersChanged } from "./layers.js";
import { updateLegend } from "./legend.js";
import { decodePng } from "./png.js";
import { duration, state } from "./state.js";
import { say } from "./toolbar.js";

/** Loads what the shown panels lack; `arrived` is when their value came. */
export function loadPanels(arrived = performance.now()) {
  for (const panel of state.panels) loadPanel(panel, arrived);
}

/** Fetches and decodes what the panel has got since the last value; reports on its own card. The mask comes first. */
async function loadPanel(panel, arrived) {
  announce(panel);
  const { mask, confidence, status } = panel.data;
  if (status !== "done" || !mask) {
    Object.assign(panel, { ids: null, url: null, confidence: null, confidenceUrl: null, error: "" });
    return;
  }
  if (panel.url !== mask) {
    if (!(await loadPart(panel, "mask", "ids", "error"))) return;
    panel.url = mask;
    waitingForPaint.push({ panel, arrived });
    panelLoaded(panel);
  }
  if (panel.confidenceUrl !== confidence && (await loadPart(panel, "confidence", "confidence", "confidenceError"))) {
    panel.confidenceUrl = confidence;
    panelLoaded(panel);
  }
}

/** Loads the PNG at panel.data[given] into panel[part]; false when it failed or a newer value came meanwhile. */
async function loadPart(panel, given, part, error) {
  const { photo } = state;
  const url = panel.data[given];
  const outdated = () => photo !== state.photo || panel.data[given] !== url;
  try {
    const samples = await loadSamples(url, photo);
    if (outdated()) return false;
    Object.assign(panel, { [part]: samples, [error]: "" });
    return true;
  } catch (problem) {
    if (outdated()) return false;
    panel[error] = text(given === "mask" ? "bad_mask" : "bad_confidence", { reason: problem.message });
    panelLoaded(panel);
    return false;
  }
}

async function loadSamples(url, photo) {
  if (!url) return null;
  const { width, height, samples } = await decodePng(await loadBytes(url));
  if (width !== photo.width || height !== photo.height) {
    throw new Error(text("mask_size", { width, height, photo: `${photo.width}x${photo.height}` }));
  }
  return samples;
}

/** The bytes behind a URL. Data URLs are read here: fetch would send them through another process and back. */
async function loadBytes(url) {
  const inline = /^data:[^,]*;base64,/.exec(url);
  if (inline) return Uint8Array.from(atob(url.slice(inline[0].length)), (letter) => letter.charCodeAt(0)).buffer;
  const response = await fetch(url);
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.arrayBuffer();
}

function panelLoaded(panel) {
  if (!cards.has(panel.key)) return;
  if (panel.error) showReadings();
  for (const card of cards.values()) updateCard(card); // one more mask may give the others something to compare with
  if (panel.data.isTruth) updateLegend(); // its shares are counted from the mask
  layersChanged();
}

const waitingForPaint = [];

/** After each frame: read-outs that depend on painted layers, and the time from a mask's arrival to the screen. */
export function afterFrame() {
  if (state.mode === "difference" || waitingForPaint.length) showReadings();
  while (waitingForPaint.length) {
    const { panel, arrived } = waitingForPaint.pop();
    performance.measure("viewer:panel-on-screen", { start: arrived, detail: panel.key });
  }
}

/** Tells screen readers once about each panel that finished or failed. */
function announce(panel) {
  const { status, title, name, milliseconds, message, isTruth } = panel.data;
  if (panel.announced === status || isTruth) return;
  panel.announced = status;
  const parts = { title: title || name, message: message || "" };
  const timed = isNumber(milliseconds);
  if (status === "done")
    say(timed ? text("finished", { ...parts, time: duration(milliseconds) }) : text("finished_untimed", parts));
  if (status === "failed") say(text("panel_failed", parts));
}
