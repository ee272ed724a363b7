// The reader of ground truth: what zoo/images/truth.py makes of a label image, with the same refusals. Its PNG is read
// byte by byte: a canvas multiplies colours by their opacity, and may change them for the screen.

import { readPng } from "../viewer/script/png.js";
import { judge, Refusal } from "./photo.js";

const UNLABELLED = 255; // in files, whatever the label set's own void
const SMOOTH = 10; // so many values that are no class come from smoothing or JPEG
const LOSSY = { jpeg: "JPEG", webp: "WEBP", heic: "HEIF", avif: "AVIF" }; // as Pillow names them

const unique = (values) => [...new Set(values)].sort((a, b) => a - b);
const hexadecimal = (value) => `#${value.toString(16).padStart(6, "0")}`;

/**
 * Class ids and void of a label image.
 * @param {Blob} file
 * @param {any} labels a label set of the page's data
 * @returns {Promise<{ids: Uint8Array, width: number, height: number}>}
 * @throws {Refusal}
 */
export async function readTruth(file, labels, limits) {
  const stored = await readStored(file, limits);
  return { ids: toIds(stored, labels), width: stored.width, height: stored.height };
}

// --- what the file holds ---

/** `levels`, one value a pixel, null where the image is in colours; `colours`, 0xRRGGBB a pixel, null where not. */
async function readStored(file, limits) {
  const kind = await judge(file, limits);
  if (LOSSY[kind]) throw new Refusal("error_truth_lossy", { format: LOSSY[kind] });
  if (kind !== "png") throw new Refusal("site_truth_form");
  const png = await readPng(await file.arrayBuffer()).catch((error) => {
    throw new Refusal(/interlaced/.test(error.message) ? "site_truth_form" : "error_damaged");
  });
  const { width, height, depth, type, channels } = png;
  const size = { width, height };
  if (type === 3) return { ...size, levels: png.samples, colours: null, palette: paletteOf(png.palette) };
  if (type === 0) return { ...size, levels: depth === 16 ? narrow(png.samples) : png.samples, colours: null };
  const samples = depth === 16 ? png.samples.filter((_, i) => i % 2 === 0) : png.samples;
  if (channels % 2 === 0 && samples.some((value, i) => i % channels === channels - 1 && value < 255)) {
    throw new Refusal("error_truth_transparent");
  }
  if (type === 4) return { ...size, levels: samples.filter((_, i) => i % 2 === 0), colours: null };
  return { ...size, ...coloured(samples, channels) };
}

/** A colour image that is grey all over has levels too, as of ids written three times. */
function coloured(samples, channels) {
  const colours = new Uint32Array(samples.length / channels);
  const levels = new Uint8Array(colours.length);
  let grey = true;
  for (let i = 0, p = 0; i < colours.length; i++, p += channels) {
    colours[i] = (samples[p] << 16) | (samples[p + 1] << 8) | samples[p + 2];
    levels[i] = samples[p];
    grey &&= samples[p] === samples[p + 1] && samples[p] === samples[p + 2];
  }
  return { colours, levels: grey ? levels : null };
}

/** 256 colours, black beyond the palette's end. */
function paletteOf(bytes) {
  const at = (i) => (bytes?.[i] ?? 0) << (16 - 8 * (i % 3));
  return Array.from({ length: 256 }, (_, i) => at(3 * i) | at(3 * i + 1) | at(3 * i + 2));
}

/** Numbers of 16 bits in 8; those that stand for 8 bits spread over 16 (k * 257) are brought back. */
function narrow(bytes) {
  const wide = Array.from({ length: bytes.length / 2 }, (_, i) => 256 * bytes[2 * i] + bytes[2 * i + 1]);
  const spread = wide.some((value) => value > 255) && wide.every((value) => value % 257 === 0);
  const wrong = spread ? undefined : wide.find((value) => value > 255);
  if (wrong !== undefined) throw new Refusal("error_truth_wide", { value: String(wrong) });
  return Uint8Array.from(wide, (value) => (spread ? value / 257 : value));
}

// --- what it means ---

/** @param {{levels: Uint8Array | null, colours: Uint32Array | null, palette?: number[]}} stored */
function toIds({ levels, colours, palette }, labels) {
  if (colours && (!levels || greyIsColour(levels, labels))) return idsFromColours(colours, labels);
  const present = unique(levels);
  if (palette) checkPalette(present, palette, labels);
  const { classes } = labels;
  const drawn = !palette && present.join() === `0,${UNLABELLED}`; // as of one object drawn in white
  if (drawn && classes.length > 2) {
    throw new Refusal("error_truth_white", { first: classes[0].name, dataset: labels.title });
  }
  return idsFromIndices(isBinary(present, palette, labels) ? levels.map((id) => Number(id > 0)) : levels, labels);
}

/** Whether every level of a grey image in three channels is a colour of the label set, as of sky alone. */
function greyIsColour(levels, { codes }) {
  return unique(levels).every((level) => hexadecimal(level * 0x10101) in codes);
}

/** Whether 0 and 255 stand for the ids 0 and 1, as of a tool that draws the object in white. */
function isBinary(present, palette, { classes, void: none, backgrounds }) {
  if (classes.length > 2 || none !== UNLABELLED || present.join() !== `0,${UNLABELLED}`) return false;
  if (palette && palette[UNLABELLED] !== 0xffffff) return false; // the VOC colour map's 255 is its border
  const [first, second] = [classes[0].name, classes.at(-1).name];
  if (classes.length === 1 || !backgrounds.includes(first) || backgrounds.includes(second)) {
    throw new Refusal("error_truth_binary", { first, second });
  }
  return true;
}

/** Refuses a palette that says otherwise than the indices, read as class ids. */
function checkPalette(present, palette, labels) {
  const used = present.filter((index) => index !== UNLABELLED);
  const { colours, classes } = labels;
  if (labels.made_up?.length && used.every((index) => hexadecimal(palette[index]) === labels.made_up[index])) return;
  for (const index of used) {
    const colour = hexadecimal(palette[index]);
    const own = colours.lastIndexOf(colour);
    if (own >= 0 && own !== index && colours[index] !== colour) contradicts(index, colour, labels, classes[own].name);
  }
  const foreign = labels.foreign.find((other) => {
    return used.length > 1 && used.every((index) => other.colours[index] === hexadecimal(palette[index]));
  });
  if (foreign) throw new Refusal("error_truth_foreign", { other: foreign.title, dataset: labels.title });
  checkGreys(used, palette, labels);
}

/** Refuses black at another place than 0, and a palette of greys that holds other ids. */
function checkGreys(used, palette, labels) {
  const { classes, backgrounds } = labels;
  const levels = used.map((index) => palette[index] >> 16);
  const grey = used.every((index, i) => palette[index] === levels[i] * 0x10101);
  const firstIsBlack = backgrounds.includes(classes[0].name) || grey;
  const drawn = levels.every((level) => level === 0 || level === UNLABELLED);
  used.forEach((index, i) => {
    const level = levels[i];
    const black = firstIsBlack && index && !palette[index] && used[0] === 0 && palette[used[0]];
    const otherId = grey && level > 0 && level < classes.length && level !== index;
    const inDoubt = grey && drawn && level === UNLABELLED && classes.length > 2 && classes.length !== index + 1;
    if (!black && !otherId && !inDoubt) return;
    contradicts(index, hexadecimal(palette[index]), labels, classes[level]?.name ?? "void");
  });
}

function contradicts(index, colour, { classes }, says) {
  throw new Refusal("error_truth_palette", { index, colour, reads: classes[index]?.name ?? "-", says });
}

function idsFromIndices(values, { classes, void: none, title }) {
  const ids = values.map((id) => (id === UNLABELLED ? none : id));
  const present = unique(ids);
  const unknown = present.filter((id) => id >= classes.length && id !== none);
  const last = classes.length - 1;
  const facts = { value: unknown[0], dataset: title, last, values: present.length };
  if (unknown.length > SMOOTH) throw new Refusal("error_truth_smooth", facts);
  if (unknown.join() === String(last + 1)) throw new Refusal("error_truth_from_one", facts);
  if (unknown.length) throw new Refusal("error_truth_id", facts);
  return ids;
}

function idsFromColours(colours, { codes, title }) {
  const present = unique(colours);
  const known = new Map(present.map((value) => [value, codes[hexadecimal(value)]]));
  const unknown = present.filter((value) => known.get(value) === undefined);
  if (unknown.length > SMOOTH) throw new Refusal("error_truth_smooth", { dataset: title, values: present.length });
  if (unknown.length) throw new Refusal("error_truth_colour", { colour: hexadecimal(unknown[0]), dataset: title });
  return Uint8Array.from(colours, (value) => known.get(value));
}
