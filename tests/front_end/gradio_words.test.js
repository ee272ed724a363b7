// Gradio's own words in another language.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sizeIn, translator } from "../../zoo/page/components/base/gradio_words.js";

const say = translator({ Error: "Erro", "{name} is over {limit} (a|b).": "{limit}: {name}" });

test("a known text is said in the other language", () => assert.equal(say("Error"), "Erro"));

test("places keep what stood in them", () => {
  assert.equal(say('x.png, "y z" is over 20.0 Mb (a|b).'), '20.0 Mb: x.png, "y z"');
});

test("what stood in a place is no pattern and no place", () => {
  assert.equal(say("a$&{limit}.png is over 3 Mb (a|b)."), "3 Mb: a$&{limit}.png");
});

test("numbers of a size are written as in the language in a place, too", () => {
  const inPortuguese = translator({ "over {limit}: {name}": "mais de {limit}: {name}" }, (part) =>
    sizeIn("pt-BR", part),
  );
  assert.equal(inPortuguese("over 64.0 Mb: v1.5 a.png"), "mais de 64,0 Mb: v1.5 a.png");
});

test("what is only part of a text, or unknown, is left", () => {
  assert.equal(say("Error in line 1"), null);
  assert.equal(say("Fehler"), null);
});

test("a file's size is written as in the language", () => {
  assert.equal(sizeIn("pt-BR", "6.1\u00a0KB ⇣"), "6,1\u00a0KB ⇣");
  assert.equal(sizeIn("en", "20.0 MB"), "20.0 MB");
  for (const other of ["6,1 KB", "6.1 points", "v6.1 KB", "Error"]) assert.equal(sizeIn("pt-BR", other), null);
});
