// Snippets that call this page from a program, with its real address and the ticked checkpoints filled in.
// value: {snippets: [{key, title, texts: {work: text}}], works: [name], endpoints: [{name, key}], checkpoints: [name],
//         offered: [name], sides: {name: pixels}, strings}; a snippet without a text for a work has one for all; `sides`
//         holds the working size of each checkpoint that can be exported

import { copyText } from "./base/clipboard.js";
import { all, h, one } from "./base/dom.js";
import { speak, text } from "./base/texts.js";

const find = (selector) => one(selector, element);
const languages = find(".code-languages");
const works = find(".code-works");
let shown = null; // key of the snippet on screen
let worked = null; // and what it does

const value = () => props.value || { snippets: [], works: [], endpoints: [], checkpoints: [], sides: {}, strings: {} };

/** Address of the page as a client needs it, without query and trailing slash. */
function address() {
  return `${window.location.origin}${window.location.pathname}`.replace(/\/+$/, "");
}

/** The ticked checkpoint of which the snippets for exported files speak, or any other that can be exported. */
function exported() {
  const { checkpoints, sides } = value();
  return checkpoints.find((name) => name in sides) ?? Object.keys(sides)[0];
}

/** The name under which the snippets know a checkpoint's exported file. */
const onnxFile = (name) => `${String(name).replaceAll("/", "--")}.onnx`;

function filled(pattern) {
  const name = exported();
  const names = JSON.stringify(value().checkpoints, null, 2);
  const places = { ADDRESS: address(), CHECKPOINTS: names, FILE: onnxFile(name), SIDE: value().sides[name] };
  return pattern.replace(/«(\w+)»/g, (_whole, place) => String(places[place])).trimEnd();
}

function press(group, key) {
  for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.key === key));
}

/** Shows the snippet in a language that does a work; what is not on offer gives way to the first that is. */
function show(key, work) {
  const snippet = value().snippets.find((other) => other.key === key) || value().snippets[0];
  if (!snippet) return;
  const [first] = value().works;
  shown = snippet.key;
  worked = work ?? first;
  press(languages, shown);
  press(works, worked);
  const own = Object.hasOwn(snippet.texts, worked);
  works.hidden = Object.keys(snippet.texts).length < 2;
  find("code").textContent = filled(snippet.texts[own ? worked : first]);
  find("pre").setAttribute("aria-label", snippet.title);
  const note = own && worked !== first ? worked : shown;
  find(".code-note").textContent = text(`code_note_${note}`, { name: exported(), file: onnxFile(exported()) });
}

/** One button for each key; `choose` is told of a click. */
function drawChoice(group, label, titles, choose) {
  group.setAttribute("aria-label", text(label));
  const act = (key) => {
    find(".code-told").textContent = "";
    choose(key);
  };
  group.replaceChildren(
    ...titles.map(([key, title]) => h("button", { type: "button", "data-key": key, onclick: () => act(key) }, title)),
  );
}

async function copy() {
  const copied = await copyText(find("code"));
  find(".code-told").textContent = text(copied ? "code_copied" : "code_selected");
}

function draw() {
  speak(value().strings);
  for (const node of all("[data-text]", element)) node.textContent = text(node.dataset.text);
  const languageTitles = value().snippets.map(({ key, title }) => [key, title]);
  drawChoice(languages, "code_language", languageTitles, (key) => show(key, worked));
  const workTitles = value().works.map((key) => [key, text(`code_work_${key}`)]);
  drawChoice(works, "code_work", workTitles, (key) => show(shown, key));
  find(".code-copy").textContent = text("code_copy");
  find("[data-text=code_endpoints]").hidden = !value().endpoints.length;
  find(".code-endpoints").replaceChildren(
    ...value().endpoints.flatMap(({ name, key }) => [h("dt", {}, h("code", {}, name)), h("dd", {}, text(key))]),
  );
  show(shown, worked);
}

find(".code-copy").addEventListener("click", copy);
draw();
watch("value", draw);
