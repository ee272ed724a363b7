// Files that are chosen in the photo field, whose type a browser may not know.

import assert from "node:assert/strict";
import { test } from "node:test";
import listen from "../../zoo/page/components/scripts/bring.js";

const listeners = {};
globalThis.document = /** @type {any} */ ({
  addEventListener: (kind, act) => Object.assign(listeners, { [kind]: act }),
});
globalThis.DataTransfer = /** @type {any} */ (
  class {
    files = [];
    items = { add: (file) => this.files.push(file) };
  }
);
listen();

/** What Gradio gets to see of a file: the types of the changes that nobody stopped. */
function chosen(file) {
  const seen = [];
  const field = { files: [file], matches: () => true, dispatchEvent: () => change() };
  function change() {
    let stopped = false;
    listeners.change({ target: field, stopImmediatePropagation: () => (stopped = true) });
    if (!stopped) seen.push(field.files[0].type);
  }
  change();
  return seen;
}

test("a file of no known type goes on as it is, once", () => {
  assert.deepEqual(chosen(new File(["photo"], "IMG_1234")), [""]);
  assert.deepEqual(chosen(new File(["photo"], "photo.raw")), [""]);
});

test("a file whose ending tells its type goes on with it, once", () => {
  assert.deepEqual(chosen(new File(["photo"], "IMG_1234.HEIC")), ["image/heic"]);
  assert.deepEqual(chosen(new File(["photo"], "a.png", { type: "image/png" })), ["image/png"]);
});
