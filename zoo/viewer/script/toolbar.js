// The toolbar, the help sheet and the line that screen readers hear.

const KEYS = [
  ["O M C F D", "key_modes"],
  ["[ ]", "key_opacity"],
  ["← ↑ ↓ →", "key_pan"],
  ["Shift + ← ↑ ↓ →", "key_cross"],
  ["Enter", "key_pin"],
  ["+ −", "key_zoom"],
  ["0", "key_fit"],
  ["H", "key_hide"],
  ["S", "key_solo"],
  ["A", "key_all"],
  ["P", "key_patterns"],
  ["R", "key_reference"],
  ["W , .", "key_swipe"],
  ["G", "key_fullscreen"],
  ["?", "key_help"],
  ["Esc", "key_escape"],
];

const ACTIONS = {
  zoom_in: () => zoomBy(mainStage(), 1.5),
  zoom_out: () => zoomBy(mainStage(), 1 / 1.5),
  fit: fitView,
  patterns: () => setPatterns(!state.patterns),
  swipe: () => setSwipe(!state.swipe.on),
  fullscreen: toggleFullscreen,
  help: () => find("dialog").showModal(),
  close: () => find("dialog").close(),
};

/** The stage that keys and buttons act on: the focused one, else the first on screen. */
function mainStage() {
  const shown = visibleStages();
  return shown.find((stage) => stage.canvas === document.activeElement) || shown[0];
}

function bindToolbar() {
  for (const button of findAll("[data-mode]")) button.addEventListener("click", () => setMode(button.dataset.mode));
  for (const button of findAll("[data-action]")) {
    button.addEventListener("click", () => state.photo && ACTIONS[button.dataset.action]());
  }
  find(".opacity input").addEventListener("input", (event) => setOpacity(Number(event.target.value) / 100));
  find(".reference select").addEventListener("change", (event) => setReference(event.target.value));
  const sheet = find("dialog");
  sheet.addEventListener("click", (event) => event.target === sheet && sheet.close());
}

/** Puts texts, names and pressed states in place; called for each new value, as its strings may be new. */
function updateToolbar() {
  for (const node of findAll("[data-text]")) put(node, text(node.dataset.text));
  for (const node of findAll("[data-label]")) node.setAttribute("aria-label", text(node.dataset.label));
  for (const node of findAll("button[data-label], [data-title]")) {
    node.title = text(node.dataset.title || node.dataset.label);
  }
  fillHelp();
  fillReference();
  showMode();
  showZoom();
  setOpacity(state.opacity);
  find("[data-action=patterns]").setAttribute("aria-pressed", String(state.patterns));
}

function fillHelp() {
  const lines = KEYS.flatMap(([keys, key]) => [make("dt", {}, [make("kbd", {}, [keys])]), make("dd", {}, [text(key)])]);
  find("dialog dl").replaceChildren(...lines);
}

/** What the difference mode can compare with: [value, text] pairs. */
function references() {
  const checkpoints = state.panels.filter((panel) => !panel.data.isTruth);
  const list = [["panels", text("all_checkpoints")]];
  if (state.panels.some((panel) => panel.data.isTruth)) list.push(["truth", text("ground_truth")]);
  return list.concat(checkpoints.map((panel) => [`panel:${panel.key}`, panelTitle(panel)]));
}

function fillReference() {
  const options = references();
  if (!options.some(([value]) => value === state.reference)) state.reference = "panels";
  const select = find(".reference select");
  select.replaceChildren(...options.map(([value, label]) => new Option(label, value)));
  select.value = state.reference;
}

function setReference(value) {
  state.reference = value;
  find(".reference select").value = value;
  for (const card of cards.values()) updateCard(card);
  layersChanged();
}

function setMode(mode) {
  state.mode = mode;
  showMode();
  for (const card of cards.values()) updateCard(card);
  layersChanged();
  say(text("mode_is", { name: text(mode) }));
}

function showMode() {
  const { mode } = state;
  for (const button of findAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  find(".reference").hidden = mode !== "difference";
  find(".heat").hidden = mode !== "confidence";
  find(".opacity input").disabled = mode === "mask"; // nothing lies under the mask there
}

function setOpacity(opacity) {
  state.opacity = Math.min(Math.max(opacity, 0), 1);
  const slider = find(".opacity input");
  slider.value = String(Math.round(state.opacity * 100));
  slider.style.setProperty("--fill", `${state.opacity * 100}%`);
  slider.setAttribute("aria-valuetext", percent(state.opacity, 0));
  redraw();
}

function setPatterns(on) {
  state.patterns = on;
  find("[data-action=patterns]").setAttribute("aria-pressed", String(on));
  updateLegend();
  layersChanged();
}

function showZoom() {
  put(find(".level"), percent(state.view.zoom, 0));
  find(".body").classList.toggle("zoomed", state.view.zoom > 1); // then one finger moves the photo, not the page
}

function toggleFullscreen() {
  const root = find(".fcn-viewer");
  if (document.fullscreenElement) document.exitFullscreen();
  else if (root.requestFullscreen) root.requestFullscreen();
}

/** Says a line to screen readers. */
function say(message) {
  put(find(".status"), message);
}
