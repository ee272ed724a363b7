// Sizes and places along one side of an image, through the network with the paper's padding of 100 and with 'same'.

const CONV_MARGIN = 1; // of a 3 x 3 kernel
const PAD = 100; // of conv1_1 in the paper
const FC6 = 7; // cells across that the paper's fc6 takes in

/** The paper's ladder for a side of `pixels`: sizes of what each layer gives, and where its first cell begins. */
export function paperSide(pixels) {
  const begin = -(PAD - CONV_MARGIN);
  const pools = halved(pixels - 2 * begin, Math.ceil);
  const fc6 = pools[4] - (FC6 - 1);
  const scores = { size: fc6, begin: begin + ((FC6 - 1) / 2) * 32, stride: 32 };
  const fused16 = doubled(scores);
  const fused8 = doubled(fused16);
  const skip = (fused, stride) => (fused.begin - begin) / stride;
  return {
    begin,
    pools,
    scores,
    fused: { 16: fused16, 8: fused8 },
    crops: { 16: skip(fused16, 16), 8: skip(fused8, 8) },
    output: { 32: enlarged(scores), 16: enlarged(fused16), 8: enlarged(fused8) },
  };
}

/** A transposed convolution of kernel 4 and stride 2 without padding: its margin is one cell of the finer grid. */
function doubled({ size, begin, stride }) {
  return { size: 2 * size + 2, begin: begin - stride / 2, stride: stride / 2 };
}

/** The last transposed convolution, to single pixels: its kernel is twice its stride, its margin half its stride. */
function enlarged({ size, begin, stride }) {
  return { size: (size + 1) * stride, begin: begin - stride / 2, stride: 1 };
}

/** The same for 'same' padding: the image is filled up to a multiple of 32, and every grid begins with it. */
export function sameSide(pixels) {
  const pools = halved(Math.ceil(pixels / 32) * 32, Math.floor);
  const grid = (stride) => ({ size: (pools[4] * 32) / stride, begin: 0, stride });
  return {
    begin: 0,
    pools,
    scores: grid(32),
    fused: { 16: grid(16), 8: grid(8) },
    crops: { 16: 0, 8: 0 },
    output: { 32: grid(1), 16: grid(1), 8: grid(1) },
  };
}

function halved(size, round) {
  const sizes = [];
  for (let pool = 0; pool < 5; pool++) sizes.push(round((sizes.at(-1) ?? size) / 2));
  return sizes;
}
