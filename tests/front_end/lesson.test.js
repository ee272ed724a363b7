// The lesson's arithmetic: what its scripts compute by themselves, held to answers worked out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inCell } from "../../zoo/page/components/learn/script/field.js";
import { softmax } from "../../zoo/page/components/learn/script/first.js";
import { balancedWeights, crossEntropy, pulls } from "../../zoo/page/components/learn/script/gradients.js";
import { crack } from "../../zoo/page/components/learn/script/loss.js";
import { paperSide, sameSide } from "../../zoo/page/components/learn/script/padding.js";
import { flips, nearBorders, rivals, scoresAt, sumAt } from "../../zoo/page/components/learn/script/scores.js";
import { rightGap } from "../../zoo/page/components/learn/script/split.js";
import { worthwhile } from "../../zoo/page/components/learn/script/sum.js";
import {
  bilinear,
  outputSize,
  paintedBy,
  paintedSquare,
  random,
  repeatedSums,
  timesPainted,
} from "../../zoo/page/components/learn/script/upsampling.js";

test("scores between cells are bilinear, and the last cell goes on at the edge", () => {
  const grid = { rows: 1, columns: 2, stride: 2, offset: 0 };
  const map = [0, 4, 10, 10]; // two classes
  assert.deepEqual(scoresAt(map, grid, 0, 0), [0, 10]);
  assert.deepEqual(scoresAt(map, grid, 1, 1), [1, 10]);
  assert.deepEqual(scoresAt(map, grid, 2, 0), [3, 10]);
  assert.deepEqual(scoresAt(map, grid, 3, 1), [4, 10]);
  assert.deepEqual(scoresAt(map, { ...grid, offset: 1 }, 0, 0), [1, 10]);
});

test("a sum goes from coarse to fine and names the winner of each", () => {
  const grid = { rows: 1, columns: 1, stride: 8, offset: 0 };
  const steps = sumAt({ 8: [0, 3, 0], 16: [0, 0, 1], 32: [2, 0, 0] }, grid, 3, 3);
  assert.deepEqual(
    steps.map(({ stride, sum, winner }) => [stride, sum, winner]),
    [
      ["32", [2, 0, 0], 0],
      ["16", [2, 0, 1], 0],
      ["8", [2, 3, 1], 1],
    ],
  );
  assert.deepEqual(rivals(steps), [1, 0]);
  assert.deepEqual(rivals([{ winner: 2, sum: [1, 0, 5] }]), [2, 0]);
});

test("flips are told apart by the truth; void is nobody's", () => {
  const found = flips([0, 0, 1, 1, 0], [1, 0, 0, 2, 1], [1, 0, 1, 0, 255], 255);
  assert.deepEqual([...found.marks], [1, 0, 2, 3, 4]);
  assert.deepEqual([found.flipped, found.paid, found.cost], [0.8, 0.2, 0.2]);
});

test("a border is felt on both sides and no further than asked", () => {
  assert.deepEqual([...nearBorders([0, 0, 0, 1, 1, 1], 6, 1, 1)], [0, 0, 1, 1, 0, 0]);
  assert.deepEqual([...nearBorders([0, 0, 0, 1, 1, 1], 6, 1, 2)], [0, 1, 1, 1, 1, 0]);
  assert.deepEqual([...nearBorders([0, 1], 1, 2, 5)], [1, 1]);
});

test("places where a skip paid begin with thin things", () => {
  const size = 20;
  const marks = new Uint8Array(size * size);
  const truth = new Uint8Array(size * size);
  for (let y = 2; y < 12; y++) for (let x = 2; x < 12; x++) marks[y * size + x] = 1;
  for (let y = 4; y < 18; y++) {
    marks[y * size + 16] = 1;
    truth[y * size + 16] = 1;
  }
  for (const name of ["pole", "sign symbol"]) {
    const network = { classes: [{ name: "road" }, { name }] };
    const found = worthwhile(marks, { width: size, height: size, truth, network });
    assert.deepEqual(
      found.map((place) => truth[place]),
      [1, 0],
    );
    assert.ok(found.every((place) => marks[place] === 1));
  }
});

test("a transposed convolution is as large as the formula and its picture say", () => {
  const setting = { inputs: 3, stride: 2, kernel: 3, padding: 0 };
  assert.equal(outputSize(3, 2, 3, 0), 7);
  assert.deepEqual(timesPainted(setting), [1, 1, 2, 1, 2, 1, 1]);
  assert.deepEqual(paintedBy(1, setting), [2, 4]);
  assert.deepEqual(paintedBy(0, { ...setting, padding: 1 }), [0, 1]);
  assert.deepEqual(timesPainted({ ...setting, padding: 1 }), [1, 2, 1, 2, 1]);
  assert.equal(outputSize(15, 32, 64, 16), 480);
});

test("bilinear kernels of twice the stride paint evenly, ones of another size do not", () => {
  const line = [0.25, 0.75, 0.75, 0.25];
  assert.deepEqual(
    bilinear(4),
    line.map((down) => line.map((across) => down * across)),
  );
  assert.deepEqual(repeatedSums(bilinear(4), 2), [1, 1, 1, 1]);
  assert.deepEqual(
    repeatedSums(
      [
        [1, 1, 1],
        [1, 1, 1],
        [1, 1, 1],
      ],
      2,
    ),
    [4, 2, 2, 1],
  );
  const square = paintedSquare(
    [
      [1, 1, 1],
      [1, 1, 1],
      [1, 1, 1],
    ],
    { inputs: 2, stride: 2, padding: 0 },
  );
  assert.deepEqual(square[2], [2, 2, 4, 2, 2]);
  assert.deepEqual(random(3), random(3));
});

test("a gradient's pull and push are its sums over either side", () => {
  const rare = [1, 0, 0, 0];
  const slopes = crossEntropy([0.25, 0.5, 0, 0.5], rare);
  assert.deepEqual(slopes, [-0.1875, 0.125, 0, 0.125]);
  assert.deepEqual(pulls(slopes, rare), { rare: 0.1875, common: 0.25 });
  assert.deepEqual(balancedWeights(rare), [4 / 6, 2]);
  for (const count of [1, 12, 13, 72])
    assert.equal(
      crack(count).reduce((sum, one) => sum + one, 0),
      count,
    );
});

test("the ruler gives the paper's crops for every size, and none with 'same' padding", () => {
  for (const size of [1, 32, 225, 500]) {
    const side = paperSide(size);
    assert.deepEqual(side.crops, { 16: 5, 8: 9 });
    assert.deepEqual(
      [32, 16, 8].map((stride) => -side.output[stride].begin),
      [19, 27, 31],
    );
    for (const stride of [32, 16, 8]) assert.ok(side.output[stride].begin + side.output[stride].size >= size);
  }
  assert.equal(sameSide(33).output[8].size, 64);
  assert.deepEqual(sameSide(33).crops, { 16: 0, 8: 0 });
});

test("a cell's classes are shares of what is labelled in it", () => {
  const truth = [0, 0, 1, 1, 0, 255, 1, 1];
  assert.deepEqual(inCell(truth, { left: 0, top: 0 }, 2, 4, 2, 255), [[0, 1]]);
  assert.deepEqual(inCell(truth, { left: 0, top: 0 }, 4, 4, 2, 255), [
    [1, 4 / 7],
    [0, 3 / 7],
  ]);
  assert.deepEqual(inCell([255], { left: 0, top: 0 }, 8, 1, 1, 255), []);
});

test("probabilities add up to one however large the scores are", () => {
  const [first, second] = softmax([1000, 1000 + Math.log(3)]);
  assert.ok(Math.abs(first - 0.25) < 1e-9 && Math.abs(second - 0.75) < 1e-9);
});

test("the true answer on the gap between two splits follows the gap", () => {
  assert.deepEqual([-0.02, 0.0099, 0.01, 0.099, 0.1, 0.3].map(rightGap), [1, 1, 2, 2, 3, 3]);
});
