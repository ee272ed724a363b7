// Runs the networks, away from the page, by onnxruntime-web's WebAssembly. Messages come with an `id` and a `kind`, and
// are answered under it; a file that is fetched is told as {progress}. What was fetched stays for the next visit.

import { CACHE, FOLDER } from "./cache.js";
import { pictureOf, pixelsOf, Refusal, readPhoto } from "./photo.js";
import { encodePng } from "./png.js";
import { blocks, resizeMask, resizePhoto, scaled, winners } from "./resample.js";
import { readTruth } from "./truth.js";

const sessions = new Map(); // file of a network -> promise of its session
const kept = { photo: null, own: null, engine: null, proven: false }; // proven: the engine has opened a network

const GZIP = [0x1f, 0x8b];

/** The bytes of a file of this page, from the cache where they are; unpacked where they are packed. */
async function fetched(name, told) {
  const address = FOLDER + name;
  const cache = await self.caches?.open(CACHE);
  const stored = await cache?.match(address);
  const response = stored ?? (await fetch(address).catch(() => null));
  if (!response?.ok) throw new Refusal("site_not_here", { name });
  const bytes = await counted(response, stored ? () => {} : told);
  if (!stored) await cache?.put(address, new Response(bytes)).catch(() => {}); // no room: it is fetched next time
  return GZIP.every((byte, i) => bytes[i] === byte) ? unpacked(bytes) : bytes;
}

async function counted(response, told) {
  const parts = [];
  let done = 0;
  for (const reader = response.body.getReader(); ; ) {
    const { done: ended, value } = await reader.read();
    if (ended) break;
    parts.push(value);
    done += value.length;
    told(done);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Threads need the headers of cross-origin isolation, which service.js adds from the second visit on. */
function threads() {
  return self.crossOriginIsolated ? Math.min(site.threads, navigator.hardwareConcurrency || 1) : 1;
}

async function startEngine(told) {
  importScripts(site.engine.script);
  const { ort } = /** @type {any} */ (self);
  ort.env.wasm.numThreads = threads();
  ort.env.wasm.wasmPaths = `${FOLDER}engine/`;
  ort.env.wasm.wasmBinary = await fetched(site.engine.wasm, told);
  return ort;
}

/** A session; what it cannot be made of is fetched anew: something else may have answered, such as a page to log in. */
async function opening(ort, file, content) {
  try {
    const session = await ort.InferenceSession.create(content, { executionProviders: ["wasm"] });
    kept.proven = true;
    return session;
  } catch (error) {
    const cache = await self.caches?.open(CACHE);
    for (const name of kept.proven ? [file] : [file, site.engine.wasm]) await cache?.delete(FOLDER + name);
    throw error;
  }
}

/** The session of a network; one that failed is tried anew when it is asked for again. */
function sessionOf({ file, bytes }, tell) {
  if (!sessions.has(file)) {
    const amounts = { engine: 0, network: 0 };
    const total = (kept.engine ? 0 : site.engine.bytes) + bytes;
    const told = (part) => (amount) => {
      amounts[part] = amount;
      tell({ done: amounts.engine + amounts.network, total });
    };
    kept.engine ??= startEngine(told("engine"));
    const opened = Promise.all([kept.engine, fetched(file, told("network"))]).then(([ort, content]) =>
      opening(ort, file, content),
    );
    sessions.set(file, opened);
    opened.catch(() => {
      sessions.delete(file);
      kept.engine?.catch(() => Object.assign(kept, { engine: null }));
    });
  }
  return sessions.get(file);
}

/** Scores of RGB pixels by the name of the network's output: its logits, and what else is asked for. */
async function run(session, { data, width, height }, outputs = ["logits"]) {
  const ort = await kept.engine;
  const photo = new ort.Tensor("uint8", data, [height, width, 3]);
  const found = Object.entries(await session.run({ photo }, outputs));
  return Object.fromEntries(found.map(([name, tensor]) => [name, scoresOf(tensor)]));
}

function scoresOf({ data, dims: [classes, height, width] }) {
  return { data, classes, height, width };
}

function seenAt(image, side) {
  const [width, height] = side ? scaled(image.width, image.height, side) : [image.width, image.height];
  return resizePhoto(image, width, height);
}

/** The winners of a score map at its own size; "score_32" is the name of an output, "score 32" that of a score map. */
function small(name, scores) {
  const { mask, confidence } = winners(scores, scores.width, scores.height);
  return { name: name.replace("_", " "), mask, confidence, width: scores.width };
}

async function pictured(name, samples, levels, { network, width, height, sure }) {
  const counts = new Array(network.classes).fill(0);
  for (const id of samples) counts[id]++;
  return {
    name,
    samples,
    mask: await encodePng(samples, width, height, network.palette),
    confidence: sure ? await encodePng(levels, width, height) : null,
    shares: counts.map((count) => count / samples.length),
    meanConfidence: levels.reduce((total, level) => total + level, 0) / 255 / levels.length,
  };
}

const handlers = {
  /** Reads a photo and keeps it for `segment`. */
  async photo({ file }) {
    kept.photo = null;
    const { image, notes, width, height } = await readPhoto(file, site.limits);
    Object.assign(kept, { photo: image, own: { width, height } });
    return { picture: await pictureOf(image), width: image.width, height: image.height, notes, own: { width, height } };
  },

  /** Ground truth of the photo that is kept, as large as that is shown: class ids, and a picture of them. */
  async truth({ file, labels }) {
    const { photo, own } = kept;
    const { ids, width, height } = await readTruth(file, labels, site.limits);
    if (width !== own.width || height !== own.height) {
      const sizes = { width, height, photo_width: own.width, photo_height: own.height };
      throw new Refusal("error_truth_size", sizes);
    }
    const shown =
      photo.width === width ? ids : resizeMask({ data: ids, width, height }, photo.width, photo.height).data;
    return { ids: shown, picture: await encodePng(shown, photo.width, photo.height, labels.palette) };
  },

  /** Mask and confidence of the photo that is kept, as large as it is shown; of the score maps one value a score. */
  async segment({ network }, tell) {
    const session = await sessionOf(network, tell);
    const image = kept.photo;
    const begin = performance.now();
    const seen = seenAt(image, network.side);
    const { logits, ...maps } = await run(session, seen, session.outputNames);
    const { mask, confidence, shares, meanConfidence } = winners(logits, image.width, image.height);
    const milliseconds = performance.now() - begin;
    return {
      mask: await encodePng(mask, image.width, image.height, network.palette),
      confidence: await encodePng(confidence, image.width, image.height),
      samples: mask,
      shares,
      meanConfidence,
      milliseconds,
      threads: threads(),
      seen: { width: seen.width, height: seen.height },
      maps: Object.entries(maps).map(([name, scores]) => small(name, scores)),
    };
  },

  /** Pictures of score maps that `segment` gave, as large as the photo; the confidence only where it is asked for. */
  async inside({ network, maps, seen, width, height, sure }) {
    const drawn = ({ name, mask, confidence, width: columns }) => {
      const [samples, levels] = [mask, confidence].map((data) =>
        blocks({ data, width: columns }, width, height, seen, network.grids[name]),
      );
      return pictured(name, samples, levels, { network, width, height, sure });
    };
    return Promise.all(maps.map(drawn));
  },

  /** The mask of one picture of the camera, which has the network's size already. */
  async frame({ network, bitmap }, tell) {
    const session = await sessionOf(network, tell);
    const image = pixelsOf(bitmap);
    bitmap.close();
    const { logits } = await run(session, image);
    const { mask } = winners(logits, image.width, image.height);
    return { mask, width: image.width, height: image.height };
  },
};

self.onmessage = async ({ data: { id, kind, ...given } }) => {
  try {
    self.postMessage({ id, answer: await handlers[kind](given, (progress) => self.postMessage({ id, progress })) });
  } catch (error) {
    const refusal =
      error instanceof Refusal ? error : { key: "site_failed", parts: { reason: String(error?.message) } };
    self.postMessage({ id, refusal: { key: refusal.key, parts: refusal.parts } });
  }
};
