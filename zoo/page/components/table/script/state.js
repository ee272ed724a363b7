// Search, filters, sort, columns and selection, and their place in the page's address.

import { BOARD_PREFIX, boardNames, rewriteAddress, stepTo } from "../../base/address.js";
import { isNumber } from "../../base/numbers.js";
import { titleOf } from "../../base/texts.js";
import { board, keepFocus } from "./board.js";
import { PRESETS, shownColumns } from "./columns.js";
import { groupRows } from "./groups.js";

export const FACETS = ["variant", "loss", "backbone", "source", "provenance"];
export const SELECTION_LIMIT = 4;

/** The state of an address that says nothing. */
function freshState() {
  return {
    search: "",
    sort: "rank",
    descending: false,
    columns: "accuracy",
    filters: Object.fromEntries(FACETS.map((facet) => [facet, new Set()])),
    picked: [],
    open: new Set(),
    group: "",
    asked: { dataset: "", split: "" },
    drill: null,
    filtersOpen: false,
    publishedOpen: false,
  };
}

/** State from query parameters; what is not understood is left at its default. */
export function readAddress(query = window.location.search) {
  const parameters = new URLSearchParams(query);
  const one = (name) => parameters.get(BOARD_PREFIX + name) ?? "";
  const all = (name) => parameters.getAll(BOARD_PREFIX + name);
  const state = freshState();
  state.search = one("q");
  state.columns = PRESETS.includes(one("cols")) ? one("cols") : state.columns;
  const sort = /^(.+)\.(asc|desc)$/.exec(one("sort"));
  if (sort) [state.sort, state.descending] = [sort[1], sort[2] === "desc"];
  for (const facet of FACETS) state.filters[facet] = new Set(all(facet));
  state.picked = [...new Set(all("pick"))].slice(0, SELECTION_LIMIT);
  state.open = new Set(all("open"));
  state.group = one("images");
  state.drill = readDrill(one, all);
  state.asked = { dataset: one("dataset"), split: one("split") }; // of older links, which filtered by them
  return state;
}

/** Which images a figure has led to: rows, class, class that was predicted, sequence, order, and the one image. */
function readDrill(one, all) {
  const rows = all("of").slice(0, 2);
  if (rows.length === 0) return null;
  return { rows, label: one("class"), prediction: one("as"), sequence: one("in"), order: one("by"), at: one("at") };
}

/** Write the state into the page's address as a step of the history or in place; other parameters stay as they are. */
function writeAddress(step) {
  (step ? stepTo : rewriteAddress)((parameters) => {
    for (const name of boardNames(parameters)) parameters.delete(name);
    writeState((name, value) => parameters.append(BOARD_PREFIX + name, value));
  });
}

function writeState(add) {
  const { state } = board;
  if (state.search.trim()) add("q", state.search);
  if (state.columns !== "accuracy") add("cols", state.columns);
  if (state.sort !== "rank" || state.descending) add("sort", `${state.sort}.${state.descending ? "desc" : "asc"}`);
  for (const facet of FACETS) for (const value of state.filters[facet]) add(facet, value);
  for (const key of state.picked) add("pick", key);
  for (const key of state.open) add("open", key);
  if (state.group) add("images", state.group);
  if (!state.drill) return;
  const { rows, label, prediction, sequence, order, at } = state.drill;
  for (const key of rows) add("of", key);
  const parts = { class: label, as: prediction, in: sequence, by: order, at };
  for (const [name, value] of Object.entries(parts)) if (value) add(name, value);
}

/**
 * Rows with a `key` each (name, dataset and split, numbered where that is not unique), the name that is numbered so
 * (`called`), and a `group` of same images.
 */
export function keyedRows(rows) {
  const seen = new Map();
  return rows.map((row) => {
    const group = `${row.dataset}/${row.split}`;
    const base = `${row.name}@${group}`;
    seen.set(base, (seen.get(base) ?? 0) + 1);
    const number = seen.get(base) === 1 ? "" : `#${seen.get(base)}`;
    return { ...row, group, key: base + number, called: row.name + number };
  });
}

function searchText(row) {
  const titles = [titleOf("variant", row.variant), titleOf("loss", row.loss), titleOf("dataset", row.dataset)];
  const fields = [row.name, row.variant, row.loss, row.backbone, row.dataset, row.split, row.source, row.device];
  return [...fields, ...titles].filter(Boolean).join(" ").toLowerCase();
}

/** True when any of the searches between `;` has all its words in the row. */
export function matchesSearch(row, search) {
  const searches = search
    .toLowerCase()
    .split(";")
    .map((part) => part.split(/\s+/).filter(Boolean));
  const wanted = searches.filter((words) => words.length > 0);
  const content = searchText(row);
  return wanted.length === 0 || wanted.some((words) => words.every((word) => content.includes(word)));
}

/** Values of a facet with how many rows have each, in reading order. */
export function facetValues(facet) {
  const counts = new Map();
  for (const row of groupRows()) {
    const value = String(row[facet] ?? "");
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
}

/** Values ticked in a facet that any row has; an old address may name ones that are gone. */
export function activeValues(facet) {
  const known = new Set(facetValues(facet).map(([value]) => value));
  return [...board.state.filters[facet]].filter((value) => known.has(value));
}

/** Rows that fit the search and the filters, in no particular order. */
export function fittingRows() {
  const active = FACETS.map((facet) => ({ facet, values: activeValues(facet) })).filter(
    ({ values }) => values.length > 0,
  );
  return board.rows.filter(
    (row) =>
      matchesSearch(row, board.state.search) &&
      active.every(({ facet, values }) => values.includes(String(row[facet] ?? ""))),
  );
}

/** Order of two values of one column; nulls last whichever way the column is sorted. */
export function compareValues(a, b, descending) {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return descending ? -order : order;
}

/** The column the rows are sorted by; rank when the sorted column is not on show. @returns {import("./columns.js").Column} */
export function sortColumn(columns = shownColumns()) {
  return columns.find((column) => column.id === board.state.sort) ?? columns[0];
}

export function sortedRows(rows) {
  const column = sortColumn();
  const descending = column.id === board.state.sort && board.state.descending;
  const miou = (row) => (isNumber(row.miou) ? row.miou : null);
  return [...rows].sort(
    (a, b) =>
      compareValues(column.value(a), column.value(b), descending) ||
      compareValues(miou(a), miou(b), true) ||
      compareValues(a.name, b.name, false),
  );
}

/** Rows that are ticked, in the order in which they were ticked. */
export function pickedRows() {
  return board.state.picked.map((key) => board.rows.find((row) => row.key === key)).filter(Boolean);
}

/** Change the state, keep it in the address and draw again. */
export function change(update, { step = false } = {}) {
  update(board.state);
  writeAddress(step);
  keepFocus(board.redraw);
}

/** Put a value into a set, or take it out. */
export function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
}
