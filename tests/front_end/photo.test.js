// What the static page takes for a photo, judged by its first bytes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { judge, statedSize } from "../../zoo/page/components/site/photo.js";

const APP0 = [0xff, 0xe0, 0, 4, 1, 2];
const FRAME = [0xff, 0xc0, 0, 17, 8, 0, 36, 0, 48, 3];
const jpeg = (...between) => new Uint8Array([0xff, 0xd8, ...APP0, ...between, ...FRAME]);

test("a JPEG's size is found behind bytes that belong to no segment, as its decoders find it", () => {
  for (const between of [[], [0, 0, 0], [0xff, 0xff], [7, 0xff]]) {
    assert.deepEqual(statedSize(jpeg(...between), "jpeg"), [48, 36]);
  }
  assert.throws(() => statedSize(jpeg().subarray(0, 12), "jpeg"), { key: "error_damaged" });
  assert.throws(() => statedSize(new Uint8Array([0xff, 0xd8, 0, 0, 0]), "jpeg"), { key: "error_damaged" });
});

test("the limit that a large file is told is the one that uploads have", async () => {
  const file = /** @type {any} */ ({ size: 64 * 2 ** 20 + 1 });
  const limits = /** @type {any} */ ({ bytes: 64 * 2 ** 20 });
  await assert.rejects(judge(file, limits), { key: "site_large_file", parts: { limit: 64 } });
});

test("a file that is gone is no fault of the networks", async () => {
  const gone = () => Promise.reject(new DOMException("could not be found", "NotFoundError"));
  const file = /** @type {any} */ ({ size: 9, arrayBuffer: gone });
  await assert.rejects(judge(file, /** @type {any} */ ({ bytes: 10 })), { key: "error_damaged" });
});
