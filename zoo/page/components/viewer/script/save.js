// The view as a picture for slides: every panel as it is on screen under its title, and the legend.

import { isNumber, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { cards } from "./cards.js";
import { FALSE_NEGATIVE, FALSE_POSITIVE, HEAT, MARK, paintSwatch } from "./layers.js";
import { panelShares, panelTitle, state } from "./state.js";
import { say, shownMarks } from "./toolbar.js";
import { visibleStages } from "./view.js";

const WIDTH = 1920; // pixels of the picture, as a slide has them
const MARGIN = 24;
const LINE = 40; // height of a line of text
const FONT = "24px system-ui, sans-serif";
const SWATCH = 26;
const SCALE = 140; // width of a scale of colours
const MARK_COLOURS = { false_positive: FALSE_POSITIVE, false_negative: FALSE_NEGATIVE };
const HEADING = "600 26px system-ui, sans-serif";

/** Titles and canvases on screen, in rows as they stand there: [[{title, score, canvas}]]. */
function rowsOnScreen() {
  const rows = [];
  let last = null;
  for (const stage of visibleStages().sort(byPlace)) {
    const card = [...cards.values()].find((one) => one.stage === stage);
    const title = card ? panelTitle(card.panel) : swipeTitle();
    const miou = card?.panel.data.miou;
    const { top } = stage.box.getBoundingClientRect();
    if (last === null || Math.abs(top - last) > 8) rows.push([]);
    last = top;
    rows.at(-1).push({ title, score: isNumber(miou) ? `mIoU ${percentage(miou)}` : "", canvas: stage.canvas });
  }
  return rows;
}

function byPlace(a, b) {
  const [first, second] = [a, b].map((stage) => stage.box.getBoundingClientRect());
  return Math.abs(first.top - second.top) > 8 ? first.top - second.top : first.left - second.left;
}

function swipeTitle() {
  const titleOf = (key) => state.panels.filter((panel) => panel.key === key).map(panelTitle)[0] || "";
  return `${titleOf(state.swipe.left)} | ${titleOf(state.swipe.right)}`;
}

/** The classes that are found and not hidden. */
function shownClasses() {
  const shares = state.panels.map((panel) => panelShares(panel));
  return state.classes.filter(({ name, index }) => !state.hidden.has(name) && shares.some((own) => own[index] > 0));
}

function classEntry(entry) {
  const paint = (context, x, y) => {
    const swatch = document.createElement("canvas");
    paintSwatch(swatch, entry);
    context.drawImage(swatch, x, y, SWATCH, SWATCH);
  };
  return { title: entry.title || entry.name, width: SWATCH, paint };
}

function markEntry(key) {
  const paint = (context, x, y) => {
    context.fillStyle = `rgb(${(MARK_COLOURS[key] || MARK).join(" ")})`;
    context.fillRect(x, y, SWATCH, SWATCH);
  };
  return { title: text(key), width: SWATCH, paint };
}

function confidenceEntry() {
  const paint = (context, x, y) => {
    const scale = context.createLinearGradient(x, 0, x + SCALE, 0);
    for (const [index, colour] of HEAT.entries()) scale.addColorStop(index / (HEAT.length - 1), colour);
    context.fillStyle = scale;
    context.fillRect(x, y, SCALE, SWATCH);
  };
  return { title: `${text("uncertain")} – ${text("certain")}`, width: SCALE, paint };
}

/** What the colours of the picture mean, [{title, width, paint}]: those of the mode, then classes where they are seen. */
function legendEntries() {
  if (state.mode === "confidence") return [confidenceEntry()];
  return [...shownMarks().map(markEntry), ...shownClasses().map(classEntry)];
}

/** Places each entry of the legend: [{entry, x, line}], for text as wide as `measure` says. */
function placeLegend(entries, measure) {
  let [x, line] = [MARGIN, 0];
  return entries.map((entry) => {
    const width = entry.width + 10 + measure(entry.title) + MARGIN;
    if (x + width > WIDTH && x > MARGIN) [x, line] = [MARGIN, line + 1];
    const placed = { entry, x, line };
    x += width;
    return placed;
  });
}

function fitted(context, words, width) {
  if (context.measureText(words).width <= width) return words;
  let short = words;
  while (short && context.measureText(`${short}…`).width > width) short = short.slice(0, -1);
  return `${short}…`;
}

function drawRow(context, row, columns, top) {
  const width = (WIDTH - MARGIN * (columns + 1)) / columns;
  const height = Math.max(...row.map(({ canvas }) => (width * canvas.height) / canvas.width));
  row.forEach(({ title, score, canvas }, column) => {
    const left = MARGIN + column * (width + MARGIN);
    context.font = FONT;
    const taken = score ? context.measureText(score).width + MARGIN : 0;
    context.fillStyle = "#51607a";
    if (score) context.fillText(score, left + width - taken + MARGIN, top + 28);
    context.font = HEADING;
    context.fillStyle = "#0f172a";
    context.fillText(fitted(context, title, width - taken), left, top + 28);
    context.drawImage(canvas, left, top + LINE, width, (width * canvas.height) / canvas.width);
  });
  return top + LINE + height + MARGIN;
}

function drawLegend(context, placed, top) {
  context.font = FONT;
  for (const { entry, x, line } of placed) {
    context.imageSmoothingEnabled = false;
    entry.paint(context, x, top + line * LINE + 6);
    context.fillStyle = "#0f172a";
    context.fillText(entry.title, x + entry.width + 10, top + line * LINE + 28);
  }
}

/** A canvas with everything on it. */
export function picture() {
  const rows = rowsOnScreen();
  const columns = Math.max(...rows.map((row) => row.length));
  const width = (WIDTH - MARGIN * (columns + 1)) / columns;
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.font = FONT;
  const placed = placeLegend(legendEntries(), (words) => context.measureText(words).width);
  const tall = ({ canvas: own }) => (width * own.height) / own.width;
  const pictures = rows.map((row) => LINE + Math.max(...row.map(tall)) + MARGIN).reduce((sum, part) => sum + part, 0);
  const legend = placed.length ? (placed.at(-1).line + 1) * LINE + MARGIN : 0;
  Object.assign(canvas, { width: WIDTH, height: Math.ceil(MARGIN + pictures + legend) });
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  let top = MARGIN;
  for (const row of rows) top = drawRow(context, row, columns, top);
  drawLegend(context, placed, top);
  return canvas;
}

function save() {
  if (!state.photo || !visibleStages().length) return;
  picture().toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `fcn-${state.value.photo.name || "view"}-${state.mode}.png`;
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say(text("view_saved"));
  });
}

/** Saves the picture when the page asks for it with an event "save-view". */
export function offerPicture() {
  element.addEventListener("save-view", save);
}
