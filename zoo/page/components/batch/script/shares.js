// Class shares as a bar, and the largest in words.

import { h } from "../../base/dom.js";
import { colourOf } from "../../base/looks.js";
import { percentage } from "../../base/numbers.js";

export const titleOfClass = ({ title, name }) => title || name;

/**
 * A table's cell with a bar of class shares, in the colours that `colour` gives, and the three largest in words, behind
 * `words` of one's own.
 */
export function drawShares(classes, shares, words = [], colour = colourOf) {
  const present = classes.map((entry, index) => ({ ...entry, share: shares[index] })).filter(({ share }) => share > 0);
  const parts = present.map((entry) => {
    const style = `flex: ${entry.share} 0 0; background: ${colour(entry)}`;
    return h("i", { style, title: `${titleOfClass(entry)} ${percentage(entry.share)}` });
  });
  const largest = [...present].sort((a, b) => b.share - a.share).slice(0, 3);
  const said = [...words, ...largest.map((entry) => `${titleOfClass(entry)} ${percentage(entry.share, 0)}`)];
  const bar = h("span", { class: "batch-bar", "aria-hidden": "true" }, parts);
  return h("td", { class: "batch-cell" }, bar, h("span", { class: "batch-words" }, said.join(", ")));
}
