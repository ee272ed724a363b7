// Swipe: two panels over each other in one large stage with a divider between them.

import { h } from "../../base/dom.js";
import { text } from "../../base/texts.js";
import { showReading } from "./cards.js";
import { find, panelTitle, reading, state } from "./state.js";
import { drawPanel, makeStage, redraw } from "./view.js";

let swipeCard = null;

function makeSwipeCard() {
  const stage = makeStage(drawSwipe);
  const handle = h("div", { class: "divider", tabindex: 0 }, [h("i")]);
  handle.setAttribute("role", "slider");
  handle.setAttribute("aria-valuemin", "0");
  handle.setAttribute("aria-valuemax", "100");
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = stage.box.getBoundingClientRect();
    moveDivider((event.clientX - box.left) / box.width);
  });
  stage.box.append(handle);
  const sides = { left: makeSide("left"), right: makeSide("right") };
  const head = h("figcaption", {}, [sides.left.select, sides.right.select]);
  const foot = h("div", { class: "foot" }, [sides.left.line, sides.right.line]);
  const figure = h("figure", { class: "card swiping" }, [head, stage.box, foot]);
  return { element: figure, stage, handle, sides };
}

function makeSide(side) {
  const select = h("select", {});
  select.addEventListener("change", () => {
    state.swipe[side] = select.value;
    updateSwipe();
    redraw();
  });
  const swatch = h("canvas", { class: "swatch", hidden: true });
  swatch.setAttribute("aria-hidden", "true");
  const line = h("span", { class: "side" }, [swatch, h("span", { class: "reading" })]);
  return { select, swatch, line, reading: line.lastChild };
}

const panelOf = (key) => state.panels.find((panel) => panel.key === key);

/** Turns swipe on or off; needs two panels. */
export function setSwipe(on) {
  state.swipe.on = on && state.panels.length > 1;
  updateSwipe();
  redraw();
  if (state.swipe.on) swipeCard.handle.focus();
}

export function updateSwipe() {
  const { swipe, panels } = state;
  if (panels.length < 2) swipe.on = false;
  find(".body").classList.toggle("swipe-on", swipe.on);
  const button = find("[data-action=swipe]");
  button.setAttribute("aria-pressed", String(swipe.on));
  button.disabled = panels.length < 2;
  if (!swipe.on) {
    if (swipeCard) swipeCard.element.remove();
    return;
  }
  if (!panelOf(swipe.left)) swipe.left = panels[0].key;
  if (!panelOf(swipe.right) || swipe.right === swipe.left) {
    swipe.right = [...panels].reverse().find((panel) => panel.key !== swipe.left).key;
  }
  if (!swipeCard) swipeCard = makeSwipeCard();
  if (!swipeCard.element.isConnected) find(".grid").before(swipeCard.element);
  swipeCard.element.style.setProperty("--ratio", find(".grid").style.getPropertyValue("--ratio"));
  for (const side of ["left", "right"]) fillSide(side);
  swipeCard.handle.setAttribute("aria-label", text("swipe_divider"));
  moveDivider(swipe.at);
}

function fillSide(side) {
  const { select } = swipeCard.sides[side];
  const options = state.panels.map((panel) => new Option(panelTitle(panel), panel.key));
  select.replaceChildren(...options);
  select.value = state.swipe[side];
  select.setAttribute("aria-label", text(`swipe_${side}`));
}

export function moveDivider(at) {
  state.swipe.at = Math.min(Math.max(at, 0), 1);
  if (!swipeCard) return;
  const value = Math.round(state.swipe.at * 100);
  swipeCard.handle.style.left = `${state.swipe.at * 100}%`;
  swipeCard.handle.setAttribute("aria-valuenow", String(value));
  redraw();
}

function drawSwipe(context, stage) {
  const { swipe } = state;
  const border = swipe.at * stage.canvas.width;
  const parts = [
    [swipe.left, 0, border],
    [swipe.right, border, stage.canvas.width],
  ];
  for (const [key, from, to] of parts) {
    const panel = panelOf(key);
    if (!panel) continue;
    context.save();
    const placed = context.getTransform();
    context.resetTransform();
    context.beginPath();
    context.rect(from, 0, to - from, stage.canvas.height);
    context.clip();
    context.setTransform(placed);
    drawPanel(context, panel);
    context.restore();
  }
  const names = [swipe.left, swipe.right]
    .map((key) => panelOf(key))
    .filter(Boolean)
    .map(panelTitle);
  stage.canvas.setAttribute("aria-label", `${text("swipe")}: ${names.join(" | ")}`);
}

export function showSwipeReadings() {
  if (!state.swipe.on || !swipeCard) return;
  for (const side of ["left", "right"]) {
    const panel = panelOf(state.swipe[side]);
    const found = panel && state.cross && reading(panel, state.cross.x, state.cross.y);
    showReading(swipeCard.sides[side], found, panel ? String(panel.data.subtitle || "") : "");
  }
}
