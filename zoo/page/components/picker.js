// The list of checkpoints with filters and presets.
// value: {items: [{name, title, subtitle, variant, variant_title, loss, loss_title, parameters, miou, miou_interval}],
//         grids: [{title, columns: [title], rows: [{title, names: [name or null]}]}], selected: [name],
//         presets: [{key, names}], maximum, strings}
// Checkpoints of a grid stand in a table of variants and losses, the others on cards below it.
// Events: "change" when a tick changes, "preset" when a preset is chosen, "details" with {name} for the leaderboard.

import { all, h, one } from "./base/dom.js";
import { decimal, margin, percent } from "./base/numbers.js";
import { speak, text } from "./base/texts.js";

const list = element.querySelector(".picker-list");
const legend = list.querySelector("legend");
const presetRow = element.querySelector(".picker-presets");
const filterRow = element.querySelector(".picker-filters");
const count = element.querySelector(".picker-count");
const open = { variant: null, loss: null }; // null: every one
const CROWD = 9; // more cards than this get filters; a grid needs none

const value = () => props.value || { items: [], selected: [], presets: [], strings: {} };
const filtered = () => Object.values(open).some((choice) => choice !== null);
const evaluated = (item) => item.miou !== null && item.miou !== undefined;

function select(names, event) {
  const known = value().items.map((item) => item.name);
  const selected = known.filter((name) => names.includes(name));
  props.value = { ...value(), selected };
  drawTicks();
  trigger(event);
}

function toggle(name, ticked) {
  const rest = value().selected.filter((other) => other !== name);
  select(ticked ? [...rest, name] : rest, "change");
}

function drawPresets() {
  presetRow.setAttribute("aria-label", text("presets"));
  presetRow.replaceChildren(
    ...value().presets.map((preset) => {
      const button = h("button", { class: "picker-preset" }, text(`preset_${preset.key}`));
      button.type = "button";
      button.title = text(`preset_${preset.key}_hint`);
      button.dataset.names = JSON.stringify(preset.names);
      button.addEventListener("click", () => {
        open.variant = open.loss = null;
        drawFilters();
        drawItems();
        select(preset.names, "preset");
      });
      return button;
    }),
  );
}

function drawFilters() {
  const cells =
    value()
      .grids?.flatMap((grid) => grid.rows.flatMap((row) => row.names))
      .filter(Boolean) || [];
  const crowded = value().items.length - cells.length > CROWD;
  const groups = Object.keys(open).map((property) => {
    const titles = new Map(value().items.map((item) => [item[property], item[`${property}_title`]]));
    const choices = [...titles.keys()];
    if (choices.length < 2 || !crowded) return null;
    const group = h("div", { class: "picker-filter" });
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", text(`filter_${property}`));
    group.append(h("span", { class: "picker-filter-name" }, text(`filter_${property}`)));
    for (const choice of [null, ...choices]) {
      const button = h("button", { class: "picker-chip" }, choice === null ? text("filter_any") : titles.get(choice));
      button.type = "button";
      button.setAttribute("aria-pressed", String(open[property] === choice));
      button.addEventListener("click", () => {
        open[property] = choice;
        for (const other of group.querySelectorAll("button"))
          other.setAttribute("aria-pressed", String(other === button));
        drawItems();
      });
      group.append(button);
    }
    return group;
  });
  filterRow.replaceChildren(...groups.filter(Boolean));
}

/** mIoU as a bar with the interval on it. */
function scoreBar({ miou, miou_interval }) {
  const bar = h("span", { class: "picker-bar" });
  bar.setAttribute("aria-hidden", "true");
  const fill = h("span", { class: "picker-fill" });
  fill.style.width = `${100 * miou}%`;
  bar.append(fill);
  if (miou_interval) {
    const [low, high] = miou_interval;
    const range = h("span", { class: "picker-interval" });
    range.style.left = `${100 * low}%`;
    range.style.width = `${100 * (high - low)}%`;
    bar.append(range);
  }
  return bar;
}

function scoreText(item) {
  return evaluated(item) ? `mIoU ${percent(item.miou)} % ${margin(item.miou_interval)}`.trim() : text("not_evaluated");
}

function score(item) {
  const line = h("span", { class: "picker-score" });
  if (evaluated(item)) line.append(scoreBar(item));
  line.append(h("span", { class: "picker-miou" }, scoreText(item)));
  return line;
}

function checkbox(item) {
  const box = h("input");
  box.type = "checkbox";
  box.value = item.name;
  box.addEventListener("change", () => toggle(item.name, box.checked));
  return box;
}

/** The link to a checkpoint's row on the leaderboard. */
function rowLink(item) {
  const link = h("button", { class: "picker-link" }, "↗");
  link.type = "button";
  link.title = text("open_leaderboard");
  link.setAttribute("aria-label", `${text("open_leaderboard")}: ${item.name}`);
  link.addEventListener("click", () => trigger("details", { name: item.name }));
  return link;
}

const millions = (item) => `${decimal(item.parameters / 1e6, 0, { maximumSignificantDigits: 3 })} M`;

function drawItem(item) {
  const row = h("div", { class: "picker-item" });
  const label = h("label");
  const words = h("span", { class: "picker-text" });
  const heading = h("span", { class: "picker-title" }, item.title);
  heading.append(h("span", { class: "picker-parameters" }, millions(item)));
  words.append(heading, h("span", { class: "picker-subtitle" }, item.subtitle), score(item));
  label.append(checkbox(item), words);
  row.append(label);
  if (evaluated(item)) row.append(rowLink(item));
  return row;
}

/** A heading of a grid that ticks its whole row or column, or unticks it when it is ticked already. */
function gridHeading(title, scope, names) {
  const heading = h("th");
  heading.scope = scope;
  const button = h("button", { class: "picker-all" }, title);
  button.type = "button";
  button.title = text("tick_all", { title });
  button.addEventListener("click", () => {
    const { selected } = value();
    const rest = selected.filter((name) => !names.includes(name));
    const every = names.every((name) => selected.includes(name));
    select(every ? rest : [...rest, ...names].slice(0, value().maximum), "change");
  });
  heading.append(button);
  return heading;
}

function gridCell(item) {
  const cell = h("td");
  if (!item) return cell;
  const box = h("div", { class: "picker-item" });
  const label = h("label");
  const input = checkbox(item);
  input.setAttribute("aria-label", `${item.title}: ${scoreText(item)}`);
  label.append(input, h("span", { class: "picker-value" }, evaluated(item) ? percent(item.miou) : "–"));
  label.title = `${item.name}: ${scoreText(item)}`;
  if (evaluated(item)) label.append(h("span", { class: "picker-half" }, margin(item.miou_interval)), scoreBar(item));
  box.append(label);
  if (evaluated(item)) box.append(rowLink(item));
  cell.append(box);
  return cell;
}

function drawGrid({ title, columns, rows }, items) {
  const table = h("table", { class: "picker-grid" });
  const found = rows.flatMap((row) => row.names).filter(Boolean);
  const sizes = [...new Set(found.map((name) => millions(items.get(name))))];
  const head = h("tr");
  head.append(h("td"));
  columns.forEach((column, at) => {
    head.append(gridHeading(column, "col", rows.map((row) => row.names[at]).filter(Boolean)));
  });
  const lines = rows.map((row) => {
    const line = h("tr");
    line.append(gridHeading(row.title, "row", row.names.filter(Boolean)));
    line.append(...row.names.map((name) => gridCell(items.get(name))));
    return line;
  });
  table.append(h("caption", {}, `${title} · ${sizes.join(", ")}`), head, ...lines);
  return table;
}

/** Networks that are downloaded when they run stand apart, folded until somebody asks for them. */
function drawBaselines(items) {
  if (items.length === 0) return [];
  const fold = h("details", { class: "picker-baselines" });
  fold.open = one(".picker-baselines", list)?.open || items.some((item) => value().selected.includes(item.name));
  fold.append(h("summary", {}, text("baselines")), h("p", { class: "picker-note" }, text("baselines_help")));
  fold.append(...items.map(drawItem));
  return [fold];
}

function drawItems() {
  legend.textContent = text("checkpoints");
  const shown = value().items.filter((item) =>
    Object.entries(open).every(([property, choice]) => choice === null || item[property] === choice),
  );
  const items = new Map(value().items.map((item) => [item.name, item]));
  const grids = filtered() ? [] : value().grids || [];
  const inGrid = new Set(grids.flatMap((grid) => grid.rows.flatMap((row) => row.names)));
  const loose = shown.filter((item) => !inGrid.has(item.name));
  const cards = loose.filter((item) => item.source !== "torchvision").map(drawItem);
  const baselines = drawBaselines(loose.filter((item) => item.source === "torchvision"));
  list.replaceChildren(legend, ...grids.map((grid) => drawGrid(grid, items)), ...cards, ...baselines);
  drawTicks();
}

function drawTicks() {
  const { selected, maximum } = value();
  for (const box of list.querySelectorAll("input")) {
    box.checked = selected.includes(box.value);
    box.disabled = !box.checked && selected.length >= maximum;
    box.closest(".picker-item").classList.toggle("ticked", box.checked);
  }
  for (const button of all("button", presetRow)) {
    const names = JSON.parse(button.dataset.names);
    const same = names.length === selected.length && names.every((name) => selected.includes(name));
    button.setAttribute("aria-pressed", String(same));
  }
  count.textContent = text("ticked_count", { count: selected.length, maximum });
}

function draw() {
  speak(value().strings);
  drawPresets();
  drawFilters();
  drawItems();
}

draw();
watch("value", draw);
