// Gradients of the losses at each pixel of an image of two classes, as `training.losses` has them. `chance` is the
// probability that the network gives the rare class at each pixel, `rare` whether the pixel is of that class; what comes
// out is the loss's derivative by the rare class's logit there. Below zero, a step of training raises that logit.

/** Cross-entropy, averaged over the pixels. */
export function crossEntropy(chance, rare) {
  return chance.map((p, i) => (p - rare[i]) / chance.length);
}

/** Cross-entropy with weights by class, averaged with these weights. `weights`: of the common class and the rare one */
export function weightedCrossEntropy(chance, rare, weights) {
  const total = rare.reduce((sum, one) => sum + weights[one], 0);
  return chance.map((p, i) => (weights[rare[i]] * (p - rare[i])) / total);
}

/** Focal loss -(1 - q)^gamma log q, with q the probability of the true class. */
export function focal(chance, rare, gamma) {
  return chance.map((p, i) => {
    const q = rare[i] ? p : 1 - p;
    const own = gamma * q * (1 - q) ** gamma * Math.log(q) - (1 - q) ** (gamma + 1);
    return (rare[i] ? own : -own) / chance.length;
  });
}

/** 1 - Dice, averaged over the classes that the image holds. */
export function dice(chance, rare) {
  const sum = (values) => values.reduce((total, one) => total + one, 0);
  const sides = [0, 1]
    .map((side) => {
      const belongs = rare.map((one) => Number(one === side));
      const own = chance.map((p) => (side ? p : 1 - p));
      const size = sum(belongs);
      return { side, belongs, size, overlap: sum(own.map((p, i) => p * belongs[i])), both: sum(own) + size };
    })
    .filter(({ size }) => size > 0);
  return chance.map((p, i) => {
    const slopes = sides.map(({ side, belongs, overlap, both }) => {
      const slope = (-2 * (belongs[i] * both - overlap)) / both ** 2;
      return side ? slope : -slope;
    });
    return (sum(slopes) / sides.length) * p * (1 - p);
  });
}

/** Weights by median frequency: half of all pixels over the pixels of each class, of the common one first. */
export function balancedWeights(rare) {
  const count = rare.reduce((sum, one) => sum + one, 0);
  return [rare.length - count, count].map((pixels) => (pixels ? (0.5 * rare.length) / pixels : 1));
}

/** The sums of a gradient over the rare pixels and over the others: how hard each side pulls, as positive numbers. */
export function pulls(gradient, rare) {
  const of = (side) => Math.abs(gradient.reduce((sum, slope, i) => sum + (rare[i] === side ? slope : 0), 0));
  return { rare: of(1), common: of(0) };
}
