// The reader of mask PNGs, against files that are written here byte by byte.

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, deflateSync } from "node:zlib";
import { decodePng } from "../../zoo/page/components/viewer/script/png.js";

function chunk(kind, body) {
  const head = Buffer.concat([Buffer.from(kind, "latin1"), body]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length);
  check.writeUInt32BE(crc32(head));
  return Buffer.concat([length, head, check]);
}

/** A PNG of colour type `type` from rows of packed bytes, each behind its filter's number. */
function png(width, rows, { depth = 8, type = 3, interlaced = 0 } = {}) {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(rows.length, 4);
  header.set([depth, type, 0, 0, interlaced], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  const data = deflateSync(Buffer.from(rows.flat()));
  const file = Buffer.concat([signature, chunk("IHDR", header), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
  return file.buffer.slice(file.byteOffset, file.byteOffset + file.length);
}

test("each row filter is undone", async () => {
  // Filters of section 9 of the PNG specification: none, sub, up, average, Paeth.
  const rows = [
    [0, 1, 2, 3],
    [1, 5, 1, 1],
    [2, 1, 1, 1],
    [3, 1, 1, 1],
    [4, 1, 1, 1],
  ];
  const { width, height, samples } = await decodePng(png(3, rows));
  assert.deepEqual([width, height], [3, 5]);
  assert.deepEqual([...samples], [1, 2, 3, 5, 6, 7, 6, 7, 8, 4, 6, 8, 5, 7, 9]);
});

test("samples of fewer bits are unpacked from the left", async () => {
  const { samples } = await decodePng(png(5, [[0, 0b00011011, 0b01000000]], { depth: 2 }));
  assert.deepEqual([...samples], [0, 1, 2, 3, 1]);
});

test("what is no indexed or grey PNG is refused with the reason", async () => {
  await assert.rejects(decodePng(new TextEncoder().encode("GIF89a..").buffer), /not a PNG file/);
  await assert.rejects(decodePng(png(1, [[0, 1, 2, 3]], { type: 2 })), /neither indexed nor grey/);
  await assert.rejects(decodePng(png(1, [[0, 1]], { interlaced: 1 })), /interlaced/);
  await assert.rejects(decodePng(png(4, [[0, 1, 2]])), /cut short/);
});
