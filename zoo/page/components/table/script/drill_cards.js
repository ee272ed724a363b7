// The images behind a figure, in order: cards with pictures where the files are here, names and scores where not.

import { h } from "../../base/dom.js";
import { decimal } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { button } from "./board.js";
import { refine, scoresOf } from "./drill.js";
import { pictureOf, stack } from "./drill_pictures.js";

const waiting = { observer: /** @type {IntersectionObserver} */ (null), queue: [], busy: false };

export function drawCards(answer, rows) {
  waiting.queue = [];
  waiting.observer?.disconnect();
  waiting.observer = new IntersectionObserver(wanted, { rootMargin: "200px" });
  const there = answer.images.filter((image) => image.shown).length;
  const count = text("drill_count", { shown: decimal(answer.images.length), total: decimal(answer.total) });
  const missing =
    there < answer.images.length ? text("drill_missing", { there: decimal(there), total: decimal(answer.total) }) : "";
  const cards = answer.images.map((image, index) => card(image, index, answer, rows));
  return [
    h("p", { class: "note", role: "status" }, `${count} ${missing}`),
    cards.length ? h("ol", { class: rows.length > 1 ? "cards pair" : "cards" }, cards) : null,
  ];
}

function card(image, index, answer, rows) {
  const said = scoresOf(image, answer, rows);
  const words = [h("strong", {}, `${decimal(index + 1)}. ${image.name}`), said.map((line) => h("span", {}, line))];
  if (!image.shown) return h("li", { class: "plain" }, h("div", { class: "said" }, words));
  const pictures = h("span", { class: "pictures", "aria-hidden": "true" });
  const opener = button([pictures, h("span", { class: "said" }, words)], `drill image ${image.name}`, () =>
    refine({ at: image.name }),
  );
  const load = async () => {
    const picture = await pictureOf(image.place, rows, false);
    if (picture.where) pictures.replaceChildren(...[...picture.masks.map(overPhoto(picture)), where(picture)]);
    else if (picture.photo) pictures.replaceChildren(stack(picture, picture.truth));
    else opener.classList.add("gone");
  };
  opener.dataset.wanted = "";
  Object.assign(opener, { load });
  waiting.observer.observe(opener);
  return h("li", {}, opener);
}

const overPhoto = (picture) => (mask) => stack(picture, mask);
const where = (picture) => stack(picture, picture.where.src, "where");

/** Cards that come into view are drawn one after the other: each may take a forward pass. */
function wanted(entries) {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || !("wanted" in target.dataset)) continue;
    delete target.dataset.wanted;
    waiting.queue.push(target);
  }
  drain();
}

async function drain() {
  if (waiting.busy) return;
  waiting.busy = true;
  while (waiting.queue.length) {
    const next = waiting.queue.shift();
    if (next.isConnected) await next.load();
  }
  waiting.busy = false;
}
