// Other seeds of a row's recipe: how far a figure moves when nothing but chance of the training changes.

import { isInterval, isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { chosenGroup, groupTitle } from "./groups.js";

/**
 * A figure with every seed that was measured, the row's own where there are no others.
 * @param {any} row
 * @param {(figures: any) => number} value
 * @param {(figures: any) => number[]|null} interval
 * @returns {{seed: number|undefined, value: number, interval: number[]|null}[]}
 */
export function seedPoints(row, value, interval = () => null) {
  const known = row.seeds?.length ? row.seeds : [{ seed: row.training?.seed, ...row }];
  return known
    .map((one) => ({ seed: one.seed, value: value(one), interval: interval(one) ?? null }))
    .filter((point) => isNumber(point.value));
}

/** mIoU with every seed. */
export const miouPoints = (row) =>
  seedPoints(
    row,
    (one) => one.miou,
    (one) => one.miou_interval,
  );

/** Boundary F with every seed. */
export const boundaryPoints = (row) =>
  seedPoints(
    row,
    (one) => one.boundary_f,
    (one) => one.boundary_f_interval,
  );

/** IoU of a class with every seed; a seed has its intervals under `class_intervals`, a row under `intervals`. */
export const classPoints = (row, name) =>
  seedPoints(
    row,
    (one) => one.class_iou?.[name],
    (one) => one.class_intervals?.[name] ?? one.intervals?.class_iou?.[name]?.shown,
  );

/** Lowest and highest value of points, null for none. */
export function spanOf(points) {
  const values = points.map(({ value }) => value);
  return values.length ? [Math.min(...values), Math.max(...values)] : null;
}

/** From the lowest to the highest end of the points and of their intervals: over seeds and images; null for none. */
export function reachOf(points) {
  const ends = points.flatMap(({ value, interval }) => (isInterval(interval) ? [value, ...interval] : [value]));
  return ends.length ? [Math.min(...ends), Math.max(...ends)] : null;
}

/**
 * "62.5 – 62.7", or one number where both ends read alike.
 * @param {number[]} span  lowest and highest
 */
export function spanText(span, digits = 1) {
  const [from, to] = span.map((end) => percent(end, digits));
  return from === to ? from : `${from} – ${to}`;
}

/** The class whose IoU the seeds of these rows move most: {row, name, span}, or null. */
export function shakiest(rows) {
  const found = rows
    .filter((row) => row.seeds?.length)
    .flatMap((row) =>
      Object.keys(row.class_iou ?? {}).map((name) => ({ row, name, span: spanOf(classPoints(row, name)) })),
    )
    .filter(({ span }) => span);
  const width = ({ span: [low, high] }) => high - low;
  return found.reduce((widest, one) => (widest && width(widest) >= width(one) ? widest : one), null);
}

/** Which of the rows were trained with one seed only, as a sentence that a plot shows; `drawn` is "seeds" or "cells". */
function seedsLine(rows, drawn) {
  const several = rows.filter((row) => row.seeds?.length);
  if (several.length === 0) return text("seeds_one_each");
  const names = several.map((row) => `${titleOf("variant", row.variant)} ${titleOf("loss", row.loss)}`);
  const counts = [...new Set(several.map((row) => row.seeds.length))].join(", ");
  const parts = { names: names.join(", "), counts };
  const all = several.length === rows.length;
  if (drawn === "cells") return text(all ? "cells_all" : "cells_some", parts);
  return text(all ? "seeds_all" : "seeds_some", parts);
}

/** What stands below every plot of losses: of which images it is, and how many seeds, as whiskers or in "cells". */
export function linesOf(rows, drawn = "seeds") {
  return [groupTitle(chosenGroup()), seedsLine(rows, drawn)];
}
