// Effort: epochs in total, and what a training took from elsewhere. Rows compare where it is equal, or say what differs.

import { decimal, isNumber } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";

/** Epochs of all stages, null where nobody recorded them. */
export function epochsOf(row) {
  return isNumber(row.effort?.epochs) ? row.effort.epochs : null;
}

/** "135", or "at least 45" where a checkpoint that it started from is unknown. */
export function epochsText(row) {
  const count = epochsOf(row);
  if (count === null) return "";
  return row.effort.complete ? decimal(count) : text("epochs_at_least", { count: decimal(count) });
}

/** "60 + 30 + 45" of a run that started from others. */
export function stagesText(row) {
  const stages = row.effort?.stages ?? [];
  return stages.length > 1 ? stages.map(({ epochs }) => (isNumber(epochs) ? decimal(epochs) : "?")).join(" + ") : "";
}

/** What a training took from elsewhere: pretraining, other data sets, at once or in an earlier stage, and a teacher. */
export function elsewhereOf(row) {
  const { pretraining, extra_dataset: extra, teacher, stages = [] } = row.effort ?? {};
  const others = stages.map(({ dataset }) => dataset).filter((name) => name && name !== row.dataset);
  const data = [...new Set([...others, extra].filter(Boolean))].map((name) => titleOf("dataset", name));
  const taught = teacher ? text("effort_teacher", { name: teacher }) : "";
  return [String(pretraining ?? "").split(";")[0], ...data, taught].filter(Boolean);
}

/** What differs in effort between rows, as a sentence; nothing where all had the same. */
export function effortGap(rows) {
  const epochs = rows.map(epochsOf).filter(isNumber);
  const elsewhere = [...new Set(rows.flatMap(elsewhereOf))].filter((what) =>
    rows.some((row) => !elsewhereOf(row).includes(what)),
  );
  const [low, high] = [Math.min(...epochs), Math.max(...epochs)];
  const parts = [];
  if (epochs.length > 1 && low !== high) parts.push(text("effort_epochs", { low: decimal(low), high: decimal(high) }));
  for (const what of elsewhere) {
    const count = rows.filter((row) => elsewhereOf(row).includes(what)).length;
    parts.push(text("effort_elsewhere", { what, count: decimal(count), total: decimal(rows.length) }));
  }
  return parts.length ? text("effort_differs", { differences: parts.join("; ") }) : "";
}
