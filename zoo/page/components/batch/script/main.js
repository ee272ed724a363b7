// Many photos or a video: progress, and what the checkpoints found.
// value: null or {kind: "images" or "video", done, total, finished, stopped, columns: [{name, title, subtitle, labels}],
//         strings, locale}, and what photos.js or film.js tell

import { h, one, put } from "../../base/dom.js";
import { colourOf, followLooks } from "../../base/looks.js";
import { speak, text } from "../../base/texts.js";
import { drawFilm, drawPanels, filmExplained, filmState, ownColour } from "./film.js";
import { drawPhotos, photosState } from "./photos.js";
import { titleOfClass } from "./shares.js";

const root = one(".batch", element);
const find = (selector) => one(selector, root);

function drawLegend(columns, colour) {
  const classes = new Map(columns.flatMap(({ labels }) => labels.classes).map((entry) => [entry.name, entry]));
  return [...classes.values()].map((entry) =>
    h("li", {}, h("i", { style: `background: ${colour(entry)}` }), titleOfClass(entry)),
  );
}

/** Progress; its bar has no end where a video does not tell its duration. */
function drawProgress({ done, total, finished }) {
  const bar = find("progress");
  bar.hidden = finished;
  bar.setAttribute("aria-label", text("batch_progress"));
  if (total === null) {
    bar.removeAttribute("value");
  } else {
    Object.assign(bar, { max: Math.max(1, total), value: Math.min(done, total) });
  }
}

function drawTable({ heads, rows }) {
  find("thead").replaceChildren(
    h(
      "tr",
      {},
      heads.map(({ head, number }) => h("th", { scope: "col", class: number && "batch-number" }, head)),
    ),
  );
  find("tbody").replaceChildren(...rows);
}

function draw() {
  const { value } = props;
  root.hidden = !value;
  if (!value) return drawPanels(find(".batch-films"), []);
  speak(value.strings, value.locale);
  const film = value.kind === "video";
  put(find(".batch-state"), film ? filmState(value) : photosState(value));
  drawProgress(value);
  find(".batch-scroll").setAttribute("aria-label", text(film ? "film_table" : "batch_table"));
  drawPanels(find(".batch-films"), film ? value.columns : []);
  drawTable(film ? drawFilm(value) : drawPhotos(value));
  put(find(".batch-explained"), film ? filmExplained(value) : "");
  find(".batch-notes").replaceChildren(...(value.notes ?? []).map((note) => h("li", {}, note)));
  find(".batch-legend").replaceChildren(...drawLegend(value.columns, film ? ownColour : colourOf));
  return undefined;
}

draw();
followLooks(element, draw);
watch("value", draw);
