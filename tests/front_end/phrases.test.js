// The published figures' own words in the page's language.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { speak } from "../../zoo/page/components/base/texts.js";
import { inPageWords } from "../../zoo/page/components/table/script/phrases.js";

const read = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf-8"));
const said = read("evaluation/board/published.json").flatMap(({ name, split, training_split: training, source }) =>
  [name, split, training, source].filter(Boolean),
);

test("in English they stand as their sources have them", () => {
  speak(read("zoo/text/en.json").table, "en");
  for (const one of said) assert.equal(inPageWords(one).replace("3,433", "3433"), one);
});

test("in Portuguese nothing but names is English", () => {
  speak(read("zoo/text/pt-BR.json").table, "pt-BR");
  const names = /arXiv|README|commit|pull request|issue|Upsampling|GitHub|FCN weights|configs|experiments/gi;
  const english =
    /\b(images?|the|and|not|no|only|last|layer|at|once|retrained|staged|subset|labels|iterations|table|fixed)\b/i;
  for (const one of said) assert.doesNotMatch(inPageWords(one).replace(names, ""), english);
  assert.equal(inPageWords("VOC2011 val, 736 images"), "VOC2011 val, 736 imagens");
  assert.equal(inPageWords("FCN-8s at once, retrained"), "FCN-8s de uma vez, treinada de novo");
  assert.equal(
    inPageWords("3433 road-scene images, not CamVid's 367"),
    "3.433 imagens de ruas e estradas, não as 367 do CamVid",
  );
  assert.equal(inPageWords("val2017, the 20 VOC labels"), "val2017, os 20 rótulos do VOC");
});
