// The little Markdown of the page's texts: headings, lists, paragraphs, **bold**, *slanted*, `code`, [links](<address>).

import { h } from "../base/dom.js";

const INLINE = /\*\*(.+?)\*\*|\*(.+?)\*|`(.+?)`|\[(.+?)\]\(<?(\S+?)>?\)/g;

function inline(line) {
  const parts = [];
  let last = 0;
  for (const found of line.matchAll(INLINE)) {
    const [whole, bold, slanted, code, label, address] = found;
    parts.push(line.slice(last, found.index));
    last = found.index + whole.length;
    if (bold) parts.push(h("strong", {}, bold));
    else if (slanted) parts.push(h("em", {}, slanted));
    else if (code) parts.push(h("code", {}, code));
    else parts.push(h("a", { href: address, target: "_blank", rel: "noopener" }, label));
  }
  return [...parts, line.slice(last)];
}

/** A heading or a paragraph. */
function block(line) {
  const heading = /^(#{1,3}) (.*)$/.exec(line);
  if (!heading) return h("p", {}, inline(line));
  const tag = /** @type {"h1" | "h2" | "h3"} */ (`h${heading[1].length}`);
  return h(tag, {}, inline(heading[2]));
}

/** Shows a text in an element, in place of what it holds. */
export function write(holder, markdown) {
  const lines = markdown.split(/\n+/).filter((line) => line.trim());
  /** @type {HTMLElement[]} */
  const shown = [];
  for (const line of lines) {
    const item = /^- (.*)$/.exec(line);
    const before = shown.at(-1);
    if (item && before?.tagName === "UL") before.append(h("li", {}, inline(item[1])));
    else if (item) shown.push(h("ul", {}, h("li", {}, inline(item[1]))));
    else shown.push(block(line));
  }
  holder.replaceChildren(...shown);
}
