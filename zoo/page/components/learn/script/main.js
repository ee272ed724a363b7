// The lesson: its parts in order. A module that exports one function, so that it runs on a page without a server too.

import { all, h } from "../../base/dom.js";
import { speak, text } from "../../base/texts.js";
import { fieldPart, thinPlace } from "./field.js";
import { firstPart } from "./first.js";
import { comeTo } from "./frame.js";
import { lossPart } from "./loss.js";
import { padPart } from "./pad.js";
import { makePath } from "./path.js";
import { makeQuiz } from "./quiz.js";
import { splitPart } from "./split.js";
import { firstPlace, readScene, sumPart } from "./sum.js";
import { upPart } from "./up.js";

/**
 * Shows the lesson in an element.
 * @param {HTMLElement} root
 * @param {any} value {strings, locale, photo, truth, network, compared, rare, vessels, split}; a part whose data are missing is not shown
 */
export default async function teach(root, value) {
  speak(value.strings, value.locale);
  const scene = value.network ? await readScene(value) : null;
  show(root, value, scene);
}

function show(root, value, scene) {
  const looking = scene ? [firstPart(scene), fieldPart(scene, asked("field")), sumPart(scene, asked("sum"))] : [];
  const parts = [...looking, upPart(value), lossPart(value), splitPart(value), padPart(), makeQuiz()];
  const contents = h(
    "nav",
    { class: "contents", "aria-label": text("contents") },
    h(
      "ol",
      {},
      parts.map((part) => h("li", {}, linkTo(root, part))),
    ),
  );
  const named = value.network ? text("network", value.network) : "";
  const places = scene && { pole: pixel(thinPlace(scene), scene), paid: pixel(firstPlace(scene), scene) };
  root.replaceChildren(
    h(
      "header",
      { class: "opening" },
      h("h2", { class: "course" }, text("title")),
      h("p", {}, text("intro"), " ", named),
      contents,
    ),
    places ? makePath(places, value.compared, () => show(root, value, scene)) : "",
    ...parts,
  );
  root.dataset.ready = String(all(".part", root).length);
  const wanted = new URL(window.location.href).searchParams.get("learn");
  if (wanted) comeTo(root, wanted);
}

const pixel = (place, { width }) => `${place % width},${Math.floor(place / width)}`;

function linkTo(root, part) {
  const name = part.id.replace("learn-", "");
  const go = (event) => {
    event.preventDefault();
    comeTo(root, name);
  };
  return h("a", { href: `#${part.id}`, onclick: go }, text(`ask_${name}_title`));
}

/** What the address asks of a part: its pixel "x,y", stride and picture; nothing where it asks for none. */
function asked(name) {
  const given = new URL(window.location.href).searchParams;
  if (given.get("learn") !== name) return {};
  const place = /^(\d{1,4}),(\d{1,4})$/.exec(given.get("learn_pixel") ?? "");
  const stride = given.get("learn_stride");
  return {
    ...(place ? { x: Number(place[1]), y: Number(place[2]) } : {}),
    ...(["32", "16", "8"].includes(stride) ? { stride } : {}),
    ...(given.get("learn_show") === "changes" ? { shown: "changes" } : {}),
  };
}
