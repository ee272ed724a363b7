// Photos and logits at other sizes, in the numbers of the libraries that the served page uses.

const PRECISION = 22; // bits behind the point of Pillow's weights
const SUPPORT = 2; // of the bicubic kernel, in pixels

/** Pillow's bicubic kernel, a = -0.5. */
function bicubic(x) {
  const d = Math.abs(x);
  if (d < 1) return (1.5 * d - 2.5) * d * d + 1;
  return d < 2 ? ((-0.5 * d + 2.5) * d - 4) * d + 2 : 0;
}

/** For each place of the result: the first place of the source, and the weights from there on, as whole numbers. */
function weights(from, to) {
  const scale = from / to;
  const spread = Math.max(scale, 1); // antialiasing
  return Array.from({ length: to }, (_, place) => {
    const middle = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(middle - SUPPORT * spread + 0.5));
    const end = Math.min(from, Math.trunc(middle + SUPPORT * spread + 0.5));
    const raw = Array.from({ length: end - start }, (_, i) => bicubic((start + i - middle + 0.5) / spread));
    const sum = raw.reduce((total, value) => total + value, 0);
    const whole = raw.map((value) => Math.trunc((value / sum) * 2 ** PRECISION + (value < 0 ? -0.5 : 0.5)));
    return { start, whole: Int32Array.from(whole) };
  });
}

const clipped = (value) => Math.min(255, Math.max(0, value >> PRECISION));

/**
 * Pixels resized as Pillow's `Image.resize(size, BICUBIC)` does, byte for byte: columns first, then rows.
 * @param {{data: Uint8Array | Uint8ClampedArray, width: number, height: number}} image RGB, three bytes a pixel
 */
export function resizePhoto(image, width, height) {
  const wide = image.width === width ? image : resizeColumns(image, width);
  return wide.height === height ? wide : resizeRows(wide, height);
}

function resizeColumns({ data, width: from, height }, width) {
  const out = new Uint8Array(3 * width * height);
  const table = weights(from, width);
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = 3 * y * width; x < width; x++, at += 3) {
      const { start, whole } = table[x];
      let [red, green, blue] = [1 << (PRECISION - 1), 1 << (PRECISION - 1), 1 << (PRECISION - 1)];
      for (let i = 0, p = 3 * (y * from + start); i < whole.length; i++, p += 3) {
        red += data[p] * whole[i];
        green += data[p + 1] * whole[i];
        blue += data[p + 2] * whole[i];
      }
      out[at] = clipped(red);
      out[at + 1] = clipped(green);
      out[at + 2] = clipped(blue);
    }
  }
  return { data: out, width, height };
}

function resizeRows({ data, width, height: from }, height) {
  const row = 3 * width;
  const out = new Uint8Array(row * height);
  const sums = new Int32Array(row);
  weights(from, height).forEach(({ start, whole }, y) => {
    sums.fill(1 << (PRECISION - 1));
    for (let i = 0; i < whole.length; i++) {
      const weight = whole[i];
      for (let x = 0, p = (start + i) * row; x < row; x++, p++) sums[x] += data[p] * weight;
    }
    for (let x = 0; x < row; x++) out[y * row + x] = clipped(sums[x]);
  });
  return { data: out, width, height };
}

/** Pixels smaller by a whole factor, each the mean of a square: near to what a JPEG's decoder gives at that size. */
export function shrink(image, factor) {
  if (factor === 1) return image;
  const [width, height] = [image.width, image.height].map((side) => Math.ceil(side / factor));
  const out = new Uint8Array(3 * width * height);
  const sums = new Float64Array(3 * width);
  for (let y = 0; y < height; y++) {
    sums.fill(0);
    const rows = Math.min(factor, image.height - y * factor);
    for (let row = y * factor; row < y * factor + rows; row++) addRow(sums, image, row, factor);
    for (let x = 0; x < width; x++) {
      const count = rows * Math.min(factor, image.width - x * factor);
      for (let c = 0; c < 3; c++) out[3 * (y * width + x) + c] = Math.round(sums[3 * x + c] / count);
    }
  }
  return { data: out, width, height };
}

function addRow(sums, { data, width }, row, factor) {
  for (let x = 0, p = 3 * row * width; x < width; x++, p += 3) {
    const to = 3 * Math.trunc(x / factor);
    sums[to] += data[p];
    sums[to + 1] += data[p + 1];
    sums[to + 2] += data[p + 2];
  }
}

/** For each of `to` places of a resize by nearest neighbour: that of the source, summed up step by step as in Pillow. */
function nearest(from, to) {
  const scale = from / to;
  const places = new Int32Array(to);
  for (let i = 0, place = scale * 0.5; i < to; i++, place += scale) places[i] = Math.min(from - 1, Math.trunc(place));
  return places;
}

/** A mask (one byte a pixel) at another size, by nearest neighbour as Pillow takes it. */
export function resizeMask({ data, width: from, height: rows }, width, height) {
  const out = new Uint8Array(width * height);
  const columns = nearest(from, width);
  nearest(rows, height).forEach((row, y) => {
    for (let x = 0; x < width; x++) out[y * width + x] = data[row * from + columns[x]];
  });
  return { data: out, width, height };
}

/** (width, height) of a photo whose long side becomes `side`; halves go to the even number, as in Python. */
export function scaled(width, height, side) {
  const scale = side / Math.max(width, height);
  return [width, height].map((one) => Math.max(1, roundHalfEven(one * scale)));
}

function roundHalfEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 ? low + 1 : low;
}

/** For each place of the result of a bilinear resize: the two places of the source and the share of the second. */
function between(from, to) {
  const first = new Int32Array(to);
  const second = new Int32Array(to);
  const share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = Math.min(from - 1, Math.max(0, (i + 0.5) * (from / to) - 0.5));
    first[i] = Math.floor(place);
    second[i] = Math.min(from - 1, first[i] + 1);
    share[i] = place - first[i];
  }
  return { first, second, share };
}

const NEGLIGIBLE = -18; // exp of it is lost in a float32 beside 1

/**
 * The mask and the confidence of logits, which are enlarged to width x height first, as `F.interpolate` does.
 * @param {{data: Float32Array, classes: number, width: number, height: number}} logits class after class
 * @returns {{mask: Uint8Array, confidence: Uint8Array, shares: number[], meanConfidence: number}} confidence 255 is 1
 * @throws {Error} "not finite" where a logit is no number
 */
export function winners({ data, classes, width: from, height: rows }, width, height) {
  const mask = new Uint8Array(width * height);
  const confidence = new Uint8Array(width * height);
  const counts = new Array(classes).fill(0);
  const across = between(from, width);
  const down = between(rows, height);
  const line = new Float32Array(classes * from); // one row between two of the source
  const here = new Float32Array(classes);
  let total = 0;
  for (let y = 0, at = 0; y < height; y++) {
    blend(line, data, { classes, from, rows, above: down.first[y], below: down.second[y], share: down.share[y] });
    for (let x = 0; x < width; x++, at++) {
      const left = across.first[x];
      const right = across.second[x];
      const share = across.share[x];
      let best = 0;
      for (let c = 0, p = 0; c < classes; c++, p += from) {
        here[c] = line[p + left] + share * (line[p + right] - line[p + left]);
        if (here[c] > here[best]) best = c;
      }
      let sum = 0;
      for (let c = 0; c < classes; c++) {
        const below = here[c] - here[best];
        if (!(below < NEGLIGIBLE)) sum += Math.exp(below);
      }
      const sure = 1 / sum;
      mask[at] = best;
      counts[best]++;
      confidence[at] = Math.round(255 * sure);
      total += sure;
    }
  }
  if (!Number.isFinite(total)) throw new Error("not finite");
  return { mask, confidence, shares: counts.map((count) => count / mask.length), meanConfidence: total / mask.length };
}

/** For each of `size` pixels, of a photo seen with `seen`: the nearest place in a grid, as in zoo/models/score_maps.py. */
function cells(size, seen, { stride, offset }) {
  const places = Array.from({ length: size }, (_, i) => Math.floor(((2 * i + 1) * seen) / (2 * size)));
  return places.map((place) => Math.floor((place + offset) / stride));
}

/**
 * One value a score as one value a pixel: blocks as large as the grid's stride, where the network looks.
 * @param {{data: Uint8Array, width: number}} map one value a score, row after row
 * @param {{width: number, height: number}} seen the photo as the network sees it
 * @param {{stride: number, offset: number}} grid
 */
export function blocks(map, width, height, seen, grid) {
  const out = new Uint8Array(width * height);
  const columns = cells(width, seen.width, grid);
  cells(height, seen.height, grid).forEach((row, y) => {
    for (let x = 0; x < width; x++) out[y * width + x] = map.data[row * map.width + columns[x]];
  });
  return out;
}

function blend(line, data, { classes, from, rows, above, below, share }) {
  for (let c = 0; c < classes; c++) {
    const top = (c * rows + above) * from;
    const bottom = (c * rows + below) * from;
    for (let x = 0; x < from; x++) line[c * from + x] = data[top + x] + share * (data[bottom + x] - data[top + x]);
  }
}
