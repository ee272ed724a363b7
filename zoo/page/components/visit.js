// The visitor's way through the page. Event "revisit" with {query, kept}: back or forward in the browser's history asks
// for another comparison; "refused" with {name, kind}: files that were dropped and are no images.
// scripts/address.js writes on #visit what is shown, in the form of `comparisonKey`.

import { comparisonKey, tabAsked } from "./base/address.js";
import { one } from "./base/dom.js";

function openTab(name) {
  const tab = one(`button[role=tab][data-tab-id="${name}"]`);
  if (tab && tab.getAttribute("aria-selected") !== "true") tab.click();
}

function moved(event) {
  if (!element.isConnected) return window.removeEventListener("popstate", moved);
  const query = new URL(window.location.href).searchParams;
  openTab(tabAsked(query));
  const holder = one("#visit");
  if (holder.dataset.back) {
    holder.dataset.again = "yes"; // one comparison at a time: `endStep` begins this one
    return undefined;
  }
  const kept = event.state ?? {};
  if (comparisonKey(query.get("example"), query.get("checkpoints"), kept) === holder.dataset.shown) return undefined;
  holder.dataset.back = "yes"; // address.js adds no step for it
  return trigger("revisit", { query: Object.fromEntries(query), kept: JSON.stringify(kept) });
}

window.addEventListener("popstate", moved);
element.addEventListener("refused", (event) => trigger("refused", /** @type {CustomEvent} */ (event).detail));
