// The worker's side that the page sees: a call is a promise of its answer.

const waiting = new Map(); // id -> {resolve, reject, tell}
const desk = { worker: /** @type {Worker | null} */ (null), id: 0 };

/** What the worker refused: `key` of a text and its parts. */
class Refused extends Error {
  constructor({ key, parts }) {
    super(key);
    this.key = key;
    this.parts = parts;
  }
}

function receive({ data: { id, answer, refusal, progress } }) {
  const { resolve, reject, tell } = waiting.get(id) ?? {};
  if (!resolve) return;
  if (progress) return void tell(progress);
  waiting.delete(id);
  if (refusal) reject(new Refused(refusal));
  else resolve(answer);
}

/**
 * Asks the worker; `tell` gets {done, total} bytes while something is fetched.
 * @param {Transferable[]} [handed] what the worker takes over
 */
export function ask(kind, given, tell = (_progress) => {}, handed = []) {
  if (!desk.worker) {
    desk.worker = new Worker("worker.js");
    desk.worker.addEventListener("message", receive);
    desk.worker.addEventListener("error", (event) => giveUp(event.message || "worker"));
  }
  const id = ++desk.id;
  desk.worker.postMessage({ id, kind, ...given }, handed);
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject, tell }));
}

/** Ends the work that is going on, if any; the engine then starts anew from the cache when it is needed. */
export function endWork(key = "status_stopped", parts = {}) {
  if (!waiting.size) return;
  desk.worker?.terminate();
  desk.worker = null;
  for (const { reject } of waiting.values()) reject(new Refused({ key, parts }));
  waiting.clear();
}

/** Ends the work, and with the worker what it holds of the visitor's. */
export function endWorker() {
  endWork();
  desk.worker?.terminate();
  desk.worker = null;
}

function giveUp(reason) {
  endWork("site_failed", { reason });
}
