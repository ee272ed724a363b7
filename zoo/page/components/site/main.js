// The static page: its data, its components, and what they ask of one another. zoo/page/events.py is its counterpart.

import { rewriteAddress, tabAsked } from "../base/address.js";
import { all, h, one } from "../base/dom.js";
import { decimal } from "../base/numbers.js";
import { speak, text } from "../base/texts.js";
import { emptyBatch, fillBatch, makeBatch } from "./batch.js";
import { offerCamera } from "./camera.js";
import { compare, forgetPictures, notOffered } from "./comparison.js";
import { endWork, endWorker } from "./engine.js";
import { photoField } from "./field.js";
import { makeInside, showInside } from "./inside.js";
import { fetchOwn, openLesson } from "./learn.js";
import { mount } from "./mount.js";
import { inWords, iouValue, viewerValue } from "./shown.js";
import { bindTabs, openTab } from "./tabs.js";
import { write } from "./words.js";

const page = {
  data: null,
  parts: {},
  photo: null,
  truth: null,
  shown: null,
  own: "",
  run: 0,
  missing: [], // names that were asked for and are not on offer, until they are told
  showPicture: (_src, _name) => {},
};

/** The language that language.js shows: the one that the address names, else the browser's, else English. */
function chosenLanguage() {
  const primary = (tag) => tag.toLowerCase().split("-")[0];
  return site.languages.find((tag) => primary(tag) === primary(navigator.language)) ?? site.languages[0];
}

const fetchJson = async (name) => (await fetchOwn(name)).json();

// --- comparing ---

/** What the controls ask for now, as one text; results of another one are out of date. */
function askedFor() {
  return [page.photo?.key, page.truth?.key, [...page.parts.picker.value.selected].sort()].join("|");
}

function status(words) {
  write(one("#status"), words);
}

/** Not as Markdown: a message may name a visitor's file. */
function say(message) {
  const refused = h("strong", {}, text("status_refused"));
  one("#status").replaceChildren(h("p", {}, refused, ` ${inWords(message)}`));
}

const sayError = (error) => say(error.key ? error : { key: "site_failed", parts: { reason: error.message } });

async function run() {
  const names = page.parts.picker.value.selected;
  if (!page.photo) return say({ key: "error_no_image" });
  if (!names.length) return say({ key: "error_no_checkpoint" });
  endWork();
  showInside(null);
  const mine = ++page.run;
  const asked = askedFor();
  const show = (work) => {
    if (mine !== page.run) return;
    page.shown = asked;
    page.parts.viewer.value = viewerValue(work, page.data);
    page.parts.iou.value = iouValue(work, page.data);
    markStale();
    tell(work);
  };
  try {
    const { file, name, example, labels } = page.photo;
    const truth = page.truth
      ? { file: page.truth.file, labels: labelsOf(names) }
      : page.photo.truth && { file: page.photo.truth, labels };
    const missing = page.missing.splice(0);
    const work = await compare({ file, name, example, truth, names, missing }, page.data, show);
    if (mine !== page.run) return undefined;
    if (work.stopped) status(text("status_stopped"));
    remember(example, names);
    showInside(work);
  } catch (error) {
    if (mine !== page.run) return undefined;
    if (error.key === "status_stopped") status(text("status_stopped"));
    else sayError(error);
    markStale();
  }
  return undefined;
}

/** Ground truth that a visitor brings has the classes of the first network, as on the served page. */
const labelsOf = (names) => page.data.networks[names[0]].labels;

function tell(work) {
  const total = work.names.length;
  const finished = Object.keys({ ...work.results, ...work.errors }).length;
  const seconds = decimal(work.seconds ?? 0, 1);
  status(text(finished === total ? "status_done" : "status_running", { finished, total, seconds }));
  one("#status").dataset.masks = finished;
  one("#status").dataset.milliseconds = Object.values(work.results).at(-1)?.milliseconds.toFixed(0) ?? "";
  one("#status").dataset.done = finished === total ? total : 0;
}

function remember(example, names) {
  rewriteAddress((parameters) => {
    parameters.set("checkpoints", names.join(","));
    if (example) parameters.set("example", example);
    else parameters.delete("example");
  });
}

function markStale() {
  const stale = page.shown !== null && page.shown !== askedFor();
  const [photo, truth] = (page.shown ?? "").split("|");
  const reasons = [];
  if (stale && photo !== (page.photo?.key ?? "")) reasons.push(text(page.photo ? "stale_photo" : "stale_removed"));
  else if (stale && truth !== (page.truth?.key ?? "")) reasons.push(text("stale_truth"));
  else if (stale) reasons.push(text("stale_checkpoints"));
  const possible = Boolean(page.photo && page.parts.picker.value.selected.length);
  page.parts.stale.value = stale ? { reasons, possible, strings: page.data.strings } : null;
}

// --- photo and truth ---

let brought = 0; // tells files of one name apart
let wanted = 0; // counts photos: an example may come from the network when another one is asked for

/** Puts a photo, or none, in place of another one and of its ground truth; `own` is a visitor's file. */
function setPhoto(photo, src, own = null) {
  wanted++;
  URL.revokeObjectURL(page.own);
  page.own = own && URL.createObjectURL(own);
  Object.assign(page, { photo, truth: null });
  one("#truth").value = ""; // so that the same file may be chosen again
  page.showPicture(page.own ?? src, photo?.name ?? "");
}

/** Takes a visitor's own photo and compares. */
function take(file) {
  const name = file.name?.replace(/\.\w+$/, "") || "photo";
  setPhoto({ key: `own ${++brought}`, file, name, example: null }, "", file);
  page.parts.strip.value = { ...page.parts.strip.value, selected: null };
  openTab("compare"); // it may have been dropped on another one
  run();
}

function takeMany(files) {
  openTab("batch");
  fillBatch(files);
}

/** Takes an example, as its file is: the worker reads it as it would read a visitor's. */
async function pick(name) {
  const mine = ++wanted;
  const example = page.data.examples[name];
  try {
    const [file, truth] = await Promise.all([example.photo, example.truth].map((path) => path && fetchBlob(path)));
    if (mine !== wanted) return;
    setPhoto({ key: name, file, name, example: name, truth, labels: example.labels }, example.photo);
    await run();
  } catch (error) {
    if (mine === wanted) sayError(error);
  }
}

const fetchBlob = async (path) => (await fetchOwn(path)).blob();

function takeTruth(file) {
  page.truth = file ? { key: `truth ${++brought}`, file } : null;
  if (page.photo) run();
}

/** Empties the page of what the visitor brought; it never left the browser. */
function forget() {
  page.run++;
  endWorker();
  page.shown = null;
  setPhoto(null, "");
  for (const part of ["viewer", "iou", "stale"]) page.parts[part].value = null;
  showInside(null);
  forgetPictures();
  emptyBatch();
  page.parts.strip.value = { ...page.parts.strip.value, selected: null };
  status(text("site_forgotten"));
}

// --- leaderboard ---

/** The leaderboard's rows are fetched when they are looked at first. */
async function showBoard() {
  if (page.parts.board.value) return;
  const name = "leaderboard.json";
  const value = await fetchJson(name).catch(() => null);
  one("#board-problem").textContent = value ? "" : inWords({ key: "site_not_here", parts: { name } });
  if (value) page.parts.board.value ??= { ...value, strings: page.data.table, locale: page.data.tag };
}

async function openRow({ name }) {
  openTab("leaderboard");
  await showBoard();
  if (page.parts.board.value) acts.showRow(page.data.networks[name].row);
}

// --- start ---

function writeTexts() {
  for (const node of all("[data-say]")) node.textContent = text(node.dataset.say);
  for (const name of ["headline", "links"]) write(one(`#${name}`), page.data[name]);
  write(one("#privacy"), text("site_privacy"));
  write(one("#measure-text"), page.data.measure);
  const licences = [...new Set(Object.values(page.data.networks).map(({ terms }) => terms))];
  one("#licences").replaceChildren(
    h("h2", {}, text("site_licences")),
    ...licences.map((terms) => h("p", { lang: "en" }, terms)),
  );
}

/** Those of these networks that are on offer; the others are told with what is compared next. */
function offered(names) {
  const known = (name) => Object.hasOwn(page.data.networks, name);
  page.missing = names.filter((name) => !known(name));
  return names.filter(known);
}

function makeParts() {
  const { data } = page;
  const asked = new URL(window.location.href).searchParams;
  const wanted = (asked.get("checkpoints") ?? "").replaceAll(" ", "+").split(",");
  const names = offered(wanted.filter(Boolean));
  const selected = names.length ? names.slice(0, data.picker.maximum) : data.picker.selected;
  mount("language", one("#language"), data.language);
  page.parts = {
    strip: mount("examples", one("#examples"), data.strip),
    picker: mount("picker", one("#picker"), { ...data.picker, selected }),
    stale: mount("stale", one("#stale")),
    viewer: mount("viewer", one("#viewer")),
    iou: mount("iou", one("#iou")),
    board: mount("table", one("#leaderboard")),
    code: mount("code", one("#code"), { ...data.code, checkpoints: selected }),
  };
  makeBatch(data, () => page.parts.picker.value.selected);
  makeInside(data, { learn: () => openTab("learn"), failed: sayError });
  const { strip, picker, stale, viewer, board, code } = page.parts;
  strip.on("pick", ({ name }) => pick(name));
  picker.on("change", () => {
    markStale();
    const checkpoints = picker.value.selected;
    if (checkpoints.length) code.value = { ...code.value, checkpoints };
  });
  picker.on("preset", run);
  picker.on("details", openRow);
  viewer.on("leaderboard", openRow);
  stale.on("again", run);
  board.on("compare", ({ checkpoints }) => {
    const known = offered(checkpoints);
    openTab("compare");
    if (!known.length) return say(notOffered(page.missing.splice(0)));
    picker.value = { ...picker.value, selected: known };
    return run();
  });
  return asked;
}

function bindControls() {
  one("#go").addEventListener("click", run);
  one("#stop").addEventListener("click", () => endWork());
  one("#save-view").addEventListener("click", () => acts.saveView());
  one("#forget").addEventListener("click", forget);
  one("#truth").addEventListener("change", (event) => takeTruth(event.target.files[0]));
  bindTabs({ leaderboard: showBoard, learn: () => openLesson(page.data.tag) });
}

/** Keeps the page for the next visit, and says so; without https every visit fetches anew. */
async function keepOffline() {
  try {
    await navigator.serviceWorker.register("service.js");
    await navigator.serviceWorker.ready;
    one("#edition").textContent = text("site_offline");
    document.body.dataset.offline = "yes";
  } catch {
    document.body.dataset.offline = "no";
  }
}

async function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
  dark.addEventListener("change", follow);
  follow();
  const name = `data.${chosenLanguage()}.json`;
  page.data = await fetchJson(name).catch(() => null);
  if (!page.data) return sayMissing(name);
  speak({ ...page.data.strings, ...page.data.viewer, ...page.data.strings }, page.data.tag);
  const asked = makeParts();
  page.showPicture = photoField(take, takeMany);
  offerCamera({ network: () => page.data.networks[page.parts.picker.value.selected.at(-1)], take });
  writeTexts();
  bindControls();
  openTab(one(`#tab-${tabAsked(asked)}`) ? tabAsked(asked) : "compare");
  document.body.dataset.ready = "yes";
  const wanted = asked.get("example");
  const example = Object.hasOwn(page.data.examples, wanted ?? "") ? wanted : page.data.strip.items[0].name;
  page.parts.strip.value = { ...page.data.strip, selected: example };
  await pick(example);
  return keepOffline();
}

/** Without the page's data there are no texts but this one. */
function sayMissing(name) {
  speak({ site_not_here: site.missing[chosenLanguage()] });
  one("#edition").textContent = inWords({ key: "site_not_here", parts: { name } });
}

start();
