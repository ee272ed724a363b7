// Leaderboard table, part 1: texts, numbers and DOM building. Data only ever becomes text nodes and attributes,
// never markup, because names come from strangers.

const SVG_SPACE = "http://www.w3.org/2000/svg";

/** What the parts share: the component's value, the rows with their keys, and the state kept in the address. */
const board = { root: element, rows: [], pairs: {}, published: [], texts: ENGLISH, locale: "en", state: null, drawnPlots: null };

/** Text of `key` in the page's language, with {name} places filled from `values`. */
function text(key, values = {}) {
  const template = board.texts[key] ?? ENGLISH[key] ?? key;
  return template.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

/** Text of `prefix_value` where one exists, else the value itself: "fcn8s" -> "FCN-8s". */
function titleOf(prefix, value) {
  const key = `${prefix}_${value}`;
  return Object.hasOwn(ENGLISH, key) ? text(key) : String(value ?? "");
}

/** True for a number that can be shown, sorted and drawn. */
function isNumber(value) {
  return typeof value === "number" && Number.isFinite(value);
}

/** True for [low, high] with two numbers. */
function isInterval(value) {
  return Array.isArray(value) && value.length === 2 && value.every(isNumber);
}

function formatNumber(value, digits, options = {}) {
  if (!isNumber(value)) return "–";
  return value.toLocaleString(board.locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, ...options });
}

/** Fraction in [0, 1] as per cent without the sign: 0.593 -> "59.3". */
function formatPercent(fraction, digits = 1) {
  return isNumber(fraction) ? formatNumber(100 * fraction, digits) : "–";
}

/** "59.3" or, with an interval, "59.3, 95 % interval 56.0 to 62.0". */
function describePercent(value, interval) {
  if (!isNumber(value)) return text("missing");
  if (!isInterval(interval)) return formatPercent(value);
  const [low, high] = interval.map((end) => formatPercent(end));
  return text("interval_of", { value: formatPercent(value), low, high });
}

/** Drop a locale that the browser does not know, so that formatting never throws. */
function knownLocale(locale) {
  try {
    return Intl.getCanonicalLocales(locale)[0] ?? "en";
  } catch {
    return "en";
  }
}

/**
 * Build an HTML element. `attributes`: "class", "data-x", aria-..., or "onclick" with a function; false and null are
 * left out, true becomes an empty attribute. Children are elements or text.
 */
function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Build an SVG element; like `h`. */
function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG_SPACE, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

/** Text that only a screen reader gets. */
function hidden(content) {
  return h("span", { class: "unseen" }, content);
}

/** The names whose value is true, as a class attribute: {a: true, b: false} -> "a". */
function classNames(kinds) {
  return Object.keys(kinds).filter((name) => kinds[name]).join(" ") || null;
}

/** A button; `focus` names it so that the focus finds it again after a redraw. */
function button(label, focus, onclick, attributes = {}) {
  return h("button", { type: "button", "data-focus": focus, onclick, ...attributes }, label);
}

/** The place in the template that `part` draws into. */
function slot(part) {
  return board.root.querySelector(`[data-slot="${part}"]`);
}

/**
 * Run `draw`, then give the focus back to the element with the same `data-focus` if the redraw replaced it, and scroll
 * so that this element stays where it was on the screen.
 */
function keepFocus(draw) {
  const active = board.root.contains(document.activeElement) ? document.activeElement : null;
  const name = active?.dataset.focus;
  const top = active?.getBoundingClientRect().top;
  draw();
  if (name === undefined) return;
  const twin = active.isConnected ? active : findFocus(name);
  const next = twin ?? findFocus(/^(chip |clear$)/.test(name) ? "filters" : "region"); // what had the focus is gone
  if (next !== document.activeElement) next?.focus({ preventScroll: true });
  if (twin) window.scrollBy(0, twin.getBoundingClientRect().top - top);
}

function findFocus(name) {
  return [...board.root.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === name);
}

/** A label short enough for a plot, still different for each of `rows`. */
function shortLabels(rows) {
  const parts = [
    (row) => titleOf("variant", row.variant),
    (row) => row.loss,
    (row) => row.backbone,
  ];
  const used = parts.filter((part, index) => index === 0 || new Set(rows.map(part)).size > 1);
  const labels = rows.map((row) => used.map((part) => part(row)).filter(Boolean).join(" · "));
  const unique = new Set(labels).size === labels.length && labels.every(Boolean);
  return new Map(rows.map((row, index) => [row.key, unique ? labels[index] : row.name]));
}
