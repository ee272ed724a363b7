// The ways in which a photo comes: file dialog, paste, drop, camera. What is brought goes to `take(file)`.

import { h, one } from "../base/dom.js";
import { text } from "../base/texts.js";

const inside = (event, selector) => event.target instanceof Element && event.target.closest(selector);

/** Puts the field into #photo; gives a function that shows the picture at an address in it, or none. */
export function photoField(take) {
  const input = h("input", { type: "file", accept: "image/*,.heic,.heif", id: "photo-file", class: "unseen-input" });
  const picture = h("img", { alt: "", hidden: true });
  const label = h("label", { for: "photo-file", class: "photo-drop" }, picture, h("span", {}, text("site_choose")));
  one("#photo").replaceChildren(h("h2", {}, text("photo")), input, label, one("#camera-open"));
  input.addEventListener("change", () => {
    if (input.files?.length) take(input.files[0]);
    input.value = ""; // so that the same file may be chosen again
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (!file || inside(event, "input, textarea, [contenteditable]")) return;
    event.preventDefault();
    take(file);
  });
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files") && !inside(event, "#truth-fold")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const file = event.dataTransfer?.files[0];
    if (!file || inside(event, "#truth-fold")) return;
    event.preventDefault();
    take(file);
  });
  return (address, name) => {
    picture.hidden = !address;
    if (address) picture.src = address;
    else picture.removeAttribute("src");
    picture.alt = address ? name : "";
  };
}
