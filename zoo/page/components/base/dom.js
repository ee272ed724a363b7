// Building elements. Data only ever becomes text nodes and attributes, never markup, because names come from strangers.

export const SVG_SPACE = "http://www.w3.org/2000/svg";

/**
 * An HTML element. `attributes`: "class", "data-x", "aria-x", or "onclick" with a function; false, null and undefined
 * are left out, true becomes an empty attribute. Children are elements, text, or lists of them.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/**
 * An SVG element; like `h`.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...any} children
 */
export function svg(tag, attributes = {}, ...children) {
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

/** Sets textContent only when it changes, so that screen readers and layout are left alone. */
export function put(node, content) {
  if (node.textContent !== content) node.textContent = content;
}

/** Text that only a screen reader gets. */
export function unseen(content) {
  return h("span", { class: "unseen" }, content);
}

/** The names whose value is true, as a class attribute: {a: true, b: false} -> "a". */
export function classNames(kinds) {
  return (
    Object.keys(kinds)
      .filter((name) => kinds[name])
      .join(" ") || null
  );
}

/** The first element that fits, null where none does. @returns {any} of the kind that the selector says */
export function one(selector, root = /** @type {ParentNode} */ (document)) {
  return root.querySelector(selector);
}

/** All elements that fit. @returns {any[]} of the kind that the selector says */
export function all(selector, root = /** @type {ParentNode} */ (document)) {
  return [...root.querySelectorAll(selector)];
}
