// Place in the queue and the time left, in the visitor's language. value: {strings}
// Gradio knows both and writes them as "queue: 2/3 | 4.1/9.0s" (place/length | waited/expected); that text is read from
// its status line, which page.css hides. A text of another form is shown as it is.

import { put } from "./base/dom.js";
import { decimal } from "./base/numbers.js";
import { hasText, speak, text } from "./base/texts.js";

const line = /** @type {HTMLElement} */ (element.querySelector(".waiting"));
const [place, time] = line.children;

function show(told) {
  speak(props.value?.strings);
  line.hidden = !told || !hasText("queue_place"); // the strings come with the first answer
  const found = /(\d+)\/(\d+)\s*\|\s*([\d.]+)(?:\/([\d.]+))?\s*s/.exec(told);
  if (!found) {
    put(place, told);
    put(time, "");
    return;
  }
  const [, rank, length, waited, expected] = found;
  const left = Math.max(1, Math.round(Number(expected) - Number(waited)));
  const key = expected && Number(expected) > Number(waited) ? "queue_left" : "queue_waited";
  put(place, text("queue_place", { place: rank, length }));
  put(time, text(key, { seconds: decimal(key === "queue_left" ? left : Math.round(Number(waited))) }));
}

function read() {
  const told = document.querySelector("#status [data-testid=status-tracker] .progress-text");
  show(told?.textContent.includes("/") ? told.textContent.trim() : "");
}

const observer = new MutationObserver(read);
/** The status line may come after this script. */
function start() {
  const status = document.querySelector("#status");
  if (!status) return void window.setTimeout(start, 100);
  observer.observe(status, { childList: true, subtree: true, characterData: true });
  return read();
}

start();
