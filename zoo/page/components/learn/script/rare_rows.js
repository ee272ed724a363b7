// What became of the losses for real: tables of measured networks that differ by their loss alone.

import { h } from "../../base/dom.js";
import { isInterval, isNumber, percent, percentage } from "../../base/numbers.js";
import { hasText, text } from "../../base/texts.js";

const FIGURES = ["IoU", "precision", "recall", "average precision"]; // of the rare class, as Python names them

/** What the lesson calls the loss of a row of Python's, by its title there where it has no word for it. */
export const lossName = ({ loss, title }) => (hasText(`loss_${loss}`) ? text(`loss_${loss}`) : title);

/** The bundled networks on cracks. */
export function makeCrackRows({ rows, images }) {
  const lines = rows.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, lossName(row)),
      figureCell(row.iou, row.interval),
      h("td", {}, percentage(row.miou)),
    ),
  );
  return makeTable(text("loss_rows", { images }), [text("loss_head"), text("loss_iou"), "mIoU"], lines);
}

/** The networks on vessels, each loss with its seeds, and a second person. */
export function makeVesselRows({ rows, images, share, steps }) {
  const heads = ["loss_head", "loss_vessel_iou", "loss_precision", "loss_recall", "loss_average"].map((key) =>
    text(key),
  );
  const lines = rows.map((row) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, lossName(row) ?? text("loss_person")),
      FIGURES.map((name) => {
        const found = row.figures[name];
        return found ? figureCell(found.value, found.interval, found.spread) : h("td", {}, "–");
      }),
    ),
  );
  const seeds = Math.max(...rows.map((row) => row.seeds));
  return makeTable(text("loss_vessel_rows", { images, seeds, steps, share: percentage(share) }), heads, lines);
}

/** What the table of vessels says in a sentence: the worst and the best loss, and the person. */
export function tellVessels({ rows, share, steps }) {
  const iou = (row) => row.figures.IoU.value;
  const losses = rows.filter(({ title }) => title !== null).sort((one, other) => iou(one) - iou(other));
  const person = rows.find(({ title }) => title === null);
  const [worst, best] = [losses[0], losses.at(-1)];
  return text("loss_vessels_told", {
    share: percentage(share),
    steps,
    worst: percentage(iou(worst)),
    worst_title: lossName(worst),
    best: percentage(iou(best)),
    best_title: lossName(best),
    person: percentage(iou(person)),
  });
}

/** A figure with its interval, its spread over seeds where there are some, and a bar. */
function figureCell(value, interval, spread) {
  const more = [
    isInterval(interval)
      ? text("loss_interval", { low: percentage(interval[0]), high: percentage(interval[1]) })
      : null,
    isNumber(spread) ? text("loss_spread", { points: percent(spread) }) : null,
  ].filter(Boolean);
  return h(
    "td",
    {},
    h("span", {}, percentage(value), more.length ? h("small", {}, ` ${more.join(", ")}`) : null),
    h("i", { class: "bar", style: `--part: ${isNumber(value) ? value : 0}` }),
  );
}

function makeTable(title, heads, lines) {
  return h(
    "div",
    { class: "real" },
    h("h3", {}, title),
    h(
      "div",
      { class: "scroll", tabindex: 0, role: "region", "aria-label": title },
      h(
        "table",
        {},
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            heads.map((head) => h("th", { scope: "col" }, head)),
          ),
        ),
        h("tbody", {}, lines),
      ),
    ),
  );
}
