// Words of Gradio's own components that it says in English whatever the language: names of its buttons, its toasts.

import { all } from "./dom.js";

const PLACES = "#photo, .block:has(input[type=file]), .file-preview, footer, [role=tablist], .toast-wrap";

/**
 * A function that says a text of Gradio's in another language, null for one that it does not know.
 * @param {Record<string, string>} words translations by the English text; {places} in both stand for anything
 * @param {(part: string) => string | null} written what stood in a place in the other language, null for as it is
 */
export function translator(words, written = () => null) {
  const patterns = Object.entries(words).map(([english, other]) => {
    const names = [...english.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const plain = english.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return { shape: new RegExp(`^${plain.join("(.+?)")}$`, "s"), names, other };
  });
  return (english) => {
    for (const { shape, names, other } of patterns) {
      const found = shape.exec(english);
      if (!found) continue;
      const parts = Object.fromEntries(names.map((name, index) => [name, found[index + 1]]));
      return other.replace(/\{(\w+)\}/g, (place, name) => written(parts[name] ?? "") ?? parts[name] ?? place);
    }
    return null;
  };
}

/** The size of a file, "6.1 KB" and what follows it, as a language writes it; null for what is none. */
export function sizeIn(tag, said) {
  const [, size, rest] = /^(\d+\.\d)(\s?[KMGT]?[Bb]\b.*)$/s.exec(said) ?? [];
  if (!size) return null;
  return new Intl.NumberFormat(tag, { minimumFractionDigits: 1 }).format(Number(size)) + rest;
}

/** Translates what Gradio has drawn and what it will draw, to the language of a BCP 47 tag. */
export function translateGradio(words, tag) {
  const known = translator(words, (part) => sizeIn(tag, part));
  const say = (said) => known(said) ?? sizeIn(tag, said);
  let wanted = false;
  const pass = () => {
    wanted = false;
    for (const place of all(PLACES)) translatePlace(place, say);
  };
  const ask = () => {
    if (!wanted) requestAnimationFrame(pass);
    wanted = true;
  };
  new MutationObserver(ask).observe(document.body, { childList: true, subtree: true });
  ask();
}

function translatePlace(place, say) {
  for (const node of all("[aria-label], [title], [alt]", place)) {
    for (const name of ["aria-label", "title", "alt"]) {
      const said = node.hasAttribute(name) && say(node.getAttribute(name).trim());
      if (said && said !== node.getAttribute(name)) node.setAttribute(name, said);
    }
  }
  const texts = document.createTreeWalker(place, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode;
    const said = say(node.textContent.trim());
    if (said && said !== node.textContent.trim()) node.textContent = said;
  }
}
