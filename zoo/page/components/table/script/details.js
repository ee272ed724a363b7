// What a row shows when it is opened.

import { copyText } from "../../base/clipboard.js";
import { h, put } from "../../base/dom.js";
import { decimal, isNumber, percent } from "../../base/numbers.js";
import { text, titleOf } from "../../base/texts.js";
import { board, button, describePercent, part } from "./board.js";
import { classesOf, deviceOf, provenanceOf } from "./columns.js";
import { reliabilityPart, trimapPart } from "./curves.js";
import { drillButton } from "./drill.js";
import { classTitle } from "./groups.js";
import { confusionPart } from "./matrix.js";
import { compareOnImage } from "./pairs.js";
import { webLink } from "./published.js";
import { classPoints, spanOf, spanText } from "./seeds.js";

/** The line under an opened row. */
export function detailRow(row, span) {
  const parts = [
    classBars(row),
    confusionPart(row),
    reliabilityPart(row),
    trimapPart(row),
    sequencePart(row),
    commandPart(row),
    recipePart(row),
    trainingPart(row),
    protocolPart(row),
  ];
  const body = h("div", { class: "inside" }, detailHead(row), h("div", { class: "parts" }, parts.filter(Boolean)));
  return h("tr", { class: "detail" }, h("td", { colspan: span }, body));
}

function detailHead(row) {
  const compare = button(text("compare_image"), `compare ${row.key}`, () => compareOnImage([row]), {
    class: "primary",
  });
  const facts = [
    titleOf("variant", row.variant),
    titleOf("loss", row.loss),
    row.backbone,
    titleOf("source", row.source),
    row.provenance ? `${text("column_provenance")}: ${provenanceOf(row)}` : "",
  ];
  const miou = `${text("column_miou")} ${describePercent(row.miou, row.miou_interval)}.`;
  return h(
    "div",
    { class: "head" },
    h(
      "div",
      { class: "who" },
      h("h3", {}, row.name, cardLink(row)),
      h("p", { class: "note" }, facts.filter(Boolean).join(" · ")),
      h("p", { class: "standing" }, miou, " ", rankText(row), foregroundText(row)),
    ),
    compare,
  );
}

/** Link to the model card of a checkpoint on the Hub, or null. */
function cardLink(row) {
  if (!/^[\w.-]+\/[\w.-]+$/.test(row.repository ?? "")) return null;
  const revision = encodeURIComponent(row.revision || "main");
  return [" ", webLink(text("card"), `https://huggingface.co/${row.repository}/tree/${revision}`)];
}

/** The rank in words, with the reason for it. */
function rankText(row) {
  const peers = board.rows.filter((other) => other.group === row.group && isNumber(other.rank));
  if (!isNumber(row.rank)) return "";
  const place = {
    rank: decimal(row.rank),
    total: decimal(peers.length),
    dataset: titleOf("dataset", row.dataset),
    split: row.split,
  };
  const above = row.rank - 1;
  const reason = above === 0 ? "rank_none_above" : "rank_above";
  return `${text("rank_of", place)} ${text(reason, { count: decimal(above) })}`;
}

/** F1, precision and recall of the second of two classes, in words. */
function foregroundText(row) {
  const found = row.foreground;
  if (!found) return "";
  const [f1, precision, recall] = [found.f1, found.precision, found.recall].map((share) => percent(share));
  return ` ${text("foreground", { name: classTitle(found.class), f1, precision, recall })}`;
}

function classBars(row) {
  const classes = classesOf([row]);
  if (classes.length === 0 || !row.class_iou) return null;
  const items = classes.map((name) => {
    const share = row.class_iou[name];
    const bar = h(
      "span",
      { class: "bar", "aria-hidden": "true" },
      h("span", { style: `inline-size: ${isNumber(share) ? 100 * Math.min(1, Math.max(0, share)) : 0}%` }),
    );
    return h(
      "li",
      {},
      h("span", { class: "what" }, classDrill(row, name)),
      bar,
      h("span", { class: "figure" }, percent(share), seedsBehind(row, name)),
    );
  });
  return part(text("detail_classes"), "classes", h("ul", {}, items));
}

function sequencePart(row) {
  const sequences = Object.entries(row.sequences ?? {});
  if (sequences.length === 0) return null;
  const labels = ["sequence", "column_images", "column_miou", "column_pixel_accuracy"];
  const head = h(
    "tr",
    {},
    labels.map((label, index) => h("th", { scope: "col", class: index ? "number" : null }, text(label))),
  );
  const lines = sequences.map(([name, scores]) =>
    h(
      "tr",
      {},
      h(
        "th",
        { scope: "row" },
        drillButton(
          name || "–",
          `drill ${row.key} in ${name}`,
          { rows: [row.key], sequence: name },
          { disabled: !name },
        ),
      ),
      [decimal(scores.images), percent(scores.miou), percent(scores.pixel_accuracy)].map((figure) =>
        h("td", { class: "number" }, figure),
      ),
    ),
  );
  return part(
    text("detail_sequences"),
    "sequences",
    h("table", { class: "plain" }, h("thead", {}, head), h("tbody", {}, lines)),
  );
}

/** Text of a file or a command, with a button that copies it. */
function copiedPart(title, kind, focus, content, note) {
  const code = h("code", {}, content);
  const copier = button(text("copy"), focus, async () => {
    put(copier, text((await copyText(code)) ? "copied" : "copy_failed"));
  });
  return part(
    title,
    kind,
    note ? h("p", { class: "note" }, note) : null,
    h("pre", { tabindex: "0", "aria-label": title }, code),
    h("div", { class: "actions" }, copier),
  );
}

function commandPart(row) {
  if (!row.command) return null;
  const note = text("detail_command_note");
  return copiedPart(text("detail_command"), "command", `copy ${row.key}`, row.command, note);
}

/** The recipe of this repository that trains the row's checkpoint, as its file has it. */
function recipePart(row) {
  if (!row.recipe_text) return null;
  const title = `${text("column_recipe")} ${row.recipe ?? ""}`.trim();
  return copiedPart(title, "recipe", `copy recipe ${row.key}`, row.recipe_text.trim(), "");
}

/** The name of a class, which leads to the images where it goes worst. */
function classDrill(row, name) {
  return drillButton(classTitle(name), `drill ${row.key} ${name}`, { rows: [row.key], label: name });
}

/** What the seeds of the row's recipe span in a class, where several were measured. */
function seedsBehind(row, name) {
  const points = classPoints(row, name);
  if (points.length < 2) return null;
  return h("small", {}, text("seeds_span", { count: decimal(points.length), span: spanText(spanOf(points)) }));
}

/** Nested facts as one flat list: {"a": {"b": 1}} -> [["a.b", "1"]]. */
function flatFacts(facts, prefix = "") {
  return Object.entries(facts ?? {}).flatMap(([name, value]) => {
    const label = prefix ? `${prefix}.${name}` : name;
    if (value === null || value === undefined || value === "") return [];
    if (Array.isArray(value))
      return [
        [
          label,
          value.map((one) => (one !== null && typeof one === "object" ? JSON.stringify(one) : String(one))).join(", "),
        ],
      ];
    if (typeof value === "object") return flatFacts(value, label);
    if (typeof value === "boolean") return [[label, text(value ? "yes" : "no")]];
    return [[label, String(value)]];
  });
}

function factList(title, kind, facts) {
  if (facts.length === 0) return null;
  return part(
    title,
    kind,
    h(
      "dl",
      {},
      facts.map(([name, value]) => h("div", {}, h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, value))),
    ),
  );
}

function trainingPart(row) {
  const { recipe = row.recipe, ...facts } = row.training ?? {};
  const named = recipe ? [[text("column_recipe"), String(recipe)]] : [];
  return factList(text("detail_training"), "training", [...named, ...flatFacts(facts)]);
}

function protocolPart(row) {
  const known = ["sha256", "revision", "git_commit", "date"]
    .filter((field) => row[field])
    .map((field) => [text(`column_${field}`), String(row[field])]);
  const timings = (row.timings ?? [row]).filter((timing) => isNumber(timing.milliseconds));
  const devices = timings.map((timing) => [
    text("column_device"),
    `${deviceOf(timing)}: ${decimal(timing.milliseconds, 1)} ms`,
  ]);
  return factList(text("detail_protocol"), "protocol", [
    ...known,
    ...devices,
    ...flatFacts(row.protocol),
    ...flatFacts(row.versions),
  ]);
}
