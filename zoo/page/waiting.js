// Place in the queue and the time left, in the visitor's language. value: {strings}
// Gradio knows both and writes them as "queue: 2/3 | 4.1/9.0s" (place/length | waited/expected); that text is read from
// its status line, which page.css hides. A text of another form is shown as it is.

const line = element.querySelector(".waiting");
const [place, time] = line.children;
const strings = () => (props.value || {}).strings || {};

function put(node, text) {
  if (node.textContent !== text) node.textContent = text; // so that screen readers hear a change of place only
}

function show(text) {
  line.hidden = !text;
  const found = /(\d+)\/(\d+)\s*\|\s*([\d.]+)(?:\/([\d.]+))?\s*s/.exec(text);
  if (!found) return [put(place, text), put(time, "")];
  const [, rank, length, waited, expected] = found;
  const left = Math.max(1, Math.round(Number(expected) - Number(waited)));
  const key = expected && Number(expected) > Number(waited) ? "queue_left" : "queue_waited";
  put(place, (strings().queue_place || "").replace("{place}", rank).replace("{length}", length));
  return put(time, (strings()[key] || "").replace("{seconds}", String(key === "queue_left" ? left : Math.round(waited))));
}

function read() {
  const told = document.querySelector("#status [data-testid=status-tracker] .progress-text");
  show(told && told.textContent.includes("/") ? told.textContent.trim() : "");
}

const observer = new MutationObserver(read);
/** The status line may come after this script. */
function start() {
  const status = document.querySelector("#status");
  if (!status) return void window.setTimeout(start, 100);
  observer.observe(status, {childList: true, subtree: true, characterData: true});
  return read();
}

start();
