// Snippets that call this page from a program, with its real address and the ticked checkpoints filled in.
// value: {snippets: [{key, title, text}], endpoints: [{name, key}], checkpoints: [name], offered: [name], strings}

const find = (selector) => element.querySelector(selector);
const languages = find(".code-languages");
let shown = null; // key of the snippet on screen

const value = () => props.value || {snippets: [], endpoints: [], checkpoints: [], strings: {}};
const string = (key) => value().strings[key] || "";

/** Address of the page as a client needs it, without query and trailing slash. */
function address() {
  return `${window.location.origin}${window.location.pathname}`.replace(/\/+$/, "");
}

function fill(text) {
  const names = JSON.stringify(value().checkpoints, null, 2);
  return text.replaceAll("«ADDRESS»", address()).replaceAll("«CHECKPOINTS»", names).trimEnd();
}

function show(key) {
  const snippet = value().snippets.find((other) => other.key === key) || value().snippets[0];
  if (!snippet) return;
  shown = snippet.key;
  for (const button of languages.children) {
    button.setAttribute("aria-pressed", String(button.dataset.key === shown));
  }
  find("code").textContent = fill(snippet.text);
  find("pre").setAttribute("aria-label", snippet.title);
  find(".code-note").textContent = string(`code_note_${shown}`);
}

async function copy() {
  const text = find("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard without https or permission: the text is selected, so that the person's own key copies it.
    window.getSelection().selectAllChildren(find("code"));
    find(".code-told").textContent = string("code_selected");
    return;
  }
  find(".code-told").textContent = string("code_copied");
}

function draw() {
  for (const node of element.querySelectorAll("[data-text]")) node.textContent = string(node.dataset.text);
  languages.setAttribute("aria-label", string("code_language"));
  languages.replaceChildren(
    ...value().snippets.map(({key, title}) => {
      const button = document.createElement("button");
      Object.assign(button, {type: "button", textContent: title});
      button.dataset.key = key;
      button.addEventListener("click", () => {
        find(".code-told").textContent = "";
        show(key);
      });
      return button;
    }),
  );
  find(".code-copy").textContent = string("code_copy");
  find(".code-endpoints").replaceChildren(
    ...value().endpoints.flatMap(({name, key}) => {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("code"), {textContent: name}));
      return [term, Object.assign(document.createElement("dd"), {textContent: string(key)})];
    }),
  );
  show(shown);
}

find(".code-copy").addEventListener("click", copy);
draw();
watch("value", draw);
