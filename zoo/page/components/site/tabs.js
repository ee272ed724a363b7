// The page's tabs: opened by a click, by the arrow keys, by the address and by what leads from one to another.

import { rewriteAddress, writeTab } from "../base/address.js";
import { all, one } from "../base/dom.js";

const openers = {}; // what happens when a tab is opened, by its name

/** Opens a tab, and writes it into the address. */
export function openTab(name) {
  for (const tab of all("[role=tab]")) {
    const chosen = tab.dataset.tabId === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    one(`#tab-${tab.dataset.tabId}`).hidden = !chosen;
  }
  rewriteAddress((parameters) => writeTab(parameters, name));
  openers[name]?.();
}

function moveInTabs(event) {
  const tabs = all("[role=tab]");
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  openTab(next.dataset.tabId);
  next.focus();
}

/** Makes the tabs work; `opened` has functions by the names of tabs. */
export function bindTabs(opened) {
  Object.assign(openers, opened);
  for (const tab of all("[role=tab]")) {
    tab.addEventListener("click", () => openTab(tab.dataset.tabId));
    tab.addEventListener("keydown", moveInTabs);
  }
}
