// Losses in plots: colour, order, legend.

import { titleOf } from "../../base/texts.js";
import { board } from "./board.js";

/** Colour and shape of a loss, the same in every plot. */
export function lossIndex(loss) {
  const { losses } = board.facts;
  return losses.includes(loss) ? losses.indexOf(loss) : losses.length;
}

/** Different losses of the rows, in the order of the legend. */
export function lossesOf(rows) {
  const losses = [...new Set(rows.map((row) => row.loss ?? ""))];
  return losses.sort((a, b) => lossIndex(a) - lossIndex(b));
}

export function lossLegend(losses) {
  return losses.map((loss) => [lossIndex(loss), titleOf("loss", loss) || "–"]);
}

/** The value that occurs most often; the first one on a tie. */
export function mostCommon(values) {
  const counts = new Map();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, entry) => (entry[1] > best[1] ? entry : best), ["", 0])[0];
}
