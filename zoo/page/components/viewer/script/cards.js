// One card per panel: heading with name, mIoU and milliseconds, the stage, and a line for the read-out.
// Every string of the value enters the page through textContent or an attribute, never as HTML.

import { h, put } from "../../base/dom.js";
import { looks } from "../../base/looks.js";
import { isInterval, isNumber, margin, percentage } from "../../base/numbers.js";
import { hasText, text } from "../../base/texts.js";
import { paintSwatch } from "./layers.js";
import { layOut } from "./layout.js";
import { markChips } from "./legend.js";
import { makeMenu, nameMenu, panelInSight } from "./panels.js";
import { drawnCheckpoints, duration, find, panelShares, panelTitle, reading, state } from "./state.js";
import { showSwipeReadings } from "./swipe.js";
import { drawPanel, makeStage, removeStage } from "./view.js";

export const cards = new Map(); // panel key -> card

function makeCard(panel) {
  const stage = makeStage((context) => drawPanel(context, panel));
  const parts = {
    title: h("span", { class: "title" }),
    score: h("span", { class: "score" }),
    speed: h("span", { class: "speed" }),
    message: h("p", { class: "message" }),
    swatch: h("canvas", { class: "swatch", hidden: true }),
    reading: h("span", { class: "reading" }),
    differing: h("span", { class: "differing" }),
  };
  parts.swatch.setAttribute("aria-hidden", "true");
  stage.box.append(parts.message);
  const menu = makeMenu(panel.key);
  const head = h("figcaption", {}, [parts.title, parts.score, parts.speed, menu]);
  const foot = h("div", { class: "foot" }, [parts.swatch, parts.reading, parts.differing]);
  const element = h("figure", { class: "card" }, [head, stage.box, foot]);
  return { element, stage, panel, menu, ...parts };
}

/** Brings the cards in line with state.panels: order, additions, removals, texts. */
export function updateCards() {
  const grid = find(".grid");
  for (const [key, card] of cards) {
    if (state.panels.includes(card.panel)) continue;
    removeStage(card.stage);
    card.element.remove();
    cards.delete(key);
  }
  state.panels.forEach((panel, i) => {
    if (!cards.has(panel.key)) cards.set(panel.key, makeCard(panel));
    const { element } = cards.get(panel.key);
    if (grid.children[i] !== element) grid.insertBefore(element, grid.children[i] || null);
    updateCard(cards.get(panel.key));
  });
  layOut();
}

export function updateCard(card) {
  const { panel } = card;
  const { title, name, status } = panel.data;
  put(card.title, panelTitle(panelInSight(panel)));
  card.title.title = String(name || title);
  card.element.classList.toggle("pinned", state.pinned === panel.key);
  nameMenu(card.menu, panel);
  showScore(card);
  put(card.speed, isNumber(panel.data.milliseconds) ? duration(panel.data.milliseconds) : "");
  const shown = panel.error ? "failed" : status === "done" && !panel.ids ? "running" : status;
  card.element.dataset.status = shown;
  card.stage.box.setAttribute("aria-busy", String(shown === "running"));
  put(card.message, statusMessage(panel, shown));
  card.stage.canvas.setAttribute("aria-label", describe(panel));
  pulse(card, shown === "running");
}

function statusMessage(panel, shown) {
  if (shown === "done") return missingPart(panel);
  if (shown === "failed") return text("failed"); // the reason may be long: it stands below the picture
  const detail = String(panel.data.message || "");
  const label = panel.data.status === "done" ? text("loading") : text(hasText(shown) ? shown : "waiting");
  return detail ? `${label}: ${detail}` : label;
}

/** Why the current mode has nothing to show for a finished panel, "" when it has. */
function missingPart(panel) {
  if (state.mode === "confidence" && !panel.confidence) return panel.confidenceError || text("no_confidence");
  const alone = state.mode === "difference" && state.reference === "panels" && drawnCheckpoints().length < 2;
  return alone && !panel.data.isTruth ? text("nothing_to_compare") : "";
}

/** mIoU with its interval; a button that the page can answer when value.leaderboard_links is set. */
function showScore(card) {
  const { miou, miou_interval: interval, name } = card.panel.data;
  card.score.replaceChildren();
  if (!isNumber(miou)) return;
  const link = Boolean(state.value.leaderboard_links);
  const holder = h(link ? "button" : "span", { class: "miou", type: link ? "button" : null }, [
    `mIoU ${percentage(miou)}`,
  ]);
  if (isInterval(interval)) {
    const [low, high] = interval.map((end) => percentage(end));
    holder.append(h("small", {}, ` ${margin(interval)}`));
    holder.title = text("interval", { low, high });
  }
  if (link) {
    holder.setAttribute("aria-label", `${holder.textContent}. ${text("leaderboard", { name })}`);
    holder.addEventListener("click", () => trigger("leaderboard", { name }));
  }
  card.score.append(holder);
}

/** What a screen reader says about a picture: its name and the three largest classes. */
function describe(panel) {
  const shares = panelShares(panel);
  const largest = state.classes
    .filter(({ index }) => shares[index] > 0)
    .sort((a, b) => shares[b.index] - shares[a.index])
    .slice(0, 3)
    .map(({ title, index }) => `${title} ${percentage(shares[index])}`);
  return [String(panel.data.title || panel.data.name), largest.join(", ")].filter(Boolean).join(": ");
}

/** A quiet sign of work on running cards. Animated here, as a scoped style sheet cannot hold @keyframes. */
function pulse(card, running) {
  if (!running || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    if (card.animation) card.animation.cancel();
    card.animation = null;
  } else if (!card.animation) {
    const steps = [{ opacity: 1 }, { opacity: 0.45 }, { opacity: 1 }];
    card.animation = card.message.animate(steps, { duration: 1600, iterations: Infinity });
  }
}

/** The line under each picture: what the panel says under the cross-hair, else what the panel is. */
export function showReadings() {
  for (const card of cards.values()) {
    const { panel } = card;
    const found = state.cross && reading(panel, state.cross.x, state.cross.y);
    showReading(card, found, captionOf(panel));
    const share = state.mode === "difference" && panel.ids ? panel.differing : null;
    const key = state.reference === "truth" ? "wrong" : "differs";
    put(card.differing, isNumber(share) ? text(key, { share: percentage(share) }) : "");
  }
  showSwipeReadings();
  showPosition();
  markChips();
}

/** What stands below a picture without a cross-hair: why it failed, or what the checkpoint is. */
function captionOf(panel) {
  const failure = panel.error || (panel.data.status === "failed" && panel.data.message);
  return String(failure || panel.data.subtitle || "");
}

export function showReading(parts, found, otherwise) {
  parts.swatch.hidden = !found || found.index < 0;
  parts.reading.classList.toggle("found", Boolean(found));
  if (!found) return put(parts.reading, otherwise);
  const certainty = found.confidence === null ? "" : ` ${percentage(found.confidence)}`;
  put(parts.reading, found.title + certainty);
  if (found.index < 0) return undefined;
  const key = `${found.index} ${JSON.stringify(looks())}`;
  if (parts.swatchKey !== key) paintSwatch(parts.swatch, state.classes[found.index]);
  parts.swatchKey = key;
  return undefined;
}

function showPosition() {
  const { cross } = state;
  if (!cross) return put(find(".position"), "");
  const parts = [text("position", { x: cross.x, y: cross.y }), cross.pinned ? text("pinned") : ""];
  return put(find(".position"), parts.filter(Boolean).join(" · "));
}
