// A video: each checkpoint's overlay, all played together, and a row per checkpoint of how often its labels change.
// value: columns have preview, overlay (address), problem, changed, returned, shares too, and there are seconds, rate,
//         disagreement, notes

import { h } from "../../base/dom.js";
import { decimal, isNumber, percentage } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { drawShares } from "./shares.js";

/** The colour of a class in the overlays, which are painted before anyone chooses others. */
export const ownColour = ({ color }) => color;

const NEAR = 0.1; // seconds by which two videos may differ
const led = new WeakSet(); // videos on their way to another's time, which has gone on when they arrive: it follows none

/** Lets the other videos do what one of them does. */
function follow(leader, videos) {
  for (const other of videos) {
    if (other === leader) continue;
    if (Math.abs(other.currentTime - leader.currentTime) > NEAR) {
      led.add(other);
      other.currentTime = leader.currentTime;
    }
    if (other.paused !== leader.paused) {
      if (leader.paused) other.pause();
      else other.play().catch(() => {}); // the browser forbids it: then the person starts it
    }
  }
}

function drawPanel({ name, title, subtitle, preview, overlay, problem }) {
  const label = `${title}, ${subtitle}`;
  const caption = h("figcaption", {}, title, h("small", {}, subtitle));
  const shown = () => {
    if (overlay) {
      const options = { controls: true, loop: true, playsinline: true, preload: "metadata", "aria-label": label };
      const video = h("video", { src: overlay, poster: preview, ...options });
      video.muted = true;
      return video;
    }
    if (preview) return h("img", { src: preview, alt: label });
    return h("span", { class: "batch-film-empty" }, problem || "…");
  };
  return h("figure", { "data-name": name, "data-shown": overlay || "" }, shown(), caption);
}

/** The panels, drawn anew only where they change, so that a video that plays goes on. */
export function drawPanels(place, columns) {
  place.hidden = columns.length === 0;
  const old = new Map([...place.children].map((panel) => [panel.dataset.name + panel.dataset.shown, panel]));
  const panels = columns.map((column) => {
    const kept = column.overlay ? old.get(column.name + column.overlay) : null;
    return kept ?? drawPanel(column);
  });
  const same = panels.length === place.children.length && panels.every((panel, at) => place.children[at] === panel);
  if (!same) place.replaceChildren(...panels);
  const videos = panels.map((panel) => panel.querySelector("video")).filter(Boolean);
  for (const video of videos) {
    for (const event of ["play", "pause"]) video[`on${event}`] = () => follow(video, videos);
    video.onseeked = () => led.delete(video) || follow(video, videos);
  }
}

function drawTrack({ title, subtitle, labels, problem, changed, returned, shares }) {
  const told = problem ? h("span", { class: "batch-problem" }, problem) : null;
  const number = (share) => h("td", { class: "batch-number" }, percentage(share));
  const found = shares.length
    ? drawShares(labels.classes, shares, [], ownColour)
    : h("td", { class: "batch-cell" }, "–");
  const name = h("th", { scope: "row" }, title, h("small", {}, subtitle), told);
  return h("tr", {}, name, number(changed), number(returned), found);
}

/** How far the work is, in a sentence, and how far the checkpoints agree. */
export function filmState({ done, total, seconds, finished, stopped, rate, disagreement }) {
  const values = { done, total, seconds: decimal(seconds, 1), rate };
  const running = total === null ? "film_running_open" : "film_running";
  if (!finished) return text(stopped ? "film_stopping" : running, values);
  const agreed = isNumber(disagreement) ? ` ${text("film_disagreement", { share: percentage(disagreement) })}` : "";
  return text(stopped ? "film_stopped" : "film_done", values) + agreed;
}

/** What the figures mean, in words. */
export function filmExplained({ rate }) {
  return text("film_explained", { seconds: decimal(1 / rate, 1) });
}

/** Heads and rows of the table. */
export function drawFilm({ columns }) {
  const numbers = ["film_changed", "film_returned"].map((key) => ({ head: text(key), number: true }));
  const heads = [{ head: text("film_checkpoint") }, ...numbers, { head: text("film_shares") }];
  return { heads, rows: columns.map(drawTrack) };
}
