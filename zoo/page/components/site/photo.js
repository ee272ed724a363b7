// A photo's file to upright RGB pixels, judged by its first bytes before the browser decodes it.
// Errors carry the key of the text that tells the person what to do.

import { letters, turned, withoutOrientation } from "./orientation.js";
import { resizePhoto, scaled, shrink } from "./resample.js";

/** A photo that cannot be used: `key` of the text, and what fills its places. */
export class Refusal extends Error {
  constructor(key, parts = {}) {
    super(key);
    this.key = key;
    this.parts = parts;
  }
}

/** What a file is by its first bytes: "png", "jpeg", ..., "pdf", "video"; null for what is not known. */
export function kindOf(bytes) {
  if (bytes[0] === 0x89 && letters(bytes, 1, 4) === "PNG") return "png";
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "jpeg";
  const start = letters(bytes, 0, 4);
  if (start === "RIFF") return letters(bytes, 8, 12) === "WEBP" ? "webp" : "video";
  if (start === "GIF8") return "gif";
  if (start === "II*\0" || start === "MM\0*") return "tiff";
  if (start === "%PDF") return "pdf";
  if (start.startsWith("BM")) return "bmp";
  if (start === "\x1aE\xdf\xa3") return "video";
  if (letters(bytes, 4, 8) !== "ftyp") return null;
  const brand = letters(bytes, 8, 12);
  if (/^(hei[cxms]|hev[cx]|mif1|msf1)$/.test(brand)) return "heic";
  return /^avi[fs]$/.test(brand) ? "avif" : "video";
}

/** [width, height] that the header of a file states, null where it states none that is known. */
export function statedSize(bytes, kind) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (kind === "png") return [view.getUint32(16), view.getUint32(20)];
    if (kind === "gif") return [view.getUint16(6, true), view.getUint16(8, true)];
    if (kind === "bmp") return [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
    if (kind === "webp") return webpSize(bytes, view);
    return kind === "jpeg" ? jpegSize(view) : ispeSize(bytes, view);
  } catch {
    throw new Refusal("error_damaged"); // it ends within its header
  }
}

/** The size in the first frame's header, behind as many segments as there are, with what else lies between them. */
function jpegSize(view) {
  for (let at = 2; ; ) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff || marker === 0xff) {
      at += 1;
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return [view.getUint16(at + 7), view.getUint16(at + 5)];
    at += 2 + view.getUint16(at + 2);
  }
}

function webpSize(bytes, view) {
  const form = letters(bytes, 12, 16);
  if (form === "VP8X") return [24, 27].map((at) => 1 + view.getUint16(at, true) + (view.getUint8(at + 2) << 16));
  if (form === "VP8L") {
    const bits = view.getUint32(21, true);
    return [1 + (bits & 0x3fff), 1 + ((bits >> 14) & 0x3fff)];
  }
  return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
}

/** The largest image of an AVIF or HEIC: a grid's tiles have sizes of their own. */
function ispeSize(bytes, view) {
  let found = null;
  for (let at = 0; at + 16 < Math.min(bytes.length, 65536); at++) {
    if (bytes[at] !== 0x69 || letters(bytes, at, at + 4) !== "ispe") continue;
    const size = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (!found || size[0] * size[1] > found[0] * found[1]) found = size;
  }
  return found;
}

/** The bytes of a file, which may have been moved or changed since it was chosen. */
async function wholeFile(file) {
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Refusal("error_damaged");
  }
}

/** Refuses what the served page refuses, before a pixel is decoded; gives what the file is. */
export async function judge(file, limits) {
  if (file.size > limits.bytes) throw new Refusal("site_large_file", { limit: limits.bytes / 2 ** 20 });
  const bytes = await wholeFile(file);
  const kind = kindOf(bytes);
  const named = { name: file.name || "" };
  if (kind === "pdf") throw new Refusal("error_document", named);
  if (kind === "video") throw new Refusal("error_video", named);
  if (kind === null) throw new Refusal("error_not_an_image");
  const size = statedSize(bytes, kind);
  if (size) {
    const megapixels = Math.round((size[0] * size[1]) / 1e6);
    const limit = limits.pixels / 1e6;
    if (size[0] * size[1] > limits.pixels) throw new Refusal("error_too_large", { megapixels, limit });
    if (Math.max(...size) > limits.side) {
      throw new Refusal("error_too_long", { side: Math.max(...size), limit: limits.side });
    }
  }
  return kind;
}

const NEEDS_HELP = { heic: "HEIC", tiff: "TIFF", avif: "AVIF" }; // formats that some browsers do not open

/**
 * The upright photo, its long side at most `limits.shown` pixels, with its size as it was sent and notes on it.
 * @param {Blob} file
 * @param {{bytes: number, pixels: number, side: number, shown: number, near: number, small: number}} limits
 * @throws {Refusal}
 */
export async function readPhoto(file, limits) {
  const kind = await judge(file, limits);
  const { orientation, content } = await withoutOrientation(file, kind);
  let bitmap;
  try {
    // Colour profiles are left alone, as where the networks were trained.
    bitmap = await createImageBitmap(content, { colorSpaceConversion: "none", imageOrientation: "from-image" });
  } catch {
    if (NEEDS_HELP[kind]) throw new Refusal("site_format", { format: NEEDS_HELP[kind] });
    throw new Refusal("error_damaged");
  }
  const whole = turned(pixelsOf(bitmap), orientation);
  bitmap.close();
  const { width, height } = whole;
  const image = reduced(whole, kind, limits);
  const notes = whole.clear ? [{ key: "note_transparency", parts: {} }] : [];
  if (image !== whole) {
    const parts = { width, height, new_width: image.width, new_height: image.height };
    notes.unshift({ key: "note_reduced", parts });
  }
  if (Math.min(width, height) < limits.small) notes.push({ key: "note_small", parts: { width, height } });
  return { image, notes, width, height };
}

/** The photo as large as it is shown. As on a server, a JPEG is first made smaller by a whole factor where that does. */
function reduced(whole, kind, { shown, near }) {
  const long = Math.max(whole.width, whole.height);
  const factor = kind === "jpeg" ? [8, 4, 2, 1].find((k) => k === 1 || long >= k * near * shown) : 1;
  const image = shrink(whole, factor);
  if (Math.max(image.width, image.height) <= shown) return image;
  const [width, height] = scaled(whole.width, whole.height, shown);
  return resizePhoto(image, width, height);
}

/** RGB of something that can be drawn, on white; `clear` says whether anything shone through. */
export function pixelsOf(source) {
  const { width, height } = source;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  const rgba = context.getImageData(0, 0, width, height).data;
  const data = new Uint8Array(3 * width * height);
  let clear = false;
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const share = rgba[from + 3];
    clear ||= share < 255;
    for (let c = 0; c < 3; c++) {
      data[to + c] = share === 255 ? rgba[from + c] : Math.round((rgba[from + c] * share) / 255 + 255 - share);
    }
  }
  return { data, width, height, clear };
}

/** RGB pixels as a picture that a page can show. */
export async function pictureOf({ data, width, height }) {
  const shown = new ImageData(width, height);
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    shown.data.set([data[from], data[from + 1], data[from + 2], 255], to);
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(shown, 0, 0);
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 });
}
