// Sets of images: rows of one set stand in one view, and rows of another never beside them.

import { h } from "../../base/dom.js";
import { decimal, isNumber } from "../../base/numbers.js";
import { hasText, text, titleOf } from "../../base/texts.js";
import { board, slot } from "./board.js";
import { change, compareValues, fittingRows, sortedRows } from "./state.js";

/** Every set of images that rows were measured on, in reading order: [{key, dataset, split, count}]. */
function allGroups() {
  const groups = new Map();
  for (const { group, dataset, split } of board.rows) {
    if (!groups.has(group)) groups.set(group, { key: group, dataset, split, count: 0 });
    groups.get(group).count += 1;
  }
  const { splits } = board.facts;
  const place = (split) => (splits.includes(split) ? splits.indexOf(split) : splits.length);
  return [...groups.values()].sort(
    (a, b) =>
      compareValues(String(a.dataset), String(b.dataset), false) ||
      place(a.split) - place(b.split) ||
      compareValues(String(a.split), String(b.split), false),
  );
}

/** The set on show: the one that was asked for, else that of an opened row, else the one with the most rows. */
export function chosenGroup() {
  const { group, asked, open } = board.state;
  const groups = allGroups();
  const opened = board.rows.find((row) => open.has(row.key))?.group;
  const named = asked.dataset || asked.split;
  const fits = (one) =>
    (!asked.dataset || one.dataset === asked.dataset) && (!asked.split || one.split === asked.split);
  return (
    groups.find(({ key }) => key === group) ??
    (named ? groups.find(fits) : undefined) ??
    groups.find(({ key }) => key === opened) ??
    groups.reduce((most, one) => (one.count > (most?.count ?? 0) ? one : most), undefined)
  );
}

/** All rows of the set on show, whether they fit the search or not. */
export function groupRows() {
  const key = chosenGroup()?.key;
  return board.rows.filter((row) => row.group === key);
}

/** Rows on show, in the order of the page. */
export function shownRows() {
  const key = chosenGroup()?.key;
  return sortedRows(fittingRows().filter((row) => row.group === key));
}

/** The name of a class for people; a word of two meanings by the classes that it stands beside, as in Python. */
export function classTitle(name) {
  const beside = groupRows().flatMap((row) => row.classes ?? []);
  const key = beside.map((other) => `class_${name} beside ${other}`).find(hasText);
  return key ? text(key) : titleOf("class", name);
}

/** "CamVid val". */
export function groupName({ dataset, split }) {
  return [titleOf("dataset", dataset), split].filter(Boolean).join(" ");
}

/** "CamVid val · 101 images". */
export function groupTitle(group) {
  const counts = [...new Set(board.rows.filter((row) => row.group === group.key).map((row) => row.images))];
  const images = counts.length === 1 && isNumber(counts[0]) ? text("images", { count: decimal(counts[0]) }) : "";
  return [groupName(group), images].filter(Boolean).join(" · ");
}

/** A file's name that says of which images its content is: "leaderboard-camvid-val". */
export function fileName(base) {
  const group = chosenGroup();
  return [base, group?.dataset, group?.split].join("-").replace(/[^A-Za-z0-9._-]+/g, "-");
}

/** The choice of the set of images, where rows of several are there. */
export function drawGroups() {
  const groups = allGroups();
  if (groups.length < 2) return slot("images").replaceChildren();
  const chosen = chosenGroup().key;
  const choices = groups.map((group) => {
    const input = h("input", {
      type: "radio",
      name: `${board.root.id}-images`,
      value: group.key,
      "data-focus": `images ${group.key}`,
      onchange: () => change((state) => (state.group = group.key)),
    });
    input.checked = group.key === chosen;
    return h("label", { class: "choice" }, input, h("span", {}, groupName(group), h("small", {}, ` ${group.count}`)));
  });
  const legend = h("legend", {}, text("measured_on"));
  return slot("images").replaceChildren(
    h("fieldset", { class: "presets" }, legend, h("div", { class: "segments" }, choices)),
  );
}
