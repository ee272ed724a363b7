// A zip of files that are compressed already, such as PNGs: they are stored as they are.

import { crc32 } from "./png.js";

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const VERSION = 20; // of the format that is needed to read it: 2.0
const UTF8 = 0x0800; // names are
const DATE = (1 << 5) | 1; // 1 January 1980, the earliest: equal content gives equal files

/** A record: [value, bytes] pairs, little-endian, and what follows them. */
function record(fields, ...rest) {
  const view = new DataView(new ArrayBuffer(fields.reduce((total, [, bytes]) => total + bytes, 0)));
  let at = 0;
  for (const [value, bytes] of fields) {
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += bytes;
  }
  return [view.buffer, ...rest];
}

/** What both of a file's headers say: from the version to the length of its name, and no extra field. */
function facts({ name, content }) {
  const short = [VERSION, UTF8, 0, 0, DATE].map((value) => [value, 2]);
  const long = [crc32(content), content.length, content.length].map((value) => [value, 4]);
  return [...short, ...long, [name.length, 2], [0, 2]];
}

/**
 * A zip file.
 * @param {[string, Uint8Array][]} files names and contents
 * @returns {Blob}
 */
export function zipped(files) {
  const [parts, central] = [[], []];
  let [offset, length] = [0, 0];
  for (const [title, content] of files) {
    const file = { name: new TextEncoder().encode(title), content };
    const nothing = [0, 0, 0].map((value) => [value, 2]); // comment, disk, kind
    const header = [[CENTRAL, 4], [VERSION, 2], ...facts(file), ...nothing, [0, 4], [offset, 4]];
    parts.push(...record([[LOCAL, 4], ...facts(file)], file.name, content));
    central.push(...record(header, file.name));
    offset += 30 + file.name.length + content.length;
    length += 46 + file.name.length;
  }
  const counts = [0, 0, files.length, files.length].map((value) => [value, 2]);
  const end = record([[END, 4], ...counts, [length, 4], [offset, 4], [0, 2]]);
  return new Blob([...parts, ...central, ...end], { type: "application/zip" });
}

/**
 * The names of photos' masks, numbered where photos differ only in their ending, or in case, which many disks lack.
 * @param {string[]} photos in the order in which they are numbered
 */
export function maskNames(photos) {
  const plain = (name) => name.normalize("NFC").toLowerCase();
  const taken = new Set();
  return photos.map((photo) => {
    const stem = photo.replace(/(?<=.)\.[^.]+$/, "");
    let name = `${stem}.png`;
    for (let number = 2; taken.has(plain(name)); number++) name = `${stem} (${number}).png`;
    taken.add(plain(name));
    return name;
  });
}
