// How a camera was held, where browsers overlook it: most turn a JPEG as its EXIF says, but not a WebP or PNG.
// So that no browser's habit matters, the mark is taken out of the file and the pixels are turned here.

const ORIENTATION = 0x0112;
const UPRIGHT = 1;

/** Some bytes as the letters that they stand for. */
export const letters = (bytes, start, end) => String.fromCharCode(...bytes.subarray(start, end));

/** [start, end] of a file's EXIF, and of the chunk around it; null where there is none. */
function exifOf(bytes, view, kind) {
  const webp = kind === "webp";
  for (let at = webp ? 12 : 8; at + 8 <= bytes.length; ) {
    const length = webp ? view.getUint32(at + 4, true) : view.getUint32(at);
    const name = webp ? letters(bytes, at, at + 4) : letters(bytes, at + 4, at + 8);
    const end = at + 8 + length;
    if (name === (webp ? "EXIF" : "eXIf")) {
      return { start: at + 8, end: Math.min(end, bytes.length), chunk: [at, webp ? end + (length % 2) : end + 4] };
    }
    at = webp ? end + (length % 2) : end + 4;
  }
  return null;
}

/** Where the orientation's value stands in EXIF, and whether its low byte comes first; null where it is not said. */
function placeOf(bytes, view, { start, end }) {
  const begin = letters(bytes, start, start + 4) === "Exif" ? start + 6 : start; // as in a JPEG, which some programs copy
  const little = bytes[begin] === 0x49;
  if (begin + 8 > end || view.getUint16(begin + 2, little) !== 42) return null;
  const table = begin + view.getUint32(begin + 4, little);
  if (table + 2 > end) return null;
  for (
    let entry = table + 2, left = view.getUint16(table, little);
    left > 0 && entry + 12 <= end;
    left--, entry += 12
  ) {
    if (view.getUint16(entry, little) === ORIENTATION) return { at: entry + 8, little };
  }
  return null;
}

/**
 * A WebP's or PNG's orientation in terms of EXIF, 1 to 8, and the file without it; other files as they are.
 * @param {Blob} file
 * @param {string | null} kind
 * @returns {Promise<{orientation: number, content: Blob}>}
 */
export async function withoutOrientation(file, kind) {
  if (kind !== "webp" && kind !== "png") return { orientation: UPRIGHT, content: file };
  const bytes = new Uint8Array(await file.arrayBuffer());
  const view = new DataView(bytes.buffer);
  const exif = exifOf(bytes, view, kind);
  const place = exif && placeOf(bytes, view, exif);
  const orientation = place ? view.getUint16(place.at, place.little) : UPRIGHT;
  if (!(orientation > UPRIGHT && orientation <= 8)) return { orientation: UPRIGHT, content: file };
  view.setUint16(place.at, UPRIGHT, place.little);
  const [start, end] = exif.chunk; // a PNG's has a checksum
  const parts = kind === "png" ? [bytes.subarray(0, start), bytes.subarray(end)] : [bytes];
  return { orientation, content: new Blob(parts, { type: file.type }) };
}

/**
 * RGB pixels turned and mirrored as an orientation of EXIF asks.
 * @template {{data: Uint8Array, width: number, height: number}} Pixels
 * @param {Pixels} image
 * @param {number} orientation
 * @returns {Pixels}
 */
export function turned(image, orientation) {
  if (orientation === UPRIGHT) return image;
  const across = orientation >= 5; // rows become columns
  const [width, height] = across ? [image.height, image.width] : [image.width, image.height];
  const fromRight = [2, 3, 7, 8].includes(orientation);
  const fromBelow = [3, 4, 6, 7].includes(orientation);
  const data = new Uint8Array(image.data.length);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++, to += 3) {
      const [column, row] = across ? [y, x] : [x, y];
      const left = fromRight ? image.width - 1 - column : column;
      const top = fromBelow ? image.height - 1 - row : row;
      const from = 3 * (top * image.width + left);
      data[to] = image.data[from];
      data[to + 1] = image.data[from + 1];
      data[to + 2] = image.data[from + 2];
    }
  }
  return { ...image, data, width, height };
}
