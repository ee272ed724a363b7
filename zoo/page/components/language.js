// Links that open this very address in another language; language_head.html and the server read `?lang=`.
// value: {label, languages: [{tag, title, page, skip, gradio}]}, English first. Also says in the language that is shown
// what stands outside the components: the document's title, the link to the masks, words of Gradio's.

import { addressWith, keepVisit } from "./base/address.js";
import { h, one } from "./base/dom.js";
import { translateGradio } from "./base/gradio_words.js";

const primary = (tag) => tag.toLowerCase().split("-")[0];

function open(event, tag) {
  event.preventDefault();
  keepVisit();
  window.location.assign(addressWith((parameters) => parameters.set("lang", tag)));
}

const { label, languages } = props.value;
const shown = languages.find(({ tag }) => primary(tag) === primary(navigator.language)) ?? languages[0];
const links = languages.map(({ tag, title }) => {
  const current = tag === shown.tag ? "true" : null;
  const facts = { href: `?lang=${tag}`, lang: tag, hreflang: tag, "aria-current": current };
  return h("a", { ...facts, onclick: (event) => open(event, tag) }, title);
});
const bar = element.querySelector(".language");
bar.setAttribute("aria-label", label);
bar.replaceChildren(...links);

document.documentElement.lang = shown.tag;
document.title = shown.page;
const skip = one(".skip", element);
skip.textContent = shown.skip;
skip.addEventListener("click", (event) => {
  const target = one("#viewer canvas.picture") ?? one("#viewer");
  event.preventDefault(); // the address is the page's own
  target.scrollIntoView({ block: "center" });
  target.focus();
});
translateGradio(shown.gradio, shown.tag); // in English too: one of its names is the key of a text
