// The list of checkpoints with filters and presets.
// value: {items: [{name, title, subtitle, variant, loss, parameters, source, miou, miou_interval}], selected: [name],
//         presets: [{key, names}], maximum, strings}
// Events: "change" when a tick changes, "preset" when a preset is chosen, "details" with {name} for the leaderboard.

const list = element.querySelector(".picker-list");
const legend = list.querySelector("legend");
const presetRow = element.querySelector(".picker-presets");
const filterRow = element.querySelector(".picker-filters");
const count = element.querySelector(".picker-count");
const open = {variant: null, loss: null}; // null: every one

const value = () => props.value || {items: [], selected: [], presets: [], strings: {}};
const string = (key) => value().strings[key] || key;
const locale = document.documentElement.lang || undefined;
const percent = (number) =>
  (100 * number).toLocaleString(locale, {minimumFractionDigits: 1, maximumFractionDigits: 1});
const variantTitle = (variant) => variant.replace(/^fcn/, "FCN-");

function node(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function select(names, event) {
  const known = value().items.map((item) => item.name);
  const selected = known.filter((name) => names.includes(name));
  props.value = {...value(), selected};
  drawTicks();
  trigger(event);
}

function toggle(name, ticked) {
  const rest = value().selected.filter((other) => other !== name);
  select(ticked ? [...rest, name] : rest, "change");
}

function drawPresets() {
  presetRow.setAttribute("aria-label", string("presets"));
  presetRow.replaceChildren(
    ...value().presets.map((preset) => {
      const button = node("button", "picker-preset", string(`preset_${preset.key}`));
      button.type = "button";
      button.title = string(`preset_${preset.key}_hint`);
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
  const groups = Object.keys(open).map((property) => {
    const choices = [...new Set(value().items.map((item) => item[property]))];
    if (choices.length < 2) return null;
    const group = node("div", "picker-filter");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", string(`filter_${property}`));
    group.append(node("span", "picker-filter-name", string(`filter_${property}`)));
    for (const choice of [null, ...choices]) {
      const label = choice === null ? string("filter_any") : property === "variant" ? variantTitle(choice) : choice;
      const button = node("button", "picker-chip", label);
      button.type = "button";
      button.setAttribute("aria-pressed", String(open[property] === choice));
      button.addEventListener("click", () => {
        open[property] = choice;
        for (const other of group.querySelectorAll("button")) other.setAttribute("aria-pressed", String(other === button));
        drawItems();
      });
      group.append(button);
    }
    return group;
  });
  filterRow.replaceChildren(...groups.filter(Boolean));
}

function scoreBar(item) {
  const score = node("span", "picker-score");
  if (item.miou === null || item.miou === undefined) {
    score.append(node("span", "picker-miou", string("not_evaluated")));
    return score;
  }
  const bar = node("span", "picker-bar");
  bar.setAttribute("aria-hidden", "true");
  const fill = node("span", "picker-fill");
  fill.style.width = `${100 * item.miou}%`;
  bar.append(fill);
  if (item.miou_interval) {
    const [low, high] = item.miou_interval;
    const range = node("span", "picker-interval");
    range.style.left = `${100 * low}%`;
    range.style.width = `${100 * (high - low)}%`;
    bar.append(range);
  }
  const half = item.miou_interval ? (item.miou_interval[1] - item.miou_interval[0]) / 2 : null;
  const text = `${percent(item.miou)} %${half === null ? "" : ` ± ${percent(half)}`}`;
  score.append(bar, node("span", "picker-miou", `mIoU ${text}`));
  return score;
}

function drawItem(item) {
  const row = node("div", "picker-item");
  const label = node("label");
  const box = node("input");
  box.type = "checkbox";
  box.value = item.name;
  box.addEventListener("change", () => toggle(item.name, box.checked));
  const text = node("span", "picker-text");
  const millions = (item.parameters / 1e6).toLocaleString(locale, {maximumSignificantDigits: 3});
  const heading = node("span", "picker-title", item.title);
  heading.append(node("span", "picker-parameters", `${millions} M`));
  text.append(heading, node("span", "picker-subtitle", item.subtitle), scoreBar(item));
  label.append(box, text);
  row.append(label);
  if (item.miou !== null && item.miou !== undefined) {
    const link = node("button", "picker-link", "↗");
    link.type = "button";
    link.title = string("open_leaderboard");
    link.setAttribute("aria-label", `${string("open_leaderboard")}: ${item.name}`);
    link.addEventListener("click", () => trigger("details", {name: item.name}));
    row.append(link);
  }
  return row;
}

function drawItems() {
  legend.textContent = string("checkpoints");
  const shown = value().items.filter((item) =>
    Object.entries(open).every(([property, choice]) => choice === null || item[property] === choice),
  );
  list.replaceChildren(legend, ...shown.map(drawItem));
  drawTicks();
}

function drawTicks() {
  const {selected, maximum} = value();
  for (const box of list.querySelectorAll("input")) {
    box.checked = selected.includes(box.value);
    box.disabled = !box.checked && selected.length >= maximum;
    box.closest(".picker-item").classList.toggle("ticked", box.checked);
  }
  for (const button of presetRow.children) {
    const names = JSON.parse(button.dataset.names);
    const same = names.length === selected.length && names.every((name) => selected.includes(name));
    button.setAttribute("aria-pressed", String(same));
  }
  count.textContent = string("ticked_count").replace("{count}", selected.length).replace("{maximum}", maximum);
}

function draw() {
  drawPresets();
  drawFilters();
  drawItems();
}

draw();
watch("value", draw);
