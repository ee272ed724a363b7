// One photo, several networks: what zoo/page/comparison.py does on a server, one network after the other.

import { ask, endWork } from "./engine.js";

const made = []; // addresses of this comparison's pictures, which the browser holds in memory until they are given back

/** The address of a picture of this comparison. */
export function addressOf(blob) {
  const address = URL.createObjectURL(blob);
  made.push(address);
  return address;
}

/** Gives back what a comparison has shown. */
export function forgetPictures() {
  for (const address of made.splice(0)) URL.revokeObjectURL(address);
}

/** The ground truth at the photo's size: ids, address of its PNG, and the label set's key. */
async function truthOf({ file, labels }, data) {
  const { ids, picture } = await ask("truth", { file, labels: data.labels[labels] });
  return { ids, labels, url: addressOf(picture) };
}

/** Says which networks were asked for and are not there. */
export const notOffered = (names) => ({ key: "site_not_offered", parts: { names: names.join(", ") } });

/**
 * Compares; `show(work)` is called after every step. Gives `work` when all networks have answered, or with `stopped`
 * where it was ended before.
 * @param {{file: Blob, name: string, example: string | null, truth: {file: Blob, labels: string} | null,
 *   names: string[], missing: string[]}} asked
 */
export async function compare(asked, data, show) {
  endWork(); // one at a time
  const photo = await ask("photo", { file: asked.file });
  forgetPictures();
  const shown = { ...photo, src: addressOf(photo.picture) };
  const work = {
    ...asked,
    photo: shown,
    truth: null,
    results: {},
    errors: {},
    amounts: {},
    seconds: 0,
    stopped: false,
  };
  try {
    if (asked.truth) work.truth = await truthOf(asked.truth, data);
  } catch (error) {
    if (error.key === "status_stopped") throw error;
    const reason = { key: error.key ?? "site_truth_form", parts: error.parts ?? {} };
    work.photo.notes.unshift({ key: "note_truth_refused", parts: { reason } });
  }
  if (asked.missing.length) work.photo.notes.unshift(notOffered(asked.missing));
  const begin = performance.now();
  show(work);
  for (const name of asked.names) {
    try {
      const network = data.networks[name];
      const tell = (amount) => {
        work.amounts = { [name]: amount };
        show(work);
      };
      const { mask, confidence, ...found } = await ask("segment", { network }, tell);
      work.results[name] = { ...found, mask: addressOf(mask), confidence: addressOf(confidence) };
    } catch (error) {
      work.stopped = error.key === "status_stopped";
      const left = work.stopped ? asked.names.filter((other) => !work.results[other]) : [name];
      const reason = { key: error.key ?? "site_failed", parts: error.parts ?? { reason: error.message } };
      for (const other of left) work.errors[other] ??= reason;
    }
    work.amounts = {};
    work.seconds = (performance.now() - begin) / 1000;
    show(work);
    if (work.stopped) break;
  }
  return work;
}
