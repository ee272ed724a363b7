// Arithmetic of the transposed convolution: sizes, who paints what, kernels to start from.

/** Size of the output: (n - 1) s + k - 2 p; below 1 there is none. */
export function outputSize(inputs, stride, kernel, padding) {
  return (inputs - 1) * stride + kernel - 2 * padding;
}

/** The first and last output that an input paints, counted from 0; what padding cuts off is left out, null for all. */
export function paintedBy(input, { inputs, stride, kernel, padding }) {
  const first = Math.max(0, input * stride - padding);
  const last = Math.min(outputSize(inputs, stride, kernel, padding) - 1, input * stride - padding + kernel - 1);
  return first > last ? null : [first, last];
}

/** How many inputs paint each output of one line. */
export function timesPainted(setting) {
  const { inputs, stride, kernel, padding } = setting;
  const counts = new Array(Math.max(0, outputSize(inputs, stride, kernel, padding))).fill(0);
  for (let input = 0; input < inputs; input++) {
    const painted = paintedBy(input, setting);
    for (let at = painted?.[0]; painted && at <= painted[1]; at++) counts[at]++;
  }
  return counts;
}

/** The kernel that interpolates bilinearly by half its size, as FCN's upsampling starts; rows of numbers. */
export function bilinear(size) {
  const factor = Math.ceil(size / 2);
  const centre = (size - 1) / 2;
  const line = Array.from({ length: size }, (_, at) => Math.max(0, 1 - Math.abs(at - centre) / factor));
  return line.map((down) => line.map((across) => down * across));
}

/** A kernel of normally distributed numbers, always the same for one size: what He's rule begins with. */
export function random(size) {
  let state = 2463534242 + size;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
  const spread = Math.sqrt(2) / size;
  return Array.from({ length: size }, () => Array.from({ length: size }, () => spread * normal()));
}

/** The output, row by row, of a square input that is 1 everywhere. */
export function paintedSquare(kernel, { inputs, stride, padding }) {
  const size = outputSize(inputs, stride, kernel.length, padding);
  const out = Array.from({ length: size }, () => new Array(size).fill(0));
  for (let row = 0; row < inputs; row++) {
    for (let column = 0; column < inputs; column++) {
      kernel.forEach((line, down) => {
        line.forEach((weight, across) => {
          const y = row * stride - padding + down;
          const x = column * stride - padding + across;
          if (y >= 0 && x >= 0 && y < size && x < size) out[y][x] += weight;
        });
      });
    }
  }
  return out;
}

/** The sums that repeat inside the output of a constant input: one for each of stride x stride places, row by row. */
export function repeatedSums(kernel, stride) {
  const sums = [];
  for (let down = 0; down < stride; down++) {
    for (let across = 0; across < stride; across++) {
      let sum = 0;
      for (let y = down; y < kernel.length; y += stride) {
        for (let x = across; x < kernel.length; x += stride) sum += kernel[y][x];
      }
      sums.push(sum);
    }
  }
  return sums;
}
