// What the page shows of a comparison, in the form that the viewer and the IoU table take: the counterpart of
// zoo/page/values.py, whose part that never changes comes in the page's data.

import { decimal, isNumber } from "../base/numbers.js";
import { text } from "../base/texts.js";

/** The viewer's value. `work` is {photo, name, example, truth, names, results, errors, amounts}. */
export function viewerValue(work, data) {
  const busy = work.names.find((name) => !(name in work.results) && !(name in work.errors));
  return {
    photo: { src: work.photo.src, width: work.photo.width, height: work.photo.height, name: work.name },
    truth: work.truth && { mask: work.truth.url, labels: data.labels[work.truth.labels] },
    panels: work.names.map((name) => panelValue(name, work, data, name === busy)),
    notes: work.photo.notes.map(inWords),
    strings: data.viewer,
    locale: data.tag,
    columns: null,
    leaderboard_links: true,
    example: work.example,
    comes_into_view: true,
  };
}

function panelValue(name, work, data, running) {
  const { title, subtitle, labels, miou, miou_interval } = data.networks[name];
  const panel = {
    name,
    title,
    subtitle,
    labels: data.labels[labels],
    status: running ? "running" : "waiting",
    message: "",
  };
  if (work.example) Object.assign(panel, { miou, miou_interval }); // says nothing of a visitor's own picture
  const [error, result, amount] = [work.errors[name], work.results[name], work.amounts[name]];
  if (error) return { ...panel, status: "failed", message: inWords(error) };
  if (!result) return amount ? { ...panel, message: megabytes(amount) } : panel;
  const { mask, confidence, meanConfidence, shares, milliseconds } = result;
  return { ...panel, status: "done", mask, confidence, mean_confidence: meanConfidence, shares, milliseconds };
}

/** A number as `zoo.text.number` writes it. */
const written = (value) => decimal(value, 0, { maximumFractionDigits: 3, useGrouping: Math.abs(value) >= 10_000 });

/** A message {key, parts} in words; parts may be messages too. */
export function inWords({ key, parts = {} }) {
  const said = (part) => (isNumber(part) ? written(part) : part?.key ? inWords(part) : part);
  const words = Object.entries(parts).map(([name, part]) => [name, said(part)]);
  return text(key, Object.fromEntries(words));
}

/** "3 of 6 MB". */
export function megabytes({ done, total }) {
  const [came, whole] = [done, total].map((bytes) => Math.round(bytes / 1e6));
  return text("hub_progress", { done: came, total: whole, unit: "MB" });
}

/** Counts [target][prediction] of two masks, `classes` x `classes`; what is void in the target is left out. */
export function countPairs(mask, truth, classes) {
  const counts = Array.from({ length: classes }, () => new Array(classes).fill(0));
  for (let i = 0; i < truth.length; i++) if (truth[i] < classes) counts[truth[i]][mask[i]]++;
  return counts;
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

/** IoU of each class, null for one that occurs nowhere, and their mean over the others. */
export function iouOf(counts) {
  const rows = counts.map(sum);
  const columns = counts.map((_, c) => sum(counts.map((row) => row[c])));
  const each = counts.map((row, c) => {
    const union = rows[c] + columns[c] - row[c];
    return union ? row[c] / union : null;
  });
  const known = each.filter((value) => value !== null);
  return { each, mean: known.length ? sum(known) / known.length : null };
}

/** Whether masks and truth agree no more than by chance: Cohen's kappa below `limit`. */
export function isChance(counts, limit) {
  const [rows, total] = [counts.map(sum), sum(counts.map(sum))];
  if (rows.filter(Boolean).length < 2) return false;
  const columns = counts.map((_, c) => sum(counts.map((row) => row[c])));
  const expected = sum(rows.map((row, c) => row * columns[c])) / total ** 2;
  const agreed = sum(counts.map((row, c) => row[c])) / total;
  return (agreed - expected) / (1 - expected) < limit;
}

/** The IoU table's value; null where there is no truth or nothing to hold against it. */
export function iouValue(work, data) {
  const { truth } = work;
  const names = work.names.filter((name) => work.results[name] && data.networks[name].labels === truth?.labels);
  if (!truth || !names.length) return null;
  const labels = data.labels[truth.labels];
  const counts = names.map((name) => countPairs(work.results[name].samples, truth.ids, labels.classes.length));
  const scores = counts.map(iouOf);
  const rows = labels.classes.map(({ title, color, distinct }, c) => {
    return { name: title, color, distinct, values: scores.map(({ each }) => each[c]) };
  });
  const found = rows.filter(({ values }) => values.some((value) => value !== null));
  const mean = { name: text("iou_mean"), color: null, values: scores.map((score) => score.mean) };
  let strings = data.strings;
  if (counts.every((one) => isChance(one, site.chance))) {
    strings = { ...strings, iou_explanation: text("iou_chance", { dataset: labels.title }) };
  }
  return { columns: names.map((name) => data.networks[name].title), rows: [...found, mean], strings };
}
