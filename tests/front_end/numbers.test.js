// Numbers and texts of the base: what people read, in two languages and for what is no number.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  compact,
  decimal,
  isInterval,
  isNumber,
  margin,
  percent,
  percentage,
  withSign,
} from "../../zoo/page/components/base/numbers.js";
import { hasText, locale, speak, text, titleOf } from "../../zoo/page/components/base/texts.js";

beforeEach(() => speak({}, "en"));

test("a fraction reads as per cent with one decimal", () => {
  assert.equal(percent(0.593), "59.3");
  assert.equal(percent(1), "100.0");
  assert.equal(percent(0.5, 0), "50");
  assert.equal(percentage(0.593), "59.3%");
});

test("the language sets the decimal sign", () => {
  speak({}, "pt-BR");
  assert.equal(percent(0.593), "59,3");
  assert.equal(decimal(1234.5, 1), "1.234,5");
});

test("what is no number reads as a dash", () => {
  for (const value of [null, undefined, Number.NaN, Number.POSITIVE_INFINITY, "1"]) {
    assert.equal(isNumber(value), false);
    assert.equal(percent(value), "–");
    assert.equal(decimal(value), "–");
  }
});

test("a margin is half the interval's width in points", () => {
  assert.equal(margin([0.57, 0.61]), "±2.0");
  assert.equal(margin(null), "");
  assert.equal(margin([0.5]), "");
  assert.equal(isInterval([0, "1"]), false);
});

test("a difference has its sign, as it is printed", () => {
  assert.deepEqual(
    [0.042, -1.407, 0].map((value) => withSign(value, 2)),
    ["+0.04", "−1.41", "0.00"],
  );
  assert.equal(withSign(undefined), "–");
});

test("large numbers are shortened", () => {
  assert.equal(compact(1_330_000), "1.33M");
  assert.equal(compact(134_000_000), "134M");
});

test("places of a text are filled, and only those that are given", () => {
  speak({ greeting: "{name} has {count}" }, "en");
  assert.equal(text("greeting", { name: "Ana", count: 2 }), "Ana has 2");
  assert.equal(text("greeting", { name: "{count}" }), "{count} has {count}");
  assert.equal(text("greeting", {}), "{name} has {count}");
});

test("a text that is missing is its key, a title that is missing the value itself", () => {
  speak({ variant_fcn8s: "FCN-8s" }, "en");
  assert.equal(text("no_such_text"), "no_such_text");
  assert.equal(titleOf("variant", "fcn8s"), "FCN-8s");
  assert.equal(titleOf("variant", "fcn4s"), "fcn4s");
  assert.equal(titleOf("variant", null), "");
  assert.equal(hasText("toString"), false);
});

test("an unknown language does not break numbers", () => {
  speak({}, "no language!");
  assert.equal(locale(), "en");
  assert.equal(percent(0.5), "50.0");
});

test("a text chooses its words by a number", () => {
  speak({ done: "{done} of {total} {total:mask|masks} {done:is|are} ready" }, "en");
  assert.equal(text("done", { done: 0, total: 1 }), "0 of 1 mask are ready");
  assert.equal(text("done", { done: "1", total: "1.000" }), "1 of 1.000 masks is ready");
  assert.equal(text("done", { done: 2 }), "2 of {total} {total:mask|masks} are ready");
});
