// Several images: each is segmented by the networks that are ticked; a table, and a zip of masks with the table as CSV.

import { one } from "../base/dom.js";
import { text } from "../base/texts.js";
import { ask, endWork } from "./engine.js";
import { mount } from "./mount.js";
import { inWords } from "./shown.js";
import { maskNames, zipped } from "./zip.js";

const batch = { data: null, part: null, work: null, addresses: [] };

/** Puts the tab's parts into their places; `ticked()` gives the networks' names. */
export function makeBatch(data, ticked) {
  Object.assign(batch, { data, part: mount("batch", one("#batch-table")) });
  const field = /** @type {HTMLInputElement} */ (one("#batch-files"));
  one("#batch-go").addEventListener("click", () => startBatch([...field.files], ticked()));
  one("#batch-stop").addEventListener("click", () => {
    if (!batch.work || batch.work.finished) return;
    batch.work.stopped = true;
    showBatch();
  });
}

/** Puts files into the tab's field, as its dialog would. */
export function fillBatch(files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  one("#batch-files").files = transfer.files;
}

/** Empties the tab of what the visitor brought. */
export function emptyBatch() {
  clearBatch();
  one("#batch-files").value = "";
}

function clearBatch() {
  if (batch.work) batch.work.stopped = true;
  batch.work = null;
  batch.part.value = null;
  for (const address of batch.addresses.splice(0)) URL.revokeObjectURL(address);
  one("#batch-download").hidden = true;
  tellBatch("");
}

const tellBatch = (words) => {
  one("#batch-status").textContent = words;
};

function held(blob) {
  const address = URL.createObjectURL(blob);
  batch.addresses.push(address);
  return address;
}

async function startBatch(files, names) {
  const key = files.length ? (names.length ? null : "error_no_checkpoint") : "error_no_image";
  if (key) return tellBatch(text(key));
  if (files.length > site.limits.images) {
    return tellBatch(
      inWords({ key: "error_batch_many", parts: { number: files.length, maximum: site.limits.images } }),
    );
  }
  endWork(); // one at a time
  clearBatch();
  const photos = files.sort((a, b) => (a.name < b.name ? -1 : 1));
  const work = { photos, names, rows: [], files: [], finished: false, stopped: false };
  const masks = maskNames(photos.map(({ name }) => name));
  batch.work = work;
  showBatch();
  for (const [place, photo] of photos.entries()) {
    if (work.stopped) break;
    const row = await rowOf(photo, masks[place], work);
    if (row) work.rows.push(row);
    if (batch.work === work) showBatch();
  }
  if (batch.work === work) finishBatch(work);
  return undefined;
}

/** What became of one photo; null where the work was ended meanwhile. */
async function rowOf(photo, file, work) {
  const row = { name: photo.name, file, cells: work.names.map(() => null), disagreement: null };
  try {
    const { picture } = await ask("photo", { file: photo });
    const found = [];
    for (const name of work.names) found.push(await ask("segment", { network: batch.data.networks[name] }));
    const cells = found.map(({ shares, meanConfidence }) => ({ shares, meanConfidence }));
    for (const [i, { mask }] of found.entries()) work.files.push([maskPath(work.names[i], file), mask]);
    return { ...row, src: held(picture), cells, disagreement: disagreement(found, work.names) };
  } catch (error) {
    const refusal = error.key ? error : { key: "site_failed", parts: { reason: error.message } };
    if (error.key !== "status_stopped") return { ...row, problem: inWords(refusal) };
    work.stopped = true; // a comparison has begun
    return null;
  }
}

const maskPath = (network, file) => `masks/${network}/${file}`;

/** Share of the pixels on which networks of one label set, of the most that share one, do not all say the same. */
function disagreement(found, names) {
  const sets = {};
  for (const [i, result] of found.entries()) {
    const { labels } = batch.data.networks[names[i]];
    sets[labels] = [...(sets[labels] ?? []), result];
  }
  const [first, ...others] = Object.values(sets).reduce((most, some) => (some.length > most.length ? some : most));
  if (!others.length) return null;
  const differs = (id, i) => others.some(({ samples }) => samples[i] !== id);
  return first.samples.reduce((count, id, i) => count + Number(differs(id, i)), 0) / first.samples.length;
}

function showBatch() {
  const { photos, names, rows, finished, stopped } = batch.work;
  const { networks, labels, strings, tag } = batch.data;
  const columns = names.map((name) => {
    const { title, subtitle } = networks[name];
    return { name, title, subtitle, labels: labels[networks[name].labels] };
  });
  const counts = { done: rows.length, total: photos.length, finished, stopped };
  batch.part.value = { kind: "images", ...counts, columns, rows, scored: 0, notes: [], strings, locale: tag };
}

async function finishBatch(work) {
  work.finished = true;
  work.stopped &&= work.rows.length < work.photos.length;
  showBatch();
  if (!work.files.length) return;
  const bytes = ([name, blob]) => blob.arrayBuffer().then((content) => [name, new Uint8Array(content)]);
  const table = ["table.csv", new TextEncoder().encode(csvOf(work))];
  const zip = zipped([.../** @type {any} */ (await Promise.all(work.files.map(bytes))), table]);
  if (batch.work !== work) return;
  one("#batch-download").href = held(zip);
  one("#batch-download").hidden = false;
}

// --- the table as CSV, as zoo/page/batch.py writes it of what is known here ---

function csvOf({ rows, names }) {
  const { networks, labels } = batch.data;
  const classesOf = (name) => labels[networks[name].labels].classes.map((entry) => entry.name);
  const classes = [...new Set(names.flatMap(classesOf))];
  const lines = [["image", "checkpoint", "mask", "error", "disagreement", "mean_confidence", ...classes]];
  for (const row of rows) {
    if (row.problem) lines.push([guarded(row.name), "", "", row.problem]);
    row.cells.forEach((cell, i) => {
      if (!cell) return;
      const shares = Object.fromEntries(classesOf(names[i]).map((name, c) => [name, cell.shares[c]]));
      const values = [row.disagreement ?? "", cell.meanConfidence, ...classes.map((name) => shares[name] ?? "")];
      lines.push([guarded(row.name), names[i], maskPath(names[i], row.file), "", ...values]);
    });
  }
  return lines.map((line) => `${line.map(quoted).join(",")}\r\n`).join("");
}

/** A name that no spreadsheet takes for a formula. */
const guarded = (name) => (/^[=+\-@\t\r]/.test(name) ? `'${name}` : name);
const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
