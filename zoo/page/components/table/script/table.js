// The ranked table.

import { classNames, h, svg, unseen } from "../../base/dom.js";
import { decimal, isInterval, isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board, button, describePercent, slot } from "./board.js";
import { bestOf, provenanceOf, shownColumns } from "./columns.js";
import { detailRow } from "./details.js";
import { drillButton } from "./drill.js";
import { chosenGroup, groupRows, groupTitle, shownRows } from "./groups.js";
import { spanOf, spanText } from "./seeds.js";
import { change, SELECTION_LIMIT, sortColumn, toggle } from "./state.js";

/** The ranked table of one set of images, since ranks and best values only mean something within one. */
export function drawTable() {
  const rows = shownRows();
  const counts = { shown: decimal(rows.length), total: decimal(groupRows().length) };
  slot("count").textContent = board.rows.length ? text("count_shown", counts) : "";
  if (rows.length === 0) {
    slot("table").replaceChildren(h("p", { class: "empty" }, text(board.rows.length ? "no_match" : "empty")));
    return;
  }
  const group = chosenGroup();
  const columns = shownColumns();
  const caption = h("caption", {}, h("span", {}, `${groupTitle(group)}. ${text("caption")}`));
  placeTable(h("table", { class: "ranking" }, caption, h("thead", {}, headRow(columns)), tableBody(rows, columns)));
}

/** Put the table into its scroll region; the region itself stays, and so does where it is scrolled to. */
function placeTable(table) {
  let region = slot("table").querySelector(".region");
  if (!region) {
    region = h("div", { class: "region", role: "region", tabindex: "0", "data-focus": "region" });
    slot("table").replaceChildren(region);
  }
  region.setAttribute("aria-label", text("region"));
  region.classList.toggle("has-open", board.state.open.size > 0);
  region.replaceChildren(table);
}

function headRow(columns) {
  const pick = h("th", { scope: "col", class: "pick" }, unseen(text("column_pick")));
  return h(
    "tr",
    {},
    pick,
    columns.map((column) => headCell(column, columns)),
  );
}

function headCell(column, columns) {
  const sorted = sortColumn(columns).id === column.id;
  const descending = sorted && board.state.sort === column.id && board.state.descending;
  const direction = sorted ? (descending ? "descending" : "ascending") : null;
  const arrow = h("span", { class: "arrow", "aria-hidden": "true" }, sorted ? (descending ? "↓" : "↑") : "↕");
  const sorter = button([h("span", {}, column.label), arrow], `sort ${column.id}`, () => sortBy(column), {
    title: column.hint || null,
  });
  const kinds = { number: column.numeric, name: column.id === "name", rank: column.id === "rank" };
  return h("th", { scope: "col", class: classNames(kinds), "aria-sort": direction, "data-column": column.id }, sorter);
}

/** First click: best or first on top; a second click turns the order round. */
function sortBy(column) {
  change((state) => {
    const again = sortColumn().id === column.id;
    state.descending = again ? !(state.sort === column.id && state.descending) : column.better === "high";
    state.sort = column.id;
  });
}

function tableBody(rows, columns) {
  const best = new Map(columns.map((column) => [column.id, bestOf(column, rows)]));
  const scales = new Map(
    columns.filter((column) => column.interval).map((column) => [column.id, scaleOf(column, rows)]),
  );
  const lines = rows.flatMap((row) => {
    const cells = columns.map((column) => bodyCell(row, column, best.get(column.id), scales.get(column.id)));
    const open = board.state.open.has(row.key);
    const line = h(
      "tr",
      { class: classNames({ picked: board.state.picked.includes(row.key), opened: open }), "data-key": row.key },
      pickCell(row),
      cells,
    );
    return open ? [line, detailRow(row, columns.length + 1)] : [line];
  });
  return h("tbody", {}, lines);
}

function pickCell(row) {
  const picked = board.state.picked.includes(row.key);
  const box = h("input", {
    type: "checkbox",
    "aria-label": text("select", { name: row.name }),
    "data-focus": `pick ${row.key}`,
    disabled: !picked && board.state.picked.length >= SELECTION_LIMIT,
    onchange: () => change((state) => togglePick(state, row.key)),
  });
  box.checked = picked;
  return h("td", { class: "pick" }, box);
}

function togglePick(state, key) {
  const known = new Set(board.rows.map((row) => row.key));
  const rest = state.picked.filter((picked) => picked !== key && known.has(picked));
  state.picked = state.picked.includes(key) ? rest : [...rest, key];
}

/** One figure; `best` is how the best of its column reads, so that what reads the same is marked the same. */
function bodyCell(row, column, best, scale) {
  if (column.id === "name") return nameCell(row);
  const shown = column.show(row);
  const missing = column.value(row) === null;
  const kinds = {
    number: column.numeric,
    words: !column.numeric,
    rank: column.id === "rank",
    missing,
    best: !missing && shown === best,
  };
  const attributes = { "data-column": column.id, class: classNames(kinds) };
  if (missing) return h("td", attributes, h("span", { "aria-hidden": "true" }, "–"), unseen(text("missing")));
  if (column.interval && scale) return h("td", attributes, intervalCell(row, column, kinds.best, scale));
  const tip = column.tip?.(row) || null;
  const figure = kinds.best ? h("strong", {}, shown) : shown;
  const drilled = column.drill ? drilledFigure(figure, row, column) : figure;
  return h("td", { ...attributes, title: tip }, drilled, seedsNote(row, column));
}

/** A figure that leads to the images behind it. Keys reach the same images in the row's details: one stop a cell is many. */
function drilledFigure(figure, row, column) {
  const label = text("drill_behind", { what: column.label });
  const attributes = { "aria-label": `${column.show(row)} ${label}`, tabindex: column.interval ? "0" : "-1" };
  return drillButton(figure, `drill ${row.key} ${column.id}`, { rows: [row.key], ...column.drill }, attributes);
}

/** What the other seeds of the row's recipe gave, where they were measured; they read otherwise than the figure. */
function seedsNote(row, column) {
  const points = column.points?.(row) ?? [];
  if (points.length < 2) return null;
  const parts = { count: decimal(points.length), span: spanText(spanOf(points)) };
  return h("small", { class: "seeds" }, text("seeds_span", parts));
}

function nameCell(row) {
  const open = board.state.open.has(row.key);
  const opener = button(
    [h("span", { class: "twist", "aria-hidden": "true" }, "›"), h("span", {}, row.name)],
    `open ${row.key}`,
    () => change((state) => toggle(state.open, row.key)),
    { class: "opener", "aria-expanded": String(open), title: text("open", { name: row.name }) },
  );
  const facts = [titleOf("variant", row.variant), titleOf("loss", row.loss), row.backbone];
  if (row.provenance && row.provenance !== "ours") facts.push(provenanceOf(row));
  return h(
    "th",
    { scope: "row", class: "name", "data-column": "name" },
    opener,
    h("small", {}, facts.filter(Boolean).join(" · ")),
  );
}

/** Ends of the axis that the interval whiskers of one column share, or null when no row has an interval. */
function scaleOf(column, rows) {
  const intervals = rows.map(column.interval).filter(isInterval);
  if (intervals.length === 0) return null;
  const values = rows.map(column.value).filter(isNumber);
  const seeds = rows.flatMap((row) => column.points?.(row) ?? []).map(({ value }) => value);
  return [
    Math.min(...values, ...seeds, ...intervals.map(([low]) => low)),
    Math.max(...values, ...seeds, ...intervals.map(([, high]) => high)),
  ];
}

function intervalCell(row, column, best, scale) {
  const interval = column.interval(row);
  const number = h(best ? "strong" : "span", { class: "value" }, column.show(row));
  if (!isInterval(interval)) return h("span", { class: "interval" }, number);
  const range = h("small", { "aria-hidden": "true" }, interval.map((end) => percent(end)).join(" – "));
  const spoken = unseen(describePercent(column.value(row), interval).slice(column.show(row).length));
  const seeds = column.points?.(row) ?? [];
  const drawn = whisker(column.value(row), interval, scale, seeds.length > 1 ? seeds : []);
  const figure = column.drill ? drilledFigure(number, row, column) : number;
  return h("span", { class: "interval" }, figure, spoken, drawn, range, seedsNote(row, column));
}

/** A dot with its interval and, small, other seeds on the axis that the column shares; does not start at zero, so it is no bar. */
function whisker(value, [low, high], [start, end], seeds) {
  const width = 88;
  const x = (share) => 4 + ((width - 8) * (share - start)) / (end - start || 1);
  return svg(
    "svg",
    { class: "whisker", width, height: 10, viewBox: `0 0 ${width} 10`, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "track", x1: 0, x2: width, y1: 5, y2: 5 }),
    svg("line", { class: "range", x1: x(low), x2: x(high), y1: 5, y2: 5 }),
    svg("circle", { class: "dot", cx: x(value), cy: 5, r: 3 }),
    seeds.map((point) => svg("circle", { class: "seed", cx: x(point.value), cy: 5, r: 2 })),
  );
}
