import { BOARD_PREFIX, boardNames, stepTo } from "../base/address.js";
import { all, one } from "../base/dom.js";

const PATIENCE = 20000; // milliseconds until the table must have been drawn

const rowOf = (key) => all("#leaderboard tr[data-key]").find((row) => row.dataset.key === key);

function showRow(key, deadline) {
  if (!rowOf(key)?.offsetParent) {
    if (performance.now() < deadline) window.setTimeout(() => showRow(key, deadline), 50);
    return;
  }
  const opener = one("button.opener", rowOf(key));
  if (opener.getAttribute("aria-expanded") === "false") opener.click(); // drawn before, with another state
  rowOf(key).scrollIntoView({ block: "center" });
  one("button.opener", rowOf(key)).focus({ preventScroll: true });
}

// The leaderboard reads its state from the address when it is drawn; the key is NAME@dataset/split.
export default (key) => {
  if (!key) return;
  stepTo((parameters) => {
    for (const name of boardNames(parameters)) parameters.delete(name);
    parameters.set(`${BOARD_PREFIX}open`, key);
    parameters.set("tab", "leaderboard");
  });
  one("#leaderboard .board")?.dispatchEvent(new CustomEvent("address-changed", { bubbles: true }));
  showRow(key, performance.now() + PATIENCE);
};
