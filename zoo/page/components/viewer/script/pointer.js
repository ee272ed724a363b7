// Mouse, pen and touch on a stage: drag, pinch and wheel move the linked view, hovering and tapping the cross-hair.

import { state } from "./state.js";
import { fitOf, fitView, maxZoom, panBy, pixelAt, setCross, zoomBy } from "./view.js";

const DRAG_DISTANCE = 4; // CSS pixels before a press becomes a drag
let lastPageScroll = 0;

export function listenToPointer(stage) {
  const { canvas } = stage;
  stage.pointers = new Map();
  canvas.addEventListener("pointerdown", (event) => pointerDown(stage, event));
  canvas.addEventListener("pointermove", (event) => pointerMove(stage, event));
  canvas.addEventListener("pointerup", (event) => pointerUp(stage, event));
  canvas.addEventListener("pointercancel", (event) => stage.pointers.delete(event.pointerId));
  canvas.addEventListener("pointerleave", () => state.cross && !state.cross.pinned && setCross(null));
  canvas.addEventListener("wheel", (event) => wheel(stage, event), { passive: false });
  canvas.addEventListener("dblclick", (event) => jump(stage, place(stage, event)));
}

/** Remembers when the page scrolled, so that a photo rolling under the pointer does not catch the wheel. */
export function watchPageScroll() {
  const noteScroll = () => {
    if (!element.isConnected) document.removeEventListener("scroll", noteScroll, true);
    lastPageScroll = performance.now();
  };
  document.addEventListener("scroll", noteScroll, { capture: true, passive: true });
}

export function place(stage, event) {
  const box = stage.canvas.getBoundingClientRect();
  return { left: event.clientX - box.left, top: event.clientY - box.top };
}

function pointerDown(stage, event) {
  if (!state.photo || (event.pointerType === "mouse" && event.button !== 0)) return;
  stage.canvas.setPointerCapture(event.pointerId);
  if (!stage.pointers.size) stage.moved = false;
  stage.pointers.set(event.pointerId, { ...place(stage, event), start: place(stage, event) });
}

function pointerMove(stage, event) {
  if (!state.photo) return;
  const at = place(stage, event);
  const pressed = stage.pointers.get(event.pointerId);
  if (!pressed) {
    if (event.pointerType !== "touch" && !state.cross?.pinned) setCross(pixelAt(stage, at.left, at.top));
    return;
  }
  if (stage.pointers.size === 2) pinch(stage, event.pointerId, at);
  else drag(stage, pressed, at);
  Object.assign(pressed, at);
}

function drag(stage, pressed, at) {
  const distance = Math.hypot(at.left - pressed.start.left, at.top - pressed.start.top);
  if (!stage.moved && distance < DRAG_DISTANCE) return;
  stage.moved = true;
  stage.canvas.classList.add("dragging");
  panBy(stage, at.left - pressed.left, at.top - pressed.top);
}

/** Two fingers: the picture follows their middle and their distance. */
function pinch(stage, movedId, at) {
  stage.moved = true;
  const before = [...stage.pointers.values()];
  const after = [...stage.pointers].map(([id, pointer]) => (id === movedId ? at : pointer));
  /** @param {any[]} two */
  const middle = ([a, b]) => ({ left: (a.left + b.left) / 2, top: (a.top + b.top) / 2 });
  /** @param {any[]} two */
  const spread = ([a, b]) => Math.max(1, Math.hypot(a.left - b.left, a.top - b.top));
  const [from, to] = [middle(before), middle(after)];
  panBy(stage, to.left - from.left, to.top - from.top);
  zoomBy(stage, spread(after) / spread(before), to.left, to.top);
}

function pointerUp(stage, event) {
  const pressed = stage.pointers.get(event.pointerId);
  stage.pointers.delete(event.pointerId);
  stage.canvas.classList.remove("dragging");
  if (!pressed || stage.moved) return;
  const pixel = pixelAt(stage, pressed.left, pressed.top);
  const release = event.pointerType !== "touch" && state.cross && state.cross.pinned;
  setCross(pixel, Boolean(pixel) && !release);
}

function wheel(stage, event) {
  if (!state.photo) return;
  const scrolling = performance.now() - lastPageScroll < 250;
  const pinching = event.ctrlKey; // how browsers report a trackpad pinch
  const leaving = state.view.zoom === 1 && event.deltaY > 0; // zoomed out already: let the page scroll
  if (!pinching && (scrolling || leaving)) return;
  event.preventDefault();
  const { left, top } = place(stage, event);
  const distance = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
  zoomBy(stage, Math.exp(-distance * (pinching ? 0.01 : 0.002)), left, top);
}

/** Double click: close enough to see single pixels, or back to the whole photo. */
function jump(stage, { left, top }) {
  if (!state.photo) return;
  const target = Math.min(12 / fitOf(stage), maxZoom(stage));
  if (state.view.zoom > 1) fitView();
  else zoomBy(stage, target, left, top);
}
