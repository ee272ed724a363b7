// Names of masks in the static page's zip: no two are alike.

import assert from "node:assert/strict";
import { test } from "node:test";

import { maskNames } from "../../zoo/page/components/site/zip.js";

test("photos that differ in ending or case alone get masks of their own", () => {
  const photos = ["IMG_1 (2).png", "IMG_1.JPG", "IMG_1.png", "a.b.jpg", "img_1.webp"];
  const masks = ["IMG_1 (2).png", "IMG_1.png", "IMG_1 (3).png", "a.b.png", "img_1 (4).png"];
  assert.deepEqual(maskNames(photos), masks);
});

test("photos that differ in the form of an accent alone get masks of their own", () => {
  assert.deepEqual(maskNames(["pra\u00e7a.jpg", "prac\u0327a.jpg"]), ["pra\u00e7a.png", "prac\u0327a (2).png"]);
});
