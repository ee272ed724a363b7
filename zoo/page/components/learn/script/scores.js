// Scores of a network at a pixel, from the maps that Python sends: whole numbers of 16 bits, stride by stride.

/** Bytes of base64. */
export function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** The maps of a value {rows, columns, scale, maps: {stride: base64}} as numbers: {stride: Float32Array}, class first. */
export function readMaps({ maps, scale }) {
  const read = (base64) => Float32Array.from(new Int16Array(bytesOf(base64).buffer), (number) => number * scale);
  return Object.fromEntries(Object.entries(maps).map(([stride, base64]) => [stride, read(base64)]));
}

/** What each class scores at pixel (x, y), interpolated bilinearly between the cells around it, as the network does. */
export function scoresAt(map, { rows, columns, stride, offset }, x, y) {
  const [left, right, across] = between((x + 0.5 + offset) / stride - 0.5, columns);
  const [above, below, down] = between((y + 0.5 + offset) / stride - 0.5, rows);
  const cells = rows * columns;
  return Array.from({ length: map.length / cells }, (_, index) => {
    const at = (row, column) => map[index * cells + row * columns + column];
    const top = at(above, left) * (1 - across) + at(above, right) * across;
    const bottom = at(below, left) * (1 - across) + at(below, right) * across;
    return top * (1 - down) + bottom * down;
  });
}

/** The cells on both sides of a place and the share of the second; beyond the edge the last cell goes on. */
function between(place, count) {
  const first = Math.floor(place);
  const inside = (cell) => Math.min(Math.max(cell, 0), count - 1);
  return [inside(first), inside(first + 1), place - first];
}

export const winner = (scores) => scores.indexOf(Math.max(...scores));

/**
 * The sum at a pixel, summand by summand.
 * @returns {{stride: string, own: number[], sum: number[], winner: number}[]} coarsest first
 */
export function sumAt(maps, grid, x, y) {
  const strides = Object.keys(maps).sort((a, b) => Number(b) - Number(a));
  let sum = null;
  return strides.map((stride) => {
    const own = scoresAt(maps[stride], grid, x, y);
    sum = sum ? sum.map((score, index) => score + own[index]) : own;
    return { stride, own, sum, winner: winner(sum) };
  });
}

/** The two classes to look at: the one that wins in the end, and the last other one that won, else the second best. */
export function rivals(steps) {
  const last = steps.at(-1);
  const earlier = steps.map((step) => step.winner).filter((one) => one !== last.winner);
  const rest = last.sum.map((score, index) => (index === last.winner ? -Infinity : score));
  return [last.winner, earlier.length ? earlier.at(-1) : winner(rest)];
}

/**
 * What a summand changed: pixels whose winner it flipped, to the right class or away from it.
 * @returns {{marks: Uint8Array, flipped: number, paid: number, cost: number}} marks: 1 paid, 2 cost, 3 between two wrong
 *   classes, 4 flipped where nobody knows the truth; the others are shares of all pixels
 */
export function flips(before, after, truth, isVoid) {
  const marks = new Uint8Array(before.length);
  const counts = [0, 0, 0, 0, 0];
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    if (!truth || truth[i] === isVoid) marks[i] = 4;
    else if (after[i] === truth[i]) marks[i] = 1;
    else marks[i] = before[i] === truth[i] ? 2 : 3;
    counts[marks[i]]++;
  }
  const share = (count) => count / before.length;
  const flipped = share(counts.reduce((sum, count) => sum + count, 0));
  return { marks, flipped, paid: share(counts[1]), cost: share(counts[2]) };
}

/** 1 for every pixel that has another class within `reach` pixels across or down. */
export function nearBorders(ids, width, height, reach) {
  const near = new Uint8Array(ids.length);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const own = ids[y * width + x];
      const across = x + 1 < width && ids[y * width + x + 1] !== own;
      const down = y + 1 < height && ids[(y + 1) * width + x] !== own;
      if (across)
        for (let i = Math.max(0, x - reach + 1); i <= Math.min(width - 1, x + reach); i++) near[y * width + i] = 1;
      if (down)
        for (let i = Math.max(0, y - reach + 1); i <= Math.min(height - 1, y + reach); i++) near[i * width + x] = 1;
    }
  }
  return near;
}
