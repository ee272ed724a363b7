// One image behind a figure: photo, ground truth, masks, and where they are right; to the next and back by key.

import { h } from "../../base/dom.js";
import { decimal } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { board, button } from "./board.js";
import { refine, scoresOf, shortName, shown } from "./drill.js";
import { pictureOf, stack } from "./drill_pictures.js";

/** The next (1) or previous (-1) of the images whose files are here. */
export function stepSingle(step) {
  const images = shown.answer?.images?.filter((image) => image.shown) ?? [];
  const index = images.findIndex((image) => image.name === board.state.drill.at);
  const next = images[index + step];
  if (next) refine({ at: next.name });
}

export function drawSingle(answer, rows) {
  const images = answer.images.filter((image) => image.shown);
  const index = images.findIndex((image) => image.name === board.state.drill.at);
  if (index < 0) return h("p", { class: "note", role: "alert" }, text("drill_gone", { name: board.state.drill.at }));
  const image = images[index];
  const place = { index: decimal(answer.images.indexOf(image) + 1), total: decimal(answer.total), name: image.name };
  const turn = (step, label) =>
    button(text(label), `drill ${label}`, () => stepSingle(step), { disabled: !images[index + step] });
  const pictures = h("div", { class: "panels", "aria-busy": "true" }, h("p", { class: "note" }, text("drill_drawing")));
  fillPanels(pictures, image, rows, images[index + 1]);
  return [
    h(
      "div",
      { class: "turn" },
      turn(-1, "drill_previous"),
      h(
        "p",
        { role: "status" },
        h("strong", {}, text("drill_image", place)),
        " ",
        scoresOf(image, answer, rows).join(" · "),
      ),
      turn(1, "drill_next"),
    ),
    pictures,
  ];
}

async function fillPanels(pictures, image, rows, next) {
  const picture = await pictureOf(image.place, rows, true);
  if (!pictures.isConnected) return;
  pictures.setAttribute("aria-busy", "false");
  pictures.replaceChildren(...panelsOf(picture, rows));
  if (next) pictureOf(next.place, rows, true); // so that the next key finds it drawn
}

function panelsOf(picture, rows) {
  if (!picture.photo) return [h("p", { class: "note" }, picture.problem ?? text("drill_other_content"))];
  const masks = rows.map((row, index) => {
    const otherwise = picture.otherwise[index];
    const note = otherwise ? text("drill_otherwise", { pixels: decimal(otherwise) }) : "";
    if (!picture.masks[index]) return panel(row.name, stack(picture, null), h("p", {}, text("drill_no_mask")));
    return panel(row.name, stack(picture, picture.masks[index]), note ? h("p", {}, note) : null);
  });
  const legend = picture.where?.legend.map(({ key, color, pixels }) => {
    const names = { a: shortName(rows[0]), b: shortName(rows[1] ?? rows[0]), pixels: decimal(pixels) };
    return h("li", {}, swatch(color), text(key, names));
  });
  const where = picture.where
    ? panel(text("drill_where"), stack(picture, picture.where.src, "where"), h("ul", { class: "legend" }, legend))
    : null;
  const classes = picture.classes.map(({ title, color }) => h("li", {}, swatch(color), title));
  return [
    where,
    ...masks,
    panel(text("drill_truth"), stack(picture, picture.truth), h("ul", { class: "legend" }, classes)),
    panel(text("drill_photo"), stack(picture, null), null),
  ].filter(Boolean);
}

function panel(title, content, note) {
  return h("figure", {}, h("figcaption", {}, h("strong", {}, title), note), content);
}

function swatch(colour) {
  return h("span", { class: "swatch", style: `background: ${colour}`, "aria-hidden": "true" });
}
