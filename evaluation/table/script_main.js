// Leaderboard table, last part: take the value in, draw everything, follow changes.

/** Take over the component's value: {rows, pairs, published, strings, locale}; every part may be missing. */
function takeValue(value) {
  board.rows = keyedRows(value?.rows ?? []);
  board.pairs = value?.pairs ?? {};
  board.published = value?.published ?? [];
  board.texts = { ...ENGLISH, ...(value?.strings ?? {}) };
  board.drawnPlots = null;
  board.locale = knownLocale(value?.locale ?? (document.documentElement.lang || "en"));
}

/** Draw what depends on the state; the toolbar's search field is left alone so that typing is not disturbed. */
function drawAll() {
  drawFilters();
  drawTable();
  drawPairs();
  drawPlots();
  board.root.querySelectorAll(".canvas").forEach(drawCanvas); // at once, so that the page does not jump
}

function start() {
  if (props.value === null || typeof props.value !== "object") return; // the app has not sent the results yet
  takeValue(props.value);
  board.state ??= readAddress();
  keepFocus(() => {
    drawToolbar();
    drawAll();
    drawPublished();
  });
}

start();
watch("value", start);
