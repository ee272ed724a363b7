// The lesson: script and data are fetched when its tab is opened first.

import { h, one } from "../base/dom.js";
import { inWords } from "./shown.js";

const lesson = { shown: false };

/** A file of this page; one that cannot be had is refused with what to do. */
export async function fetchOwn(name) {
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw Object.assign(new Error(name), { key: "site_not_here", parts: { name } });
  return response;
}

const fetchValue = async (name) => (await fetchOwn(name)).json();

/** Shows the lesson in a language, unless it is shown already. */
export async function openLesson(language) {
  if (lesson.shown) return;
  lesson.shown = true;
  const place = one("#learn");
  try {
    const [same, own] = await Promise.all(["lesson.json", `lesson.${language}.json`].map(fetchValue));
    const { default: teach } = await import(new URL("lesson.js", document.baseURI).href);
    const value = { ...same, ...own, network: same.network && { ...same.network, ...own.network } };
    place.replaceChildren(h("style", {}, value.style), h("div", { class: "learn" }));
    await teach(one(".learn", place), value);
  } catch (error) {
    lesson.shown = false; // opened again, it is tried anew
    const refusal = error.key ? error : { key: "site_not_here", parts: { name: "lesson.js" } };
    place.replaceChildren(h("p", { role: "alert" }, inWords(refusal)));
  }
}
