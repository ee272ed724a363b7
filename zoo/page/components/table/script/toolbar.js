// Toolbar: search, columns, filters.

import { h } from "../../base/dom.js";
import { decimal } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board, button, slot } from "./board.js";
import { PRESETS } from "./columns.js";
import { exportMenu } from "./export.js";
import { activeValues, change, FACETS, facetValues, toggle } from "./state.js";

export function drawToolbar() {
  const search = h("label", { class: "search" }, h("span", {}, text("search")), searchInput());
  slot("toolbar").replaceChildren(search, presetPicker(), filterPanel(), exportMenu());
}

function searchInput() {
  return h("input", {
    type: "search",
    value: board.state.search,
    placeholder: text("search_hint"),
    autocomplete: "off",
    spellcheck: "false",
    "data-focus": "search",
    oninput: (event) => change((state) => (state.search = event.target.value)),
  });
}

function presetPicker() {
  const choices = PRESETS.map((preset) => {
    const input = h("input", {
      type: "radio",
      name: `${board.root.id}-columns`,
      value: preset,
      "data-focus": `preset ${preset}`,
      onchange: () => change((state) => (state.columns = preset)),
    });
    input.checked = board.state.columns === preset;
    return h("label", { class: "choice" }, input, h("span", {}, text(`preset_${preset}`)));
  });
  return h(
    "fieldset",
    { class: "presets" },
    h("legend", {}, text("columns")),
    h("div", { class: "segments" }, choices),
  );
}

function filterPanel() {
  const panel = h(
    "details",
    { class: "filters" },
    h("summary", { "data-focus": "filters" }),
    h("div", { class: "panel" }),
  );
  panel.open = board.state.filtersOpen;
  panel.addEventListener("toggle", () => (board.state.filtersOpen = panel.open));
  return panel;
}

/** Facets and active filters follow the data and the state; the search field above them is never replaced. */
export function drawFilters() {
  const summary = slot("toolbar").querySelector(".filters > summary");
  const count = FACETS.reduce((sum, facet) => sum + activeValues(facet).length, 0);
  summary.textContent = count ? text("filters_active", { count: decimal(count) }) : text("filters");
  const clear = count ? button(text("clear"), "clear", clearFilters, { class: "quiet" }) : null;
  const note = h("p", { class: "note" }, text("filters_note"), " ", clear);
  slot("toolbar")
    .querySelector(".filters > .panel")
    .replaceChildren(...FACETS.map(facetGroup), note);
  slot("active").replaceChildren(
    ...FACETS.flatMap((facet) => activeValues(facet).map((value) => filterChip(facet, value))),
  );
}

/** A filter that is on, seen without opening the panel; pressing it turns it off. */
function filterChip(facet, value) {
  const names = { group: text(`facet_${facet}`), value: titleOf(facet, value) };
  const content = [`${names.group}: ${names.value} `, h("span", { "aria-hidden": "true" }, "×")];
  const remove = () => change((state) => state.filters[facet].delete(value));
  return button(content, `chip ${facet} ${value}`, remove, {
    class: "chip",
    "aria-label": text("remove_filter", names),
  });
}

function clearFilters() {
  change((state) => {
    for (const facet of FACETS) state.filters[facet].clear();
  });
}

function facetGroup(facet) {
  const boxes = facetValues(facet).map(([value, count]) => {
    const box = h("input", {
      type: "checkbox",
      "data-focus": `facet ${facet} ${value}`,
      onchange: () => change((state) => toggle(state.filters[facet], value)),
    });
    box.checked = board.state.filters[facet].has(value);
    const label = h("span", {}, titleOf(facet, value), h("small", {}, ` ${decimal(count)}`));
    return h("label", { class: "choice" }, box, label);
  });
  return boxes.length ? h("fieldset", {}, h("legend", {}, text(`facet_${facet}`)), boxes) : null;
}
