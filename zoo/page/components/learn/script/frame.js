// A part of the lesson: a few words, a question, and once the visitor has predicted, the thing to move and the answer.

import { all, h, one, put } from "../../base/dom.js";
import { text } from "../../base/texts.js";
import { remember, remembered } from "./memory.js";

/**
 * One part. Its texts are ask_NAME_title, _text, _question, _choice_1 and so on, _answer.
 * @param {{name: string, choices: number, right: number, play: () => Node, answer: () => Record<string, string>}} part
 *   right: the choice that is true, counted from 1; play: makes the thing to move; answer: the places of its text
 */
export function makePart({ name, choices, right, play, answer }) {
  const said = (key) => text(`ask_${name}_${key}`);
  const numbers = Array.from({ length: choices }, (_, index) => index + 1);
  const buttons = numbers.map((number) =>
    h("button", { type: "button", "data-choice": number, onclick: () => predict(number) }, said(`choice_${number}`)),
  );
  const skip = h("button", { type: "button", class: "skip", onclick: () => predict(0) }, text("skip"));
  const again = h("button", { type: "button", class: "again", hidden: true, onclick: ask }, text("ask_again"));
  const verdict = h("p", { class: "verdict", role: "status" });
  const stage = h("div", { class: "play", hidden: true });
  const told = h("p", { class: "told", hidden: true });
  const head = `learn-${name}-title`;
  const asked = `learn-${name}-question`;

  function ask() {
    remember(name, undefined);
    for (const button of buttons) {
      button.disabled = false;
      button.removeAttribute("aria-pressed");
      button.classList.remove("right");
    }
    for (const node of [stage, told, again]) node.hidden = true;
    skip.hidden = false;
    put(verdict, "");
    buttons[0].focus();
  }

  function predict(chosen) {
    remember(name, chosen);
    for (const button of buttons) {
      const number = Number(button.dataset.choice);
      button.disabled = true;
      button.setAttribute("aria-pressed", String(number === chosen));
      button.classList.toggle("right", number === right);
    }
    skip.hidden = true;
    again.hidden = false;
    if (!stage.childElementCount) stage.append(play());
    stage.hidden = told.hidden = false;
    put(told, text(`ask_${name}_answer`, answer()));
    const truth = said(`choice_${right}`);
    put(
      verdict,
      text(chosen === 0 ? "verdict_skipped" : chosen === right ? "verdict_right" : "verdict_wrong", { truth }),
    );
    stage.dispatchEvent(new CustomEvent("shown"));
  }

  const part = h(
    "section",
    { class: "part", id: `learn-${name}`, "aria-labelledby": head, tabindex: -1 },
    h("h2", { id: head }, said("title")),
    h("p", { class: "lead" }, said("text")),
    h(
      "div",
      { class: "question", role: "group", "aria-labelledby": asked },
      h("p", { class: "ask", id: asked }, said("question")),
      h("div", { class: "choices" }, buttons),
      h("div", { class: "aside" }, skip, again),
      verdict,
    ),
    stage,
    told,
  );
  const before = remembered()[name];
  if (before !== undefined) predict(before);
  return part;
}

/** A slider with its name and its value in words. */
export function slider({ label, name, low, high, step = 1, value, say, change }) {
  const shown = h("output", {}, say(value));
  const field = h("input", { type: "range", name, min: low, max: high, step, value, "aria-valuetext": say(value) });
  field.addEventListener("input", () => set(Number(field.value)));
  function set(now) {
    field.value = String(now);
    field.setAttribute("aria-valuetext", say(Number(field.value)));
    put(shown, say(Number(field.value)));
    change(Number(field.value));
  }
  const node = h("label", { class: "slider" }, h("span", {}, label), field, shown);
  return { node, set };
}

/** Buttons of which one is pressed. `options`: [value, text] pairs. */
export function choice({ label, options, value, change }) {
  const group = h("div", { class: "choice", role: "group", "aria-label": label });
  const press = (chosen) => {
    for (const button of all("button", group))
      button.setAttribute("aria-pressed", String(button.dataset.value === chosen));
  };
  for (const [key, said] of options) {
    const act = () => {
      press(key);
      change(key);
    };
    group.append(h("button", { type: "button", "data-value": key, onclick: act }, said));
  }
  press(value);
  return { node: group, press };
}

/** The part's place on screen when a link has named it. */
export function comeTo(root, name) {
  const part = one(`#learn-${name}`, root);
  if (!part) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  part.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
  part.focus({ preventScroll: true });
}
