// Leaderboard table, part 3: search, filters, sort, columns and selection, and their place in the page's address.

const ADDRESS_PREFIX = "lb_";
const FACETS = ["variant", "loss", "backbone", "dataset", "split", "source", "provenance"];
const SELECTION_LIMIT = 4;
const SPLIT_ORDER = ["test", "val", "train"];

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
    filtersOpen: false,
    publishedOpen: false,
  };
}

/** State from query parameters; what is not understood is left at its default. */
function readAddress(query = window.location.search) {
  const parameters = new URLSearchParams(query);
  const one = (name) => parameters.get(ADDRESS_PREFIX + name) ?? "";
  const all = (name) => parameters.getAll(ADDRESS_PREFIX + name);
  const state = freshState();
  state.search = one("q");
  state.columns = PRESETS.includes(one("cols")) ? one("cols") : state.columns;
  const sort = /^(.+)\.(asc|desc)$/.exec(one("sort"));
  if (sort) [state.sort, state.descending] = [sort[1], sort[2] === "desc"];
  for (const facet of FACETS) state.filters[facet] = new Set(all(facet));
  state.picked = [...new Set(all("pick"))].slice(0, SELECTION_LIMIT);
  state.open = new Set(all("open"));
  state.group = one("images");
  return state;
}

/** Write the state into the page's address without a new history entry; other parameters stay as they are. */
function writeAddress() {
  const address = new URL(window.location.href);
  const { state } = board;
  for (const name of [...address.searchParams.keys()]) {
    if (name.startsWith(ADDRESS_PREFIX)) address.searchParams.delete(name);
  }
  const add = (name, value) => address.searchParams.append(ADDRESS_PREFIX + name, value);
  if (state.search.trim()) add("q", state.search);
  if (state.columns !== "accuracy") add("cols", state.columns);
  if (state.sort !== "rank" || state.descending) add("sort", `${state.sort}.${state.descending ? "desc" : "asc"}`);
  for (const facet of FACETS) for (const value of state.filters[facet]) add(facet, value);
  for (const key of state.picked) add("pick", key);
  for (const key of state.open) add("open", key);
  if (state.group) add("images", state.group);
  if (address.href !== window.location.href) window.history.replaceState(window.history.state, "", address);
}

/** Rows with a `key` each (name, dataset and split, numbered where that is not unique) and a `group` of same images. */
function keyedRows(rows) {
  const seen = new Map();
  return rows.map((row) => {
    const group = `${row.dataset}/${row.split}`;
    const base = `${row.name}@${group}`;
    seen.set(base, (seen.get(base) ?? 0) + 1);
    return { ...row, group, key: seen.get(base) === 1 ? base : `${base}#${seen.get(base)}` };
  });
}

function searchText(row) {
  const titles = [titleOf("variant", row.variant), titleOf("loss", row.loss), titleOf("dataset", row.dataset)];
  const fields = [row.name, row.variant, row.loss, row.backbone, row.dataset, row.split, row.source, row.device];
  return [...fields, ...titles].filter(Boolean).join(" ").toLowerCase();
}

/** True when any of the searches between `;` has all its words in the row. */
function matchesSearch(row, search) {
  const searches = search.toLowerCase().split(";").map((part) => part.split(/\s+/).filter(Boolean));
  const wanted = searches.filter((words) => words.length > 0);
  const content = searchText(row);
  return wanted.length === 0 || wanted.some((words) => words.every((word) => content.includes(word)));
}

/** Values of a facet with how many rows have each, in reading order. */
function facetValues(facet) {
  const counts = new Map();
  for (const row of board.rows) {
    const value = String(row[facet] ?? "");
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }));
}

/** Values ticked in a facet that any row has; an old address may name ones that are gone. */
function activeValues(facet) {
  const known = new Set(facetValues(facet).map(([value]) => value));
  return [...board.state.filters[facet]].filter((value) => known.has(value));
}

/** Rows that fit the search and the filters, in no particular order. */
function fittingRows() {
  const active = FACETS.map((facet) => [facet, activeValues(facet)]).filter(([, values]) => values.length > 0);
  return board.rows.filter(
    (row) =>
      matchesSearch(row, board.state.search) &&
      active.every(([facet, values]) => values.includes(String(row[facet] ?? ""))),
  );
}

/** Order of two values of one column; nulls last whichever way the column is sorted. */
function compareValues(a, b, descending) {
  if (a === null || b === null) return (a === null) - (b === null);
  const order = typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
  return descending ? -order : order;
}

/** The column the rows are sorted by; rank when the sorted column is not on show. @returns {Column} */
function sortColumn(columns = shownColumns()) {
  return columns.find((column) => column.id === board.state.sort) ?? columns[0];
}

function sortedRows(rows) {
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

/** Rows on show by images they were measured on: [{key, dataset, split, rows}], each sorted. */
function shownGroups() {
  const groups = new Map();
  for (const row of sortedRows(fittingRows())) {
    if (!groups.has(row.group)) groups.set(row.group, { key: row.group, dataset: row.dataset, split: row.split, rows: [] });
    groups.get(row.group).rows.push(row);
  }
  const place = (split) => (SPLIT_ORDER.includes(split) ? SPLIT_ORDER.indexOf(split) : SPLIT_ORDER.length);
  return [...groups.values()].sort(
    (a, b) => compareValues(String(a.dataset), String(b.dataset), false) || place(a.split) - place(b.split) ||
      compareValues(String(a.split), String(b.split), false),
  );
}

/** Rows on show, in the order of the page. */
function shownRows() {
  return shownGroups().flatMap((group) => group.rows);
}

/** Rows that are ticked, in the order in which they were ticked. */
function pickedRows() {
  return board.state.picked.map((key) => board.rows.find((row) => row.key === key)).filter(Boolean);
}

/** Change the state, keep it in the address and draw again. */
function change(update) {
  update(board.state);
  writeAddress();
  keepFocus(drawAll);
}
