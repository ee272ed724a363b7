// The page's address, which holds what is on screen, so that a link shows it again.

import { one } from "./dom.js";

export const BOARD_PREFIX = "lb_"; // what the leaderboard's table keeps in the address begins with this

/** The names in the address that belong to the leaderboard's table. */
export function boardNames(parameters) {
  return [...parameters.keys()].filter((name) => name.startsWith(BOARD_PREFIX));
}

/**
 * The address with `change` made to its parameters; commas stay legible.
 * @param {(parameters: URLSearchParams) => void} change
 */
export function addressWith(change) {
  const address = new URL(window.location.href);
  change(address.searchParams);
  address.search = address.search.replaceAll("%2C", ",");
  return address;
}

/**
 * Changes the address as a step of the browser's history, with what the history is to remember of it.
 * @param {(parameters: URLSearchParams) => void} change
 */
export function stepTo(change, state = window.history.state) {
  window.history.pushState(state, "", addressWith(change));
}

/**
 * Changes the address in place, without a new entry in the history.
 * @param {(parameters: URLSearchParams) => void} change
 */
export function rewriteAddress(change, state = window.history.state) {
  const address = addressWith(change);
  const same = address.href === window.location.href && state === window.history.state;
  if (!same) window.history.replaceState(state, "", address);
}

/** The tab that the page's parameters ask for. */
export function tabAsked(parameters) {
  return parameters.get("tab") || (boardNames(parameters).length ? "leaderboard" : "compare");
}

/** Writes the tab where the parameters would not open it anyway. */
export function writeTab(parameters, tab) {
  parameters.delete("tab");
  if (tabAsked(parameters) !== tab) parameters.set("tab", tab);
}

/** What tells one comparison from another: its example and checkpoints, or the visitor's own files. */
export function comparisonKey(example, checkpoints, kept) {
  return [example, checkpoints, kept?.photo, kept?.truth].map((part) => part || "").join("|");
}

/**
 * Ends a step through the browser's history that `visit.js` began. Gives whether the visitor has gone on meanwhile: what
 * is shown now belongs to another step, and the one where they are is begun.
 */
export function endStep() {
  const { dataset } = one("#visit");
  const wentOn = Boolean(dataset.again);
  delete dataset.back;
  delete dataset.again;
  if (wentOn) window.dispatchEvent(new PopStateEvent("popstate", { state: window.history.state }));
  return wentOn;
}

const VISIT = "fcn-visit"; // under this name the visitor's files wait while the page is loaded in another language

/** Puts by what the history knows of the visitor's files, before the page is left for another language. */
export function keepVisit() {
  try {
    window.sessionStorage.setItem(VISIT, JSON.stringify(window.history.state ?? {}));
  } catch {
    // A browser may refuse its store: then the other language begins without the files.
  }
}

/** Takes up what `keepVisit` has put by; gives what the history knows now. */
export function takeVisit() {
  const carried = carriedVisit();
  if (carried) window.history.replaceState(JSON.parse(carried), "");
  return window.history.state ?? {};
}

function carriedVisit() {
  try {
    const carried = window.sessionStorage.getItem(VISIT);
    window.sessionStorage.removeItem(VISIT);
    return carried;
  } catch {
    return null;
  }
}
