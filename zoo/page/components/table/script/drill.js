// From a figure to its images: a dialog with the images behind a class, a confusion, a sequence, an interval or a pair.
// What is asked for stands in the address; the list comes from Python, which knows the stored counts.

import { all, h } from "../../base/dom.js";
import { decimal, percent, withSign } from "../../base/numbers.js";
import { locale, text, titleOf } from "../../base/texts.js";
import { board, button, slot } from "./board.js";
import { classesOf } from "./columns.js";
import { drawCards } from "./drill_cards.js";
import { drawSingle, stepSingle } from "./drill_single.js";
import { classTitle, groupTitle } from "./groups.js";
import { change } from "./state.js";

/** What is shown: the answer of Python to `asked`, what was answered before, and what had the focus. */
export const shown = { asked: "", answer: null, before: null, at: "", opener: "" };

/**
 * Open the images behind a figure.
 * @param {{rows: string[], label?: string, prediction?: string, sequence?: string, order?: string}} asked
 */
export function openDrill(asked) {
  if (!canDrill()) return;
  shown.opener = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.focus ?? "";
  const question = { label: "", prediction: "", sequence: "", order: "", at: "", ...asked };
  change((state) => (state.drill = question), { step: true });
}

/** Ask for other images, or another one of them, without a new step of the browser's history. */
export function refine(changes) {
  change((state) => (state.drill = { ...state.drill, ...changes }));
}

function closeDrill() {
  change((state) => (state.drill = null));
}

/** Whether there is a Python that knows the counts: the static page has none. */
export function canDrill() {
  return typeof server !== "undefined";
}

/** A figure that leads to its images, or the figure alone where nothing can. */
export function drillButton(label, focus, asked, attributes = {}) {
  if (!canDrill()) return h("span", {}, label);
  return button(label, focus, () => openDrill(asked), { class: "drill", title: text("drill_open"), ...attributes });
}

/** The rows that are asked about, null where one is not there. */
function askedRows() {
  const rows = board.state.drill.rows.map((key) => board.rows.find((row) => row.key === key));
  return rows.every(Boolean) ? rows : null;
}

/** Show, renew or close the dialog, as the state has it. */
export function drawDrill() {
  const { drill } = board.state;
  const dialog = slot("drill").querySelector("dialog");
  if (!drill || !canDrill() || !askedRows()) {
    if (!dialog) return;
    slot("drill").replaceChildren();
    shown.asked = "";
    const opener = all("[data-focus]", board.root).find((node) => node.dataset.focus === shown.opener);
    opener?.focus({ preventScroll: true });
    return;
  }
  const frame = dialog ?? newDialog();
  const { at, ...question } = drill;
  const key = JSON.stringify([question, locale()]);
  if (key !== shown.asked) ask(frame, question, key);
  else drawAnswer(frame);
}

function newDialog() {
  const dialog = h("dialog", { class: "drill", "aria-label": text("drill_title") });
  dialog.addEventListener("keydown", onKey);
  dialog.addEventListener("cancel", (event) => {
    event.preventDefault(); // Escape leaves a single image first
    leave();
  });
  dialog.addEventListener("close", () => board.state.drill && dialog.isConnected && closeDrill());
  slot("drill").replaceChildren(dialog);
  showWhenVisible(dialog);
  return dialog;
}

/** A modal dialog inside a hidden tab would lock the page: wait until the tab is shown. */
function showWhenVisible(dialog) {
  if (!dialog.isConnected || dialog.open) return;
  if (board.root.checkVisibility()) {
    dialog.showModal();
    dialog.querySelector(".body")?.focus({ preventScroll: true });
  } else window.setTimeout(() => showWhenVisible(dialog), 100);
}

function leave() {
  if (board.state.drill.at) refine({ at: "" });
  else closeDrill();
}

function onKey(event) {
  if (event.target.matches("select, input")) return;
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !board.state.drill?.at) return;
  event.preventDefault();
  stepSingle(step);
}

async function ask(dialog, question, key) {
  Object.assign(shown, { asked: key, before: shown.answer ?? shown.before, answer: null });
  drawAnswer(dialog);
  const answer = await server.images_of({ ...question, language: locale() }).catch(() => null);
  if (shown.asked !== key) return; // something else was asked meanwhile
  shown.answer = answer ?? { problem: text("drill_failed") };
  drawAnswer(dialog);
}

function drawAnswer(dialog) {
  const { answer } = shown;
  const { at } = board.state.drill;
  const focus = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.focus;
  const content = () => {
    if (!answer) return h("p", { class: "note", role: "status" }, text("drill_waiting"));
    if (answer.problem) return h("p", { class: "note", role: "alert" }, answer.problem);
    return at ? drawSingle(answer, askedRows()) : drawCards(answer, askedRows());
  };
  const body = h("div", { class: "body", tabindex: "0", role: "group", "aria-label": text("drill_title") }, content());
  dialog.replaceChildren(drillHead(answer), body);
  const places = all("[data-focus]", dialog);
  const before = places.find((node) => node.dataset.focus === focus && !node.disabled);
  const left = at ? null : places.find((node) => node.dataset.focus === `drill image ${shown.at}`);
  (before ?? left ?? body).focus({ preventScroll: !left }); // keys are heard while the focus is inside
  shown.at = at;
}

/** What the images are behind, the figure of the split, and how to ask for others. */
function drillHead(answer) {
  const rows = askedRows();
  const single = Boolean(board.state.drill.at);
  const back = single ? button(text("drill_back"), "drill back", () => refine({ at: "" })) : null;
  const close = button("×", "drill close", closeDrill, { class: "close", "aria-label": text("drill_close") });
  return h(
    "header",
    {},
    h(
      "div",
      { class: "what" },
      h("h3", {}, subjectOf(board.state.drill)),
      h(
        "p",
        { class: "note" },
        [
          groupTitle({ key: rows[0].group, dataset: rows[0].dataset, split: rows[0].split }),
          ...rows.map((row, index) => figureOf(row, answer, index)),
        ].join(" · "),
      ),
    ),
    h("div", { class: "actions" }, back, close),
    single ? null : drillControls(answer ?? shown.before, rows), // they stay while the next answer is awaited
  );
}

function subjectOf({ label, prediction, sequence }) {
  const names = { label: classTitle(label), prediction: classTitle(prediction) };
  const what = prediction ? text("drill_confusion", names) : label ? names.label : text("drill_all_classes");
  return sequence ? `${what} · ${text("sequence")} ${sequence}` : what;
}

function figureOf(row, answer, index) {
  const share = answer?.split?.[index];
  return share === undefined ? row.name : `${row.name}: ${text(`drill_kind_${answer.kind}`)} ${percent(share)} %`;
}

function drillControls(answer, rows) {
  if (answer?.rows?.length !== rows.length) return null;
  const { label, prediction, sequence, order: chosen } = board.state.drill;
  const orders = answer.orders.map((order) => {
    const input = h("input", {
      type: "radio",
      name: `${board.root.id}-drill-order`,
      "data-focus": `drill order ${order}`,
      onchange: () => refine({ order }),
    });
    input.checked = order === (chosen || answer.order);
    const names = { a: shortName(rows[0]), b: shortName(rows[1] ?? rows[0]) };
    return h("label", { class: "choice" }, input, h("span", {}, text(`drill_order_${order}`, names)));
  });
  const select = h(
    "select",
    { "data-focus": "drill class", onchange: () => refine({ label: select.value, prediction: "" }) },
    h("option", { value: "" }, text("drill_all_classes")),
    classesOf(rows).map((name) => h("option", { value: name, selected: name === label }, classTitle(name))),
  );
  const chip = (what, changes) =>
    button([what, " ", h("span", { "aria-hidden": "true" }, "×")], `drill without ${what}`, () => refine(changes), {
      class: "chip",
      "aria-label": text("drill_without", { what }),
    });
  return h(
    "div",
    { class: "controls" },
    h("fieldset", { class: "presets" }, h("legend", {}, text("drill_order")), h("div", { class: "segments" }, orders)),
    h("label", { class: "picker" }, text("drill_class"), select),
    prediction ? chip(text("drill_as", { prediction: classTitle(prediction) }), { prediction: "" }) : null,
    sequence ? chip(`${text("sequence")} ${sequence}`, { sequence: "" }) : null,
  );
}

/** "FCN-8s Dice", short enough for a button. */
export function shortName(row) {
  return `${titleOf("variant", row.variant)} ${titleOf("loss", row.loss)}`;
}

/** "IoU 0.0 %, 1,863 px" of each row, and what the image does to the split's figure. */
export function scoresOf(image, answer, rows) {
  const several = rows.length > 1;
  const scores = rows.map((row, index) => {
    const share = image.scores[index];
    const said = `${percent(share)} %`;
    return several ? `${shortName(row)} ${said}` : `${text(`drill_kind_${answer.kind}`)} ${said}`;
  });
  const pixels = several ? "" : text("drill_pixels", { pixels: decimal(image.pixels[0]) });
  const difference = several ? text("drill_difference", { points: withSign(100 * image.difference, 1) }) : "";
  const without = ["decides", "pulls"].includes(answer.order)
    ? text(several ? "drill_without_lead" : "drill_without_figure", { points: withSign(100 * image.without, 2) })
    : "";
  return [...scores, pixels, difference, without].filter(Boolean);
}
