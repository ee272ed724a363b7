// Stages (a canvas with its cross-hair) and the one linked view: pan, zoom, cross-hair, frames.

import { h } from "../../base/dom.js";
import { showReadings } from "./cards.js";
import { layerOf, layersChanged } from "./layers.js";
import { panelInSight } from "./panels.js";
import { listenToPointer } from "./pointer.js";
import { state } from "./state.js";
import { showZoom } from "./toolbar.js";

const stages = new Set();
const MAX_PIXEL = 48; // CSS pixels that one image pixel may fill
const VEIL = 0.75; // how dark the photo gets behind lines and marks at full opacity
let frameWanted = false;
export const frames = { after: () => {} }; // what is done once a frame is on the canvas

/** A canvas that shows panels linked to all others. `draw(context, stage)` paints it in image coordinates. */
export function makeStage(draw) {
  const canvas = h("canvas", { class: "picture", tabindex: 0 });
  canvas.setAttribute("role", "img");
  const cross = h("div", { class: "cross", hidden: true }, [
    h("i", { class: "cross-row" }),
    h("i", { class: "cross-column" }),
    h("i", { class: "cross-pixel" }),
  ]);
  const box = h("div", { class: "stage" }, [canvas, cross]);
  const stage = { canvas, box, cross, draw, width: 0, height: 0, ratio: 1, context: canvas.getContext("2d") };
  stages.add(stage);
  stage.observer = new ResizeObserver(() => measureStage(stage));
  stage.observer.observe(box);
  listenToPointer(stage);
  return stage;
}

export function removeStage(stage) {
  stage.observer.disconnect();
  stages.delete(stage);
}

function measureStage(stage) {
  const { width, height } = stage.box.getBoundingClientRect();
  const ratio = Math.min(window.devicePixelRatio || 1, 2); // beyond two, frames cost more than eyes see
  if (!width || (width === stage.width && height === stage.height && ratio === stage.ratio)) return;
  Object.assign(stage, { width, height, ratio });
  stage.canvas.width = Math.round(width * ratio);
  stage.canvas.height = Math.round(height * ratio);
  layersChanged();
}

/** CSS pixels per image pixel at zoom 1. */
export function fitOf(stage) {
  return state.photo ? Math.min(stage.width / state.photo.width, stage.height / state.photo.height) : 1;
}

export const visibleStages = () => [...stages].filter((stage) => stage.width && stage.box.offsetParent);

/** Device pixels per image pixel of the smallest stage. */
export function smallestScale() {
  return Math.min(...visibleStages().map((stage) => fitOf(stage) * stage.ratio * state.view.zoom));
}

/** Where the photo lies in the stage: {scale, left, top} in CSS pixels. */
export function placement(stage) {
  const { width, height } = state.photo;
  const scale = fitOf(stage) * state.view.zoom;
  const x = clampCentre(state.view.x, width, stage.width / scale);
  const y = clampCentre(state.view.y, height, stage.height / scale);
  return { scale, left: stage.width / 2 - x * scale, top: stage.height / 2 - y * scale };
}

/** Keeps the photo's edges outside the stage's, or the photo in the middle when it is smaller than the stage. */
function clampCentre(centre, size, seen) {
  return seen >= size ? size / 2 : Math.min(Math.max(centre, seen / 2), size - seen / 2);
}

export function maxZoom(stage) {
  return Math.max(1, MAX_PIXEL / fitOf(stage));
}

/** Image pixel under a point of the stage, null outside the photo. */
export function pixelAt(stage, left, top) {
  const place = placement(stage);
  const x = Math.floor((left - place.left) / place.scale);
  const y = Math.floor((top - place.top) / place.scale);
  return x >= 0 && y >= 0 && x < state.photo.width && y < state.photo.height ? { x, y } : null;
}

/** Zooms by `factor` and keeps the image point under (left, top) where it is; the middle when not given. */
export function zoomBy(stage, factor, left = stage.width / 2, top = stage.height / 2) {
  const before = placement(stage);
  const x = (left - before.left) / before.scale;
  const y = (top - before.top) / before.scale;
  const zoom = Math.min(Math.max(state.view.zoom * factor, 1), maxZoom(stage));
  const scale = fitOf(stage) * zoom;
  state.view = { zoom, x: x - (left - stage.width / 2) / scale, y: y - (top - stage.height / 2) / scale };
  viewChanged(stage);
}

/** Moves the photo by a distance in CSS pixels. */
export function panBy(stage, right, down) {
  const { scale } = placement(stage);
  state.view = { zoom: state.view.zoom, x: state.view.x - right / scale, y: state.view.y - down / scale };
  viewChanged(stage);
}

export function fitView() {
  if (!state.photo) return;
  state.view = { zoom: 1, x: state.photo.width / 2, y: state.photo.height / 2 };
  viewChanged(null);
}

function viewChanged(stage) {
  if (stage) {
    const { width, height } = state.photo;
    const scale = fitOf(stage) * state.view.zoom;
    state.view.x = clampCentre(state.view.x, width, stage.width / scale);
    state.view.y = clampCentre(state.view.y, height, stage.height / scale);
  }
  if (state.mode === "contours") layersChanged();
  showZoom();
  redraw();
}

/** Asks for one frame; many changes within a frame cost one drawing. */
export function redraw() {
  if (frameWanted) return;
  frameWanted = true;
  requestAnimationFrame(() => {
    frameWanted = false;
    drawFrame();
  });
}

function drawFrame() {
  if (!state.photo) return;
  for (const stage of visibleStages()) {
    const { context, canvas, ratio } = stage;
    const { scale, left, top } = placement(stage);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.setTransform(scale * ratio, 0, 0, scale * ratio, Math.round(left * ratio), Math.round(top * ratio));
    stage.draw(context, stage);
    placeCross(stage, scale, left, top);
  }
  frames.after();
}

/** Photo and layer of one panel, in image coordinates. */
export function drawPanel(context, own) {
  const panel = panelInSight(own);
  const { image, width, height } = state.photo;
  const scale = context.getTransform().a;
  if (state.mode !== "mask" || !panel.ids) {
    context.imageSmoothingEnabled = scale < 3; // larger than that, the photo's pixels show as the mask's do
    if (image) context.drawImage(image, 0, 0, width, height);
  }
  if (!panel.ids) return;
  const layer = layerOf(panel);
  const lines = state.mode === "contours" || (state.mode === "difference" && panel.differing !== null);
  if (lines) {
    context.fillStyle = `rgba(12, 14, 20, ${state.opacity * VEIL})`;
    context.fillRect(0, 0, width, height);
  }
  // Masks are never blurred when enlarged; made smaller, all but the mask mode (exact colours) are averaged.
  context.imageSmoothingEnabled = scale < 1 && state.mode !== "mask";
  context.globalAlpha = lines || state.mode === "mask" ? 1 : state.opacity;
  context.drawImage(layer, 0, 0);
  context.globalAlpha = 1;
}

/** Puts the cross-hair of one stage at state.cross. Elements, not canvas pixels: moving it redraws nothing. */
function placeCross(stage, scale, left, top) {
  const { cross } = state;
  stage.cross.hidden = !cross;
  if (!cross) return;
  stage.cross.classList.toggle("pinned", cross.pinned);
  const x = left + cross.x * scale;
  const y = top + cross.y * scale;
  const [row, column, pixel] = stage.cross.children;
  row.style.transform = `translateY(${y + scale / 2}px)`;
  column.style.transform = `translateX(${x + scale / 2}px)`;
  pixel.hidden = scale < 4;
  pixel.style.transform = `translate(${x}px, ${y}px)`;
  pixel.style.width = pixel.style.height = `${scale}px`;
}

/** Moves the linked cross-hair to an image pixel, or clears it with null. */
export function setCross(pixel, pinned = false) {
  state.cross = pixel && { ...pixel, pinned };
  for (const stage of visibleStages()) {
    const { scale, left, top } = placement(stage);
    placeCross(stage, scale, left, top);
  }
  showReadings();
}
