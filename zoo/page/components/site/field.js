// The ways in which photos come: file dialog, paste, drop, camera. One that is brought goes to `take(file)`, several, and
// what is brought while the tab for many is open, to `takeMany(files)`.

import { h, one } from "../base/dom.js";
import { text } from "../base/texts.js";

const OWN = "#truth-fold, #batch-field"; // these take what is dropped on them by themselves

const inside = (event, selector) => event.target instanceof Element && event.target.closest(selector);

/** Puts the field into #photo; gives a function that shows the picture at an address in it, or none. */
export function photoField(take, takeMany) {
  const bring = (files) => (files.length > 1 || !one("#tab-batch").hidden ? takeMany(files) : take(files[0]));
  const input = h("input", { type: "file", accept: "image/*,.heic,.heif", id: "photo-file", class: "unseen-input" });
  const picture = h("img", { alt: "", hidden: true });
  const label = h("label", { for: "photo-file", class: "photo-drop" }, picture, h("span", {}, text("site_choose")));
  one("#photo").replaceChildren(h("h2", {}, text("photo")), input, label, one("#camera-open"));
  input.addEventListener("change", () => {
    if (input.files?.length) take(input.files[0]);
    input.value = ""; // so that the same file may be chosen again
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    if (!files?.length || inside(event, "input, textarea, [contenteditable]")) return;
    event.preventDefault();
    bring(files);
  });
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files") && !inside(event, OWN)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const files = event.dataTransfer?.files;
    if (!files?.length || inside(event, OWN)) return;
    event.preventDefault();
    bring(files);
  });
  return (address, name) => {
    picture.hidden = !address;
    if (address) picture.src = address;
    else picture.removeAttribute("src");
    picture.alt = address ? name : "";
  };
}
