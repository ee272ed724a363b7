// Masks and confidences as PNG, in the form that the viewer reads and that other programs take: one byte a pixel.

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;
const PALETTE = 3;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** CRC-32 of bytes, as PNG and zip use it. */
export function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = (value >>> 8) ^ TABLE[(value ^ byte) & 255];
  return (value ^ 0xffffffff) >>> 0;
}

/**
 * A PNG file of one byte a pixel.
 * @param {Uint8Array} samples row after row
 * @param {number[][] | null} palette RGB by value, the rest black; null for greys
 * @returns {Promise<Blob>}
 */
export async function encodePng(samples, width, height, palette = null) {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, palette ? PALETTE : GREY], 8);
  const rows = new Uint8Array((width + 1) * height); // each begins with its filter, 0 for none
  for (let y = 0; y < height; y++) rows.set(samples.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  const stream = new Blob([rows]).stream().pipeThrough(new CompressionStream("deflate"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  const parts = [Uint8Array.from(SIGNATURE), chunk("IHDR", header)];
  if (palette) {
    const colours = new Uint8Array(768);
    colours.set(palette.flat());
    parts.push(chunk("PLTE", colours));
  }
  return new Blob([...parts, chunk("IDAT", data), chunk("IEND", new Uint8Array(0))], { type: "image/png" });
}

function chunk(kind, body) {
  const whole = new Uint8Array(body.length + 12);
  const view = new DataView(whole.buffer);
  view.setUint32(0, body.length);
  whole.set(
    [...kind].map((letter) => letter.charCodeAt(0)),
    4,
  );
  whole.set(body, 8);
  view.setUint32(body.length + 8, crc32(whole.subarray(4, body.length + 8)));
  return whole;
}
