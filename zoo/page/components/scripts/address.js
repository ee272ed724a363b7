import { comparisonKey, endStep, rewriteAddress, stepTo, writeTab } from "../base/address.js";
import { one } from "../base/dom.js";
import { showPreview } from "../base/preview.js";

// Writes what the viewer shows into the address, as a step of the browser's history when it is another comparison.
export default (viewer) => {
  if (!viewer) return void endStep();
  showPreview(viewer.photo.src);
  const names = viewer.panels.map((panel) => panel.name).join(",");
  const change = (parameters) => {
    for (const [name, given] of [
      ["example", viewer.example],
      ["checkpoints", names],
    ]) {
      if (given) parameters.set(name, given);
      else parameters.delete(name);
    }
    writeTab(parameters, one("button[role=tab][aria-selected=true]")?.dataset.tabId ?? "compare");
  };
  const kept = viewer.kept ?? {};
  const shown = comparisonKey(viewer.example, names, kept);
  const holder = one("#visit");
  const { shown: before, back } = holder.dataset;
  holder.dataset.shown = shown;
  if (endStep()) return;
  const state = { ...window.history.state, photo: kept.photo, truth: kept.truth };
  if (back || before === shown) rewriteAddress(change, state);
  else stepTo(change, state);
};
