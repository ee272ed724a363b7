// Pictures of one image: asked for once, kept while they may be wanted again.

import { h } from "../../base/dom.js";
import { locale } from "../../base/texts.js";
import { board } from "./board.js";

const SIDES = { thumbnail: 320, large: 1024 };
const MOST_KEPT = 200;
const kept = new Map();

/** Photo, truth, masks and where they are right, as Python draws them; {missing} or {problem} where it cannot. */
export function pictureOf(place, rows, large) {
  const { label, prediction } = board.state.drill ?? {};
  const side = large ? SIDES.large : SIDES.thumbnail;
  const asked = { rows: rows.map((row) => row.key), place, label, prediction, side, language: locale() };
  const key = JSON.stringify(asked);
  if (!kept.has(key)) {
    if (kept.size >= MOST_KEPT) kept.delete(kept.keys().next().value);
    kept.set(
      key,
      server.picture_of(asked).catch(() => {
        kept.delete(key);
        return { missing: true };
      }),
    );
  }
  return kept.get(key);
}

/** A photo with a mask over it; "where" dims the photo. */
export function stack(picture, mask, kind = "") {
  const { width, height } = picture;
  return h(
    "span",
    { class: `stack ${kind}`, style: `aspect-ratio: ${width} / ${height}` },
    h("img", { src: picture.photo, alt: "" }),
    mask ? h("img", { class: "mask", src: mask, alt: "" }) : null,
  );
}
