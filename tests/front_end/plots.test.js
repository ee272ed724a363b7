// What the leaderboard's plots and exports compute, against values worked out by hand.

import assert from "node:assert/strict";
import { test } from "node:test";
import { speak } from "../../zoo/page/components/base/texts.js";
import {
  logTicks,
  makeScale,
  niceTicks,
  paddedDomain,
  plainColour,
  spreadOut,
  wrapped,
} from "../../zoo/page/components/table/script/charts.js";
import { effortGap } from "../../zoo/page/components/table/script/effort.js";
import { csvCell, latexText } from "../../zoo/page/components/table/script/export.js";
import { inPageWords } from "../../zoo/page/components/table/script/phrases.js";
import { rareClasses } from "../../zoo/page/components/table/script/plot_losses.js";
import { reachOf, spanOf, spanText } from "../../zoo/page/components/table/script/seeds.js";
import { compareValues, keyedRows, matchesSearch, readAddress } from "../../zoo/page/components/table/script/state.js";

speak({}, "en");

test("ticks are round numbers inside the range", () => {
  assert.deepEqual(niceTicks(0, 10), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(niceTicks(0.31, 0.58, 3), [0.4, 0.5]);
  assert.deepEqual(logTicks(3, 60), [5, 10, 20, 50]);
});

test("a scale maps the ends of its domain to the ends of its range", () => {
  const linear = makeScale([10, 20], [0, 100]);
  assert.deepEqual([10, 15, 20].map(linear), [0, 50, 100]);
  const log = makeScale([1, 100], [0, 100], true);
  assert.equal(Math.round(log(10)), 50);
  assert.equal(makeScale([5, 5], [0, 100])(5), 0);
});

test("equal numbers get air of their own size", () => {
  assert.deepEqual(paddedDomain([50, 50], [0, Infinity], 0.3), [35, 65]);
  assert.deepEqual(paddedDomain([10, 20], [0, Infinity], 0.3), [7, 23]);
});

test("labels of points above one another keep their order and their distance, as near to the points as can be", () => {
  assert.deepEqual(spreadOut([10, 40, 80], 13, 0, 100), [10, 40, 80]);
  assert.deepEqual(spreadOut([40, 40], 13, 0, 100), [33.5, 46.5]);
  assert.deepEqual(spreadOut([40, 42, 80], 13, 0, 100), [34.5, 47.5, 80]);
  assert.deepEqual(spreadOut([1, 2], 13, 0, 100), [0, 13]);
  assert.deepEqual(spreadOut([98, 99], 13, 0, 100), [87, 100]);
  assert.deepEqual(spreadOut([1, 2, 3, 4], 13, 0, 30), [0, 13, 26]); // the fourth has no room
});

test("a class with more than half of the pixels is not rare", () => {
  const matrix = [
    [980, 4],
    [6, 10],
  ];
  const row = { classes: ["pavement", "crack"], confusion_matrix: matrix, class_iou: { pavement: 0.99, crack: 0.5 } };
  assert.deepEqual(rareClasses([row]), ["crack"]);
});

test("a published split counts its images in the page's language", () => {
  speak({ images: "{count} imagens" }, "pt-BR");
  assert.equal(inPageWords("test (233 images)"), "test (233 imagens)");
  assert.equal(inPageWords("VOC2012 test"), "VOC2012 test");
  speak({}, "en");
});

test("text that a spreadsheet would run is disarmed, and quotes are doubled", () => {
  assert.equal(csvCell("=1+1"), "'=1+1");
  assert.equal(csvCell('a "b", c'), '"a ""b"", c"');
  assert.equal(csvCell(null), "");
  assert.equal(csvCell(-0.5), "-0.5");
});

test("what LaTeX reads as a command is escaped", () => {
  assert.equal(
    latexText("50% of_a {b} ^~\\"),
    "50\\% of\\_a \\{b\\} \\textasciicircum{}\\textasciitilde{}\\textbackslash{}",
  );
});

test("colours of the browser become ones that old SVG readers know", () => {
  assert.equal(plainColour("color(srgb 1 0.5 0)"), "rgb(255, 128, 0)");
  assert.equal(plainColour("color(srgb 0 0 1 / 0.5)"), "rgba(0, 0, 255, 0.5)");
  assert.equal(plainColour("rgb(1, 2, 3)"), "rgb(1, 2, 3)");
});

test("a line of a picture is broken between words where it would not fit", () => {
  assert.deepEqual(wrapped("one two three", 6.1 * 8), ["one two", "three"]);
  assert.deepEqual(wrapped("unbreakable", 10), ["unbreakable"]);
});

test("seeds span from the lowest to the highest, and their whiskers over images too", () => {
  const points = [
    { seed: 0, value: 0.072, interval: [0.04, 0.11] },
    { seed: 1, value: 0.194, interval: null },
  ];
  assert.deepEqual(spanOf(points), [0.072, 0.194]);
  assert.deepEqual(reachOf(points), [0.04, 0.194]);
  assert.equal(spanText(spanOf(points)), "7.2 – 19.4");
  assert.equal(spanText([0.5, 0.5]), "50.0");
});

test("effort that differs is named", () => {
  const said = {
    effort_differs: "{differences}",
    effort_epochs: "{low} to {high}",
    effort_elsewhere: "{what} in {count}",
    effort_teacher: "taught by {name}",
  };
  speak(said, "en");
  const row = (epochs, pretraining = null) => ({ dataset: "camvid", effort: { epochs, pretraining, stages: [] } });
  assert.equal(effortGap([row(135), row(135)]), "");
  assert.equal(effortGap([row(135), row(355, "ImageNet; x")]), "135 to 355; ImageNet in 1");
  const taught = { dataset: "camvid", effort: { epochs: 135, teacher: "big", stages: [] } };
  assert.equal(effortGap([row(135), taught]), "taught by big in 1");
});

test("values without a number come last in either direction", () => {
  const sorted = (descending) => [null, 2, 1].sort((a, b) => compareValues(a, b, descending));
  assert.deepEqual(sorted(false), [1, 2, null]);
  assert.deepEqual(sorted(true), [2, 1, null]);
});

test("a search finds all words of one of its parts", () => {
  const row = { name: "fcn8s-vgg16bn-w25-ce-camvid", variant: "fcn8s", loss: "ce", dataset: "camvid", split: "val" };
  assert.equal(matchesSearch(row, "fcn8s camvid"), true);
  assert.equal(matchesSearch(row, "fcn16s; ce"), true);
  assert.equal(matchesSearch(row, "fcn16s ce"), false);
  assert.equal(matchesSearch(row, " ; "), true);
});

test("rows of one name and split get keys of their own", () => {
  const row = { name: "a", dataset: "camvid", split: "val" };
  assert.deepEqual(
    keyedRows([row, row, { ...row, split: "test" }]).map(({ key }) => key),
    ["a@camvid/val", "a@camvid/val#2", "a@camvid/test"],
  );
});

test("the state is read from the address, and what is not understood is left out", () => {
  const state = readAddress("?lb_q=ce&lb_cols=nothing&lb_sort=miou.desc&lb_loss=ce&lb_loss=dice&lb_pick=1&tab=code");
  assert.equal(state.search, "ce");
  assert.equal(state.columns, "accuracy");
  assert.deepEqual([state.sort, state.descending], ["miou", true]);
  assert.deepEqual([...state.filters.loss], ["ce", "dice"]);
  assert.deepEqual(state.picked, ["1"]);
});
