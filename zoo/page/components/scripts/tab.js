import { stepTo, tabAsked, writeTab } from "../base/address.js";
import { one } from "../base/dom.js";

// Writes the tab that was opened into the address, as a step of the browser's history.
export default () => {
  // Gradio selects the first tab before the page has read its address: nothing is on the page yet.
  if (!one("#picker input, #leaderboard tr, #code .code-languages button")) return;
  const tab = one("button[role=tab][aria-selected=true]")?.dataset.tabId;
  const asked = tabAsked(new URL(window.location.href).searchParams);
  if (!tab || tab === asked) return; // opened by its address, or by a step back
  stepTo((parameters) => writeTab(parameters, tab));
};
