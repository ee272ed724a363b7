// Take the value in, draw everything, follow changes.

import { speak } from "../../base/texts.js";
import { board, keepFocus, NO_FACTS } from "./board.js";
import { drawCaveats } from "./caveats.js";
import { drawCanvas } from "./charts.js";
import { drawDrill } from "./drill.js";
import { drawGroups } from "./groups.js";
import { drawPairs } from "./pairs.js";
import { drawPlots } from "./plots.js";
import { drawPublished } from "./published.js";
import { keyedRows, readAddress } from "./state.js";
import { drawTable } from "./table.js";
import { drawFilters, drawToolbar } from "./toolbar.js";

/** Take over the component's value: {rows, pairs, splits, published, strings, locale}; every part may be missing. */
function takeValue(value) {
  board.rows = keyedRows(value?.rows ?? []);
  board.pairs = value?.pairs ?? {};
  board.splits = value?.splits ?? {};
  board.published = value?.published ?? [];
  board.facts = { ...NO_FACTS, ...value?.facts };
  speak(value?.strings, value?.locale);
  board.drawnPlots = null;
}

/** Draw what depends on the state; the toolbar's search field is left alone so that typing is not disturbed. */
function drawAll() {
  drawGroups();
  drawFilters();
  drawCaveats();
  drawTable();
  drawPairs();
  drawPlots();
  drawDrill();
  board.root.querySelectorAll(".canvas").forEach(drawCanvas); // at once, so that the page does not jump
}

export function start() {
  Object.assign(board, { root: element, redraw: drawAll });
  if (props.value === null || typeof props.value !== "object") return; // the app has not sent the results yet
  takeValue(props.value);
  board.state ??= readAddress();
  keepFocus(drawEverything);
}

function drawEverything() {
  drawToolbar();
  drawAll();
  drawPublished();
}

/** The address has changed: by a step in the browser's history, or by a link to a row. */
function moved() {
  if (!element.isConnected) return window.removeEventListener("popstate", moved);
  if (!board.state) return undefined;
  board.state = readAddress();
  return keepFocus(drawEverything);
}

start();
watch("value", start);
window.addEventListener("popstate", moved);
element.addEventListener("address-changed", moved);
