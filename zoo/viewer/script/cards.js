// One card per panel: heading with name, mIoU and milliseconds, the stage, and a line for the read-out.
// Every string of the value enters the page through textContent or an attribute, never as HTML.

const cards = new Map(); // panel key -> card
const SMALLEST_CARD = 100; // CSS pixels with its gap, in a table

/** A new element with properties and children; children that are strings become text. */
function make(tag, properties = {}, children = []) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  element.append(...children);
  return element;
}

/** Sets textContent only when it changes, so that screen readers and layout are left alone. */
function put(element, content) {
  if (element.textContent !== content) element.textContent = content;
}

function makeCard(panel) {
  const stage = makeStage((context) => drawPanel(context, panel));
  const parts = {
    title: make("span", { className: "title" }),
    score: make("span", { className: "score" }),
    speed: make("span", { className: "speed" }),
    message: make("p", { className: "message" }),
    swatch: make("canvas", { className: "swatch", hidden: true }),
    reading: make("span", { className: "reading" }),
    differing: make("span", { className: "differing" }),
  };
  parts.swatch.setAttribute("aria-hidden", "true");
  stage.box.append(parts.message);
  const head = make("figcaption", {}, [parts.title, parts.score, parts.speed]);
  const foot = make("div", { className: "foot" }, [parts.swatch, parts.reading, parts.differing]);
  const element = make("figure", { className: "card" }, [head, stage.box, foot]);
  return { element, stage, panel, ...parts };
}

/** Brings the cards in line with state.panels: order, additions, removals, texts. */
function updateCards() {
  const grid = find(".grid");
  for (const [key, card] of cards) {
    if (state.panels.includes(card.panel)) continue;
    removeStage(card.stage);
    card.element.remove();
    cards.delete(key);
  }
  state.panels.forEach((panel, i) => {
    if (!cards.has(panel.key)) cards.set(panel.key, makeCard(panel));
    const { element } = cards.get(panel.key);
    if (grid.children[i] !== element) grid.insertBefore(element, grid.children[i] || null);
    updateCard(cards.get(panel.key));
  });
  layOut();
}

function updateCard(card) {
  const { panel } = card;
  const { title, name, status } = panel.data;
  put(card.title, panelTitle(panel));
  card.title.title = String(name || title);
  showScore(card);
  put(card.speed, isNumber(panel.data.milliseconds) ? duration(panel.data.milliseconds) : "");
  const shown = panel.error ? "failed" : status === "done" && !panel.ids ? "running" : status;
  card.element.dataset.status = shown;
  card.stage.box.setAttribute("aria-busy", String(shown === "running"));
  put(card.message, statusMessage(panel, shown));
  card.stage.canvas.setAttribute("aria-label", describe(panel));
  pulse(card, shown === "running");
}

function statusMessage(panel, shown) {
  if (shown === "done") return missingPart(panel);
  if (shown === "failed") return text("failed"); // the reason may be long: it stands below the picture
  const detail = String(panel.data.message || "");
  const label = panel.data.status === "done" ? text("loading") : text(shown in ENGLISH ? shown : "waiting");
  return detail ? `${label}: ${detail}` : label;
}

/** Why the current mode has nothing to show for a finished panel, "" when it has. */
function missingPart(panel) {
  if (state.mode === "confidence" && !panel.confidence) return panel.confidenceError || text("no_confidence");
  const alone = state.mode === "difference" && state.reference === "panels" && drawnCheckpoints().length < 2;
  return alone && !panel.data.isTruth ? text("nothing_to_compare") : "";
}

/** mIoU with its interval; a button that the page can answer when value.leaderboard_links is set. */
function showScore(card) {
  const { miou, miou_interval: interval, name } = card.panel.data;
  card.score.replaceChildren();
  if (!isNumber(miou)) return;
  const link = Boolean(state.value.leaderboard_links);
  const holder = make(link ? "button" : "span", { className: "miou" }, [`mIoU ${percent(miou)}`]);
  if (Array.isArray(interval) && interval.every(isNumber)) {
    const [low, high] = interval.map((end) => percent(end));
    holder.append(make("small", {}, [` ±${decimal(((interval[1] - interval[0]) / 2) * 100, 1)}`]));
    holder.title = text("interval", { low, high });
  }
  if (link) {
    holder.type = "button";
    holder.setAttribute("aria-label", `mIoU ${percent(miou)}. ${text("leaderboard", { name })}`);
    holder.addEventListener("click", () => trigger("leaderboard", { name }));
  }
  card.score.append(holder);
}

/** What a screen reader says about a picture: its name and the three largest classes. */
function describe(panel) {
  const shares = panelShares(panel);
  const largest = state.classes
    .filter(({ index }) => shares[index] > 0)
    .sort((a, b) => shares[b.index] - shares[a.index])
    .slice(0, 3)
    .map(({ name, index }) => `${name} ${percent(shares[index])}`);
  return [String(panel.data.title || panel.data.name), largest.join(", ")].filter(Boolean).join(": ");
}

/** A quiet sign of work on running cards. Animated here, as a scoped style sheet cannot hold @keyframes. */
function pulse(card, running) {
  if (!running || matchMedia("(prefers-reduced-motion: reduce)").matches) {
    if (card.animation) card.animation.cancel();
    card.animation = null;
  } else if (!card.animation) {
    const steps = [{ opacity: 1 }, { opacity: 0.45 }, { opacity: 1 }];
    card.animation = card.message.animate(steps, { duration: 1600, iterations: Infinity });
  }
}

/** The line under each picture: what the panel says under the cross-hair, else what the panel is. */
function showReadings() {
  for (const card of cards.values()) {
    const { panel } = card;
    const found = state.cross && reading(panel, state.cross.x, state.cross.y);
    showReading(card, found, captionOf(panel));
    const share = state.mode === "difference" && panel.ids ? panel.differing : null;
    const key = state.reference === "truth" ? "wrong" : "differs";
    put(card.differing, isNumber(share) ? text(key, { share: percent(share) }) : "");
  }
  showSwipeReadings();
  showPosition();
  markChips();
}

/** What stands below a picture without a cross-hair: why it failed, or what the checkpoint is. */
function captionOf(panel) {
  const failure = panel.error || (panel.data.status === "failed" && panel.data.message);
  return String(failure || panel.data.subtitle || "");
}

function showReading(parts, found, otherwise) {
  parts.swatch.hidden = !found || found.index < 0;
  parts.reading.classList.toggle("found", Boolean(found));
  if (!found) return put(parts.reading, otherwise);
  const certainty = found.confidence === null ? "" : ` ${percent(found.confidence)}`;
  put(parts.reading, found.name + certainty);
  if (found.index < 0) return undefined;
  const key = `${found.index} ${state.patterns}`;
  if (parts.swatchKey !== key) paintSwatch(parts.swatch, state.classes[found.index]);
  parts.swatchKey = key;
  return undefined;
}

function showPosition() {
  const { cross } = state;
  if (!cross) return put(find(".position"), "");
  const parts = [text("position", { x: cross.x, y: cross.y }), cross.pinned ? text("pinned") : ""];
  return put(find(".position"), parts.filter(Boolean).join(" · "));
}

/**
 * Columns by number of panels and width: side by side as long as a panel keeps a useful size. Where the page says that
 * the panels make a table (value.columns), its rows stay rows, even on a phone: all zoom together, so small is enough.
 */
function layOut() {
  if (!state.value) return;
  const { width, height } = state.value.photo;
  const grid = find(".grid");
  const count = state.panels.length;
  const room = grid.clientWidth || element.clientWidth || 1;
  const table = state.value.columns || 0;
  const wanted = table || (count <= 3 ? count : count === 4 ? 2 : 3);
  const fitting = room < 560 ? (count > 3 ? 2 : 1) : Math.max(2, Math.floor(room / 260));
  const columns = table && table * SMALLEST_CARD <= room ? table : Math.max(1, Math.min(wanted, fitting));
  grid.style.setProperty("--columns", String(columns));
  grid.classList.toggle("dense", room / columns < 200);
  grid.style.setProperty("--ratio", String(Math.min(Math.max(width / height, 0.7), 2.4)));
}
