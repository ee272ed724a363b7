// How panels stand: as many side by side as the window shows at a useful size.

import { find, state } from "./state.js";

const GAP = 14; // CSS pixels between cards
const FRAME = 58; // of a card's heading and foot
const USEFUL = 220; // width of a card below which scrolling is better than shrinking
const SMALLEST = 100; // width of a card of a table: all zoom together, so small is enough
const PANORAMA = 2.2; // width to height from which photos are better stacked than put side by side
const WIDE = 640; // of a stacked panorama, for which all are shown at once
const NEARLY = 0.7; // of the largest card, for which more stand side by side
const PHONE = 560;

/**
 * Columns, and the largest width of a card (Infinity where the room's width is the only limit).
 *
 * All panels are to be seen without scrolling, as large as can be; where that is nearly the same for more columns, more
 * stand side by side. No row is much shorter than another. Where they would get too small, they scroll. A table's rows
 * stay rows, even on a phone.
 * @param {{count: number, width: number, height: number, ratio: number, table?: number, smallest?: number}} room
 *   width and height in CSS pixels for all panels; ratio of a photo's width to its height; table: its columns, 0 for none;
 *   smallest: width of a card below which panels scroll instead
 * @returns {{columns: number, card: number}}
 */
export function arrangePanels({ count, width, height, ratio, table = 0, smallest = USEFUL }) {
  const cardOf = (columns) => {
    const rows = Math.ceil(count / columns);
    const byWidth = (width - GAP * (columns - 1)) / columns;
    return Math.min(byWidth, ((height - GAP * (rows - 1)) / rows - FRAME) * ratio);
  };
  if (table && table * SMALLEST <= width) {
    return { columns: table, card: cardOf(table) >= smallest ? cardOf(table) : Infinity };
  }
  if (ratio >= PANORAMA && width / ratio <= height && smallest >= USEFUL) {
    return { columns: 1, card: cardOf(1) >= WIDE ? cardOf(1) : Infinity };
  }
  const even = (columns) => Math.ceil(count / Math.ceil(count / columns));
  const columnsOf = new Set(Array.from({ length: count }, (_, index) => even(index + 1)));
  const choices = [...columnsOf].map((columns) => ({ columns, card: cardOf(columns) }));
  const best = Math.max(...choices.map(({ card }) => card));
  if (best >= smallest) return choices.findLast(({ card }) => card >= NEARLY * best && card >= smallest);
  if (width < PHONE) return { columns: count > 3 && ratio < PANORAMA ? 2 : 1, card: Infinity };
  return { columns: even(Math.min(count, Math.max(2, Math.floor(width / 260)))), card: Infinity };
}

/** Puts the cards where they belong for the present window, photo and number of panels. */
export function layOut() {
  if (!state.value || !state.panels.length) return;
  const grid = find(".grid");
  const { width, height } = state.value.photo;
  const ratio = Math.min(Math.max(width / height, 0.5), 8);
  const full = Boolean(document.fullscreenElement?.contains(grid));
  const top = grid.getBoundingClientRect().top + (full ? document.fullscreenElement.scrollTop : window.scrollY);
  const room = {
    count: state.panels.length,
    width: grid.clientWidth || element.clientWidth || 1,
    height: Math.max(window.innerHeight - top - GAP, full ? 0 : 0.6 * window.innerHeight),
    ratio,
    table: state.order.length || state.removed.size || state.pinned ? 0 : state.value.columns || 0,
    smallest: full ? 1 : USEFUL,
  };
  const { columns, card } = arrangePanels(room);
  grid.style.setProperty("--columns", String(columns));
  grid.style.setProperty("--card", Number.isFinite(card) ? `${Math.floor(card)}px` : "1fr");
  grid.style.setProperty("--ratio", String(ratio));
  grid.classList.toggle("dense", Math.min(card, room.width / columns) < 200);
}
