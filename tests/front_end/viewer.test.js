// How the viewer arranges panels and counts errors, against cases worked out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { arrangePanels } from "../../zoo/page/components/viewer/script/layout.js";
import { countErrors } from "../../zoo/page/components/viewer/script/legend.js";

const PHOTO = 4 / 3;

test("four stand in a row on a wide window, low or high", () => {
  for (const height of [960, 1160]) {
    assert.equal(arrangePanels({ count: 4, width: 2130, height, ratio: PHOTO }).columns, 4);
  }
});

test("no panel is left over in a row of its own where rows can be even", () => {
  for (const [count, columns] of [
    [5, 3],
    [6, 3],
    [7, 4],
  ]) {
    assert.equal(arrangePanels({ count, width: 2130, height: 1160, ratio: PHOTO }).columns, columns);
  }
  assert.equal(arrangePanels({ count: 4, width: 800, height: 300, ratio: PHOTO }).columns, 2);
});

test("the ladder and its ground truth fit a laptop without scrolling", () => {
  const { columns, card } = arrangePanels({ count: 4, width: 1010, height: 562, ratio: PHOTO });
  assert.equal(columns, 4);
  assert.ok(card / PHOTO + 58 <= 562 && 4 * card + 42 <= 1010 && card >= 220, `a card is ${card} wide`);
});

test("panoramas are stacked where the window is high enough for one", () => {
  assert.deepEqual(arrangePanels({ count: 4, width: 1010, height: 562, ratio: 3 }), { columns: 1, card: Infinity });
  assert.ok(arrangePanels({ count: 4, width: 2130, height: 500, ratio: 3 }).columns > 1);
  const { columns, card } = arrangePanels({ count: 3, width: 2130, height: 1160, ratio: 3 });
  assert.ok(columns === 1 && card > 900 && 3 * (card / 3 + 58) + 28 <= 1160.001, `a card is ${card} wide`);
});

test("on a phone, up to three stand below each other and more in two columns", () => {
  const phone = { width: 358, height: 500, ratio: PHOTO };
  assert.equal(arrangePanels({ count: 3, ...phone }).columns, 1);
  assert.equal(arrangePanels({ count: 4, ...phone }).columns, 2);
});

test("a table keeps its columns and shrinks to fit where it stays readable", () => {
  const table = { count: 9, ratio: PHOTO, table: 3 };
  assert.deepEqual(arrangePanels({ width: 1010, height: 562, ...table }), { columns: 3, card: Infinity });
  const large = arrangePanels({ width: 2130, height: 960, ...table });
  assert.ok(large.columns === 3 && 3 * (large.card / PHOTO + 58) + 28 <= 961);
  assert.equal(arrangePanels({ width: 320, height: 500, ...table }).columns, 3);
});

test("all are shown where nothing may scroll", () => {
  for (const ratio of [0.7, PHOTO, 3]) {
    for (const count of [1, 2, 3, 5, 7, 9]) {
      const { columns, card } = arrangePanels({ count, width: 1400, height: 800, ratio, smallest: 1 });
      const rows = Math.ceil(count / columns);
      assert.ok(rows * (card / ratio + 58) + 14 * (rows - 1) <= 800.001, `${count} panels of ${ratio}`);
      assert.ok(columns * card + 14 * (columns - 1) <= 1400.001);
    }
  }
});

test("errors are counted per class over the labelled pixels", () => {
  const classAt = Int16Array.from({ length: 256 }, (_, id) => (id < 2 ? id : -1)); // two classes, the rest void
  const panel = { ids: Uint8Array.from([0, 0, 1, 1, 0]), classAt };
  const truth = { ids: Uint8Array.from([0, 1, 1, 0, 255]), classAt };
  assert.deepEqual(countErrors(panel, truth, 2), [
    { positives: 0.25, negatives: 0.25 },
    { positives: 0.25, negatives: 0.25 },
  ]);
  assert.deepEqual(countErrors({ ids: Uint8Array.from([0, 0, 0, 0, 0]), classAt }, truth, 2), [
    { positives: 0.5, negatives: 0 },
    { positives: 0, negatives: 0.5 },
  ]);
});
