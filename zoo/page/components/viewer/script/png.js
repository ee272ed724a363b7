// Reads the samples of a palette or grey PNG. The browser's own decoder gives colours only, and two classes may share
// a colour (VOC's background and void are both black); it may also change colours for the screen. Ids must be exact.

const PNG_SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];

/**
 * Samples of a PNG with colour type 0 (grey) or 3 (palette), 1 to 8 bits, not interlaced.
 * @param {ArrayBuffer} buffer the file
 * @returns {Promise<{width: number, height: number, samples: Uint8Array}>} row-major palette indices or grey values
 * @throws {Error} when the file is not such a PNG or is cut short
 */
export async function decodePng(buffer) {
  const { width, height, samples } = await readPng(buffer, ({ type, depth }) => {
    if (type !== 0 && type !== 3) throw new Error("PNG is neither indexed nor grey");
    if (depth > 8) throw new Error("PNG has more than 8 bits per pixel");
  });
  return { width, height, samples };
}

const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // by colour type

/**
 * What a PNG that is not interlaced holds: samples as stored, those of 16 bits as two bytes each, and its palette.
 * @param {ArrayBuffer} buffer the file
 * @param {(header: {width: number, height: number, depth: number, type: number}) => void} [check] throws for a header
 * @returns {Promise<{width: number, height: number, depth: number, type: number, channels: number, samples: Uint8Array,
 *   palette: Uint8Array | null}>}
 */
export async function readPng(buffer, check = (_header) => {}) {
  const { header, data, palette } = pngChunks(new Uint8Array(buffer));
  check(header);
  const { width, height, depth, type } = header;
  const channels = CHANNELS[type];
  const stride = Math.ceil((width * channels * depth) / 8);
  const packed = await inflate(data);
  if (packed.length !== (stride + 1) * height) throw new Error("PNG data is cut short");
  const rows = unfilter(packed, stride, height, Math.max(1, (channels * depth) / 8));
  const samples = depth < 8 ? unpack(rows, width, height, stride, depth) : rows;
  return { width, height, depth, type, channels, samples, palette };
}

function pngChunks(bytes) {
  if (!PNG_SIGNATURE.every((byte, i) => bytes[i] === byte)) throw new Error("not a PNG file");
  const view = new DataView(bytes.buffer);
  const data = [];
  let header = null;
  let palette = null;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const body = bytes.subarray(at + 8, at + 8 + length);
    if (kind === "IHDR") header = pngHeader(view, at + 8);
    if (kind === "PLTE") palette = body;
    if (kind === "IDAT") data.push(body);
    if (kind === "IEND") break;
    at += length + 12;
  }
  if (!header || !data.length) throw new Error("PNG data is cut short");
  return { header, data, palette };
}

function pngHeader(view, at) {
  const [depth, type] = [view.getUint8(at + 8), view.getUint8(at + 9)];
  const header = { width: view.getUint32(at), height: view.getUint32(at + 4), depth, type };
  if (view.getUint8(at + 12)) throw new Error("PNG is interlaced");
  return header;
}

async function inflate(parts) {
  const stream = new Blob(parts).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Undoes the five row filters of the PNG specification, section 9; `step` bytes, at least one, are a pixel. */
function unfilter(packed, stride, height, step) {
  const out = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = packed[y * (stride + 1)];
    const from = y * (stride + 1) + 1;
    const to = y * stride;
    for (let x = 0; x < stride; x++) {
      const left = x >= step ? out[to + x - step] : 0;
      const up = y ? out[to + x - stride] : 0;
      let guess = 0;
      if (filter === 1) guess = left;
      else if (filter === 2) guess = up;
      else if (filter === 3) guess = (left + up) >> 1;
      else if (filter === 4) guess = paeth(left, up, x >= step && y ? out[to + x - stride - step] : 0);
      out[to + x] = packed[from + x] + guess;
    }
  }
  return out;
}

function paeth(left, up, corner) {
  const toLeft = Math.abs(up - corner);
  const toUp = Math.abs(left - corner);
  const toCorner = Math.abs(left + up - 2 * corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

function unpack(rows, width, height, stride, depth) {
  const samples = new Uint8Array(width * height);
  const mask = (1 << depth) - 1;
  const perByte = 8 / depth;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const byte = rows[y * stride + Math.floor(x / perByte)];
      samples[y * width + x] = (byte >> (8 - depth * ((x % perByte) + 1))) & mask;
    }
  }
  return samples;
}
