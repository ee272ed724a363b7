// Leaderboard table, part 4: toolbar, the ranked table, and the paired difference of ticked rows.

function drawToolbar() {
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
  return h("fieldset", { class: "presets" }, h("legend", {}, text("columns")), h("div", { class: "segments" }, choices));
}

function filterPanel() {
  const panel = h("details", { class: "filters" }, h("summary", { "data-focus": "filters" }), h("div", { class: "panel" }));
  panel.open = board.state.filtersOpen;
  panel.addEventListener("toggle", () => (board.state.filtersOpen = panel.open));
  return panel;
}

/** Facets and active filters follow the data and the state; the search field above them is never replaced. */
function drawFilters() {
  const summary = slot("toolbar").querySelector(".filters > summary");
  const count = FACETS.reduce((sum, facet) => sum + activeValues(facet).length, 0);
  summary.textContent = count ? text("filters_active", { count: formatNumber(count, 0) }) : text("filters");
  const clear = count ? button(text("clear"), "clear", clearFilters, { class: "quiet" }) : null;
  const note = h("p", { class: "note" }, text("filters_note"), " ", clear);
  slot("toolbar").querySelector(".filters > .panel").replaceChildren(...FACETS.map(facetGroup), note);
  slot("active").replaceChildren(...FACETS.flatMap((facet) => activeValues(facet).map((value) => filterChip(facet, value))));
}

/** A filter that is on, seen without opening the panel; pressing it turns it off. */
function filterChip(facet, value) {
  const names = { group: text(`facet_${facet}`), value: titleOf(facet, value) };
  const content = [`${names.group}: ${names.value} `, h("span", { "aria-hidden": "true" }, "×")];
  const remove = () => change((state) => state.filters[facet].delete(value));
  return button(content, `chip ${facet} ${value}`, remove, { class: "chip", "aria-label": text("remove_filter", names) });
}

function clearFilters() {
  change((state) => FACETS.forEach((facet) => state.filters[facet].clear()));
}

function facetGroup(facet) {
  const boxes = facetValues(facet).map(([value, count]) => {
    const box = h("input", {
      type: "checkbox",
      "data-focus": `facet ${facet} ${value}`,
      onchange: () => change((state) => toggle(state.filters[facet], value)),
    });
    box.checked = board.state.filters[facet].has(value);
    const label = h("span", {}, titleOf(facet, value), h("small", {}, ` ${formatNumber(count, 0)}`));
    return h("label", { class: "choice" }, box, label);
  });
  return boxes.length ? h("fieldset", {}, h("legend", {}, text(`facet_${facet}`)), boxes) : null;
}

function toggle(set, value) {
  if (!set.delete(value)) set.add(value);
}

/** The ranked table: one body per set of images, since ranks and best values only mean something within one. */
function drawTable() {
  const groups = shownGroups();
  const shown = groups.reduce((sum, group) => sum + group.rows.length, 0);
  const counts = { shown: formatNumber(shown, 0), total: formatNumber(board.rows.length, 0) };
  slot("count").textContent = board.rows.length ? text("count_shown", counts) : "";
  if (shown === 0) {
    slot("table").replaceChildren(h("p", { class: "empty" }, text(board.rows.length ? "no_match" : "empty")));
    return;
  }
  const columns = shownColumns();
  const caption = h("caption", {}, h("span", {}, text("caption")));
  const head = h("thead", {}, headRow(columns));
  const bodies = groups.map((group) => groupBody(group, columns, groups.length > 1));
  const table = h("table", { class: "ranking" }, caption, head, bodies);
  placeTable(table);
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
  const pick = h("th", { scope: "col", class: "pick" }, hidden(text("column_pick")));
  return h("tr", {}, pick, columns.map((column) => headCell(column, columns)));
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

function groupBody(group, columns, titled) {
  const best = new Map(columns.map((column) => [column.id, bestOf(column, group.rows)]));
  const scales = new Map(columns.filter((column) => column.interval).map((column) => [column.id, scaleOf(column, group.rows)]));
  const rows = group.rows.flatMap((row) => {
    const cells = columns.map((column) => bodyCell(row, column, best.get(column.id), scales.get(column.id)));
    const open = board.state.open.has(row.key);
    const line = h("tr", { class: classNames({ picked: board.state.picked.includes(row.key), opened: open }), "data-key": row.key }, pickCell(row), cells);
    return open ? [line, detailRow(row, group, columns.length + 1)] : [line];
  });
  return h("tbody", {}, titled ? groupTitle(group, columns.length + 1) : null, rows);
}

function groupName(group) {
  return [titleOf("dataset", group.dataset), group.split].filter(Boolean).join(" ");
}

function groupTitle(group, span) {
  const counts = [...new Set(group.rows.map((row) => row.images).filter(isNumber))];
  const images = counts.length === 1 ? text("images", { count: formatNumber(counts[0], 0) }) : "";
  const label = h("span", {}, h("strong", {}, groupName(group)), images ? ` · ${images}` : "");
  return h("tr", { class: "group" }, h("th", { scope: "rowgroup", colspan: span }, label));
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
  const kinds = { number: column.numeric, words: !column.numeric, rank: column.id === "rank", missing, best: !missing && shown === best };
  const attributes = { "data-column": column.id, class: classNames(kinds) };
  if (missing) return h("td", attributes, h("span", { "aria-hidden": "true" }, "–"), hidden(text("missing")));
  if (column.interval && scale) return h("td", attributes, intervalCell(row, column, kinds.best, scale));
  return h("td", attributes, kinds.best ? h("strong", {}, shown) : shown);
}

function nameCell(row) {
  const open = board.state.open.has(row.key);
  const opener = button([h("span", { class: "twist", "aria-hidden": "true" }, "›"), h("span", {}, row.name)], `open ${row.key}`,
    () => change((state) => toggle(state.open, row.key)),
    { class: "opener", "aria-expanded": String(open), title: text("open", { name: row.name }) });
  const facts = [titleOf("variant", row.variant), titleOf("loss", row.loss), row.backbone];
  if (row.provenance && row.provenance !== "ours") facts.push(provenanceOf(row));
  return h("th", { scope: "row", class: "name", "data-column": "name" }, opener, h("small", {}, facts.filter(Boolean).join(" · ")));
}

/** Ends of the axis that the interval whiskers of one column share, or null when no row has an interval. */
function scaleOf(column, rows) {
  const intervals = rows.map(column.interval).filter(isInterval);
  if (intervals.length === 0) return null;
  const values = rows.map(column.value).filter(isNumber);
  return [Math.min(...values, ...intervals.map(([low]) => low)), Math.max(...values, ...intervals.map(([, high]) => high))];
}

function intervalCell(row, column, best, scale) {
  const interval = column.interval(row);
  const number = h(best ? "strong" : "span", { class: "value" }, column.show(row));
  if (!isInterval(interval)) return h("span", { class: "interval" }, number);
  const range = h("small", { "aria-hidden": "true" }, interval.map((end) => formatPercent(end)).join(" – "));
  const spoken = hidden(describePercent(column.value(row), interval).slice(column.show(row).length));
  return h("span", { class: "interval" }, number, spoken, whisker(column.value(row), interval, scale), range);
}

/** A dot with its interval on the axis that the column shares; does not start at zero, so it is no bar. */
function whisker(value, [low, high], [start, end]) {
  const width = 88;
  const x = (share) => 4 + ((width - 8) * (share - start)) / (end - start || 1);
  return svg("svg", { class: "whisker", width, height: 10, viewBox: `0 0 ${width} 10`, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "track", x1: 0, x2: width, y1: 5, y2: 5 }),
    svg("line", { class: "range", x1: x(low), x2: x(high), y1: 5, y2: 5 }),
    svg("circle", { class: "dot", cx: x(value), cy: 5, r: 3 }));
}

/** Words about ticked rows, and the button that takes them to an image. */
function drawPairs() {
  const rows = pickedRows();
  if (board.rows.length < 2 && rows.length === 0) return slot("pairs").replaceChildren();
  if (rows.length === 0) return slot("pairs").replaceChildren(h("p", { class: "note" }, text("pairs_hint")));
  const sentences = rows.flatMap((a, index) => rows.slice(index + 1).map((b) => pairSentence(a, b)));
  const hint = rows.length === 1 ? h("p", { class: "note" }, text("pairs_hint")) : null;
  const actions = h("div", { class: "actions" },
    button(text("compare_selected"), "compare selected", () => compareOnImage(rows), { class: "primary" }),
    button(text("clear_selection"), "clear selection", () => change((state) => (state.picked = [])), { class: "quiet" }));
  const names = h("p", { class: "names" }, rows.map((row) => h("span", { class: "chip" }, row.name)));
  slot("pairs").replaceChildren(
    h("section", { class: "pairs", "aria-live": "polite", "aria-label": text("pairs_title") }, h("h3", {}, text("pairs_title")), names, sentences, hint, actions));
}

/** Difference a - b with its interval as the payload states it for either order of the two, or null. */
function pairOf(a, b) {
  const stated = (first, second) => {
    const names = `${first.name}|${second.name}`;
    return board.pairs[`${names}@${first.group}`] ?? board.pairs[names];
  };
  if (stated(a, b)) return stated(a, b);
  const turned = stated(b, a);
  if (!turned) return null;
  const interval = isInterval(turned.interval) ? [-turned.interval[1], -turned.interval[0]] : null;
  return { difference: -turned.difference, interval };
}

function pairSentence(a, b) {
  if (a.group !== b.group) return h("p", {}, text("pair_other_images", { a: a.name, b: b.name }));
  const pair = pairOf(a, b);
  if (!pair || !isNumber(pair.difference)) return h("p", {}, text("pair_missing", { a: a.name, b: b.name }));
  if (pair.difference < 0) return pairSentence(b, a);
  const names = { a: a.name, b: b.name, difference: formatPercent(pair.difference) };
  if (!isInterval(pair.interval)) return h("p", {}, text("pair_no_interval", names));
  const [low, high] = pair.interval;
  const values = { ...names, low: formatPercent(low), high: formatPercent(high) };
  const sentence = text(pair.difference === 0 ? "pair_equal" : "pair_higher", values);
  const meaning = text(low > 0 || high < 0 ? "pair_clear" : "pair_unclear");
  return h("p", {}, sentence, " ", h("strong", {}, meaning));
}

/** Tell the app which checkpoints to show on an image: event "compare" with {checkpoints: [names]}. */
function compareOnImage(rows) {
  trigger("compare", { checkpoints: [...new Set(rows.map((row) => row.name))] });
}
