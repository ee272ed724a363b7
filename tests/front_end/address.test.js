// The visitor's files across a change of language, in a browser that keeps things and in one that refuses to.

import assert from "node:assert/strict";
import { test } from "node:test";
import { keepVisit, takeVisit } from "../../zoo/page/components/base/address.js";

const history = { state: { photo: "a" }, replaceState: (state) => Object.assign(history, { state }) };

test("what the history knows is put by and taken up once", () => {
  const store = new Map();
  const sessionStorage = {
    getItem: (name) => store.get(name) ?? null,
    setItem: (name, value) => store.set(name, value),
    removeItem: (name) => store.delete(name),
  };
  globalThis.window = /** @type {any} */ ({ history, sessionStorage });
  keepVisit();
  history.state = null;
  assert.deepEqual(takeVisit(), { photo: "a" });
  history.state = null;
  assert.deepEqual(takeVisit(), {});
});

test("a browser that refuses its store changes the language all the same", () => {
  history.state = { photo: "b" };
  globalThis.window = /** @type {any} */ ({
    history,
    get sessionStorage() {
      throw new DOMException("denied", "SecurityError");
    },
  });
  keepVisit();
  assert.deepEqual(takeVisit(), { photo: "b" });
});
