// Start, and what happens when the page sends a new value: everything is updated in place.

import { h, put } from "../../base/dom.js";
import { isNumber } from "../../base/numbers.js";
import { speak, text } from "../../base/texts.js";
import { cards, showReadings, updateCard, updateCards } from "./cards.js";
import { listenToKeys } from "./keyboard.js";
import { layersChanged } from "./layers.js";
import { layOut } from "./layout.js";
import { updateLegend } from "./legend.js";
import { keepLink, showAsLinked } from "./link.js";
import { decodePng } from "./png.js";
import { watchPageScroll } from "./pointer.js";
import { offerPicture } from "./save.js";
import { duration, find, records, state, takePanels } from "./state.js";
import { updateSwipe } from "./swipe.js";
import { bindToolbar, say, updateToolbar } from "./toolbar.js";
import { frames, redraw, removeStage } from "./view.js";

/** Takes a new value from the page. Same photo: zoom, mode, cross-hair and hidden classes stay as they are. */
function update() {
  const value = props.value?.photo?.src ? props.value : null;
  state.value = value;
  if (value) speak(value.strings, value.locale);
  find(".empty").hidden = Boolean(value);
  find(".body").hidden = !value;
  if (!value) {
    put(find(".empty"), text("empty"));
    state.photo = null;
    return;
  }
  const arrived = performance.now();
  takePhoto(value.photo);
  takePanels(value);
  showAsLinked();
  updateToolbar();
  updateCards();
  updateSwipe();
  updateLegend();
  layOut();
  showNotes(".warnings", value.warnings);
  showNotes(".notes", value.notes);
  comeIntoView(value);
  showReadings();
  for (const panel of state.panels) loadPanel(panel, arrived);
  layersChanged();
}

/** On a phone, shows the masks when a comparison starts that is not the page's first. */
function comeIntoView({ panels, comes_into_view: wanted }) {
  const busy = panels.some(({ status }) => status === "waiting" || status === "running");
  const starts = busy && !work.busy && work.seen;
  Object.assign(work, { busy, seen: true });
  if (wanted && starts) showOnPhone();
}

/** Also when everything is known already, and no comparison is seen to start. */
function followCompare(event) {
  if (!element.isConnected) return document.removeEventListener("click", followCompare);
  const asked = event.target instanceof Element && event.target.closest("#go");
  return asked && state.value?.comes_into_view ? showOnPhone() : undefined;
}

function showOnPhone() {
  if (!matchMedia("(max-width: 768px)").matches) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

const work = { busy: false, seen: false };

/** Shows another photo from the beginning: whole, without cross-hair, all classes. */
function takePhoto({ src, width, height }) {
  if (state.photo && state.photo.src === src && state.photo.width === width && state.photo.height === height) return;
  const photo = { src, width, height, image: null };
  Object.assign(state, {
    photo,
    pinned: null,
    referenceChosen: false,
    cross: null,
    hidden: new Set(),
    view: { zoom: 1, x: width / 2, y: height / 2 },
  });
  records.clear();
  for (const card of cards.values()) {
    removeStage(card.stage);
    card.element.remove();
  }
  cards.clear();
  const image = new Image();
  image.src = src;
  image
    .decode()
    .then(() => createImageBitmap(image))
    .then((bitmap) => {
      photo.image = bitmap;
      redraw();
    })
    .catch(() => state.photo === photo && say(text("bad_photo")));
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
function afterFrame() {
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

function showNotes(place, notes) {
  const list = Array.isArray(notes) ? notes : [];
  find(place).hidden = !list.length;
  find(place).replaceChildren(...list.map((note) => h("li", {}, [String(note)])));
}

frames.after = afterFrame;
bindToolbar();
listenToKeys();
keepLink();
offerPicture();
watchPageScroll();
new ResizeObserver(layOut).observe(element);
window.addEventListener("resize", layOut);
document.addEventListener("click", followCompare);
document.addEventListener("fullscreenchange", layOut);
watch("value", update);
update();
