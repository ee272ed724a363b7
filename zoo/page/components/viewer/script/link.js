// The view in the page's address: mode, zoom, cross-hair, hidden classes and what differences are taken to. A link shows
// them again; only the page's own viewer writes there, not that of the network's inside.

import { rewriteAddress } from "../../base/address.js";
import { state } from "./state.js";

const PREFIX = "view_";
const MODES = ["overlay", "mask", "contours", "confidence", "difference"];
const PAUSE = 500; // milliseconds between looks at the view: browsers refuse an address that changes all the time
const link = { taken: false };

const isLinked = () => Boolean(state.value?.leaderboard_links);
const numbers = (text) => (text || "").split(",").map(Number);

/** What a link says of the view, by name; defaults are left out. */
function written() {
  const { view, cross, hidden, mode, reference, photo } = state;
  return {
    mode: mode === "overlay" ? "" : mode,
    zoom: view.zoom > 1 ? [view.zoom.toFixed(2), Math.round(view.x), Math.round(view.y)].join(",") : "",
    cross: cross?.pinned && photo ? `${cross.x},${cross.y}` : "",
    hidden: [...hidden].join(","),
    reference: mode === "difference" ? reference : "",
  };
}

/** Brings the address in line with the view. */
function write() {
  if (!state.photo || !link.taken || document.hidden) return;
  rewriteAddress((parameters) => {
    for (const [name, text] of Object.entries(written())) {
      if (text) parameters.set(PREFIX + name, text);
      else parameters.delete(PREFIX + name);
    }
  });
}

/** Shows the first comparison as the address says; what does not fit it is left out. */
export function showAsLinked() {
  if (link.taken || !isLinked()) return;
  link.taken = true;
  const parameters = new URL(window.location.href).searchParams;
  const given = (name) => parameters.get(PREFIX + name) || "";
  const { width, height } = state.photo;
  if (MODES.includes(given("mode"))) state.mode = given("mode");
  const [zoom, x, y] = numbers(given("zoom"));
  if (zoom > 1 && x >= 0 && x <= width && y >= 0 && y <= height) state.view = { zoom: Math.min(zoom, 100), x, y };
  const [column, row] = numbers(given("cross"));
  const inside = Number.isInteger(column) && Number.isInteger(row) && column >= 0 && row >= 0;
  if (given("cross") && inside && column < width && row < height) state.cross = { x: column, y: row, pinned: true };
  const names = new Set(given("hidden").split(","));
  state.hidden = new Set(state.classes.map(({ name }) => name).filter((name) => names.has(name)));
  if (given("reference")) Object.assign(state, { reference: given("reference"), referenceChosen: true });
}

/** Keeps the address in line with the view from now on. */
export function keepLink() {
  const timer = window.setInterval(() => {
    if (!element.isConnected) window.clearInterval(timer);
    else if (isLinked()) write();
  }, PAUSE);
}
