import { all, one } from "../base/dom.js";

// Browsers do not know the type of every image or video, and the fields take only what is called one.
const TYPES = {
  ...{ heic: "image/heic", heif: "image/heif", hif: "image/heif", avif: "image/avif", tif: "image/tiff" },
  ...{ mp4: "video/mp4", m4v: "video/mp4", mov: "video/quicktime", webm: "video/webm", mkv: "video/x-matroska" },
};

const PATIENCE = 10000; // milliseconds until the tab for many must have been drawn

const endingOf = (file) => file.name.split(".").pop().toLowerCase();

/** A file of no known kind stays the same: `choose` hands out what is another one, which comes back to it. */
function typed(file) {
  const type = file.type || (TYPES[endingOf(file)] ?? "");
  return type === file.type ? file : new File([file], file.name, { type, lastModified: file.lastModified });
}

function kindOf({ type }) {
  return /^(text|application)\//.test(type) ? "document" : "other";
}

const isVideo = ({ type }) => type.startsWith("video/");

/** Tells visit.js of a file that is no image. */
function refuse(file) {
  const detail = { name: file.name, kind: kindOf(file) };
  one("#visit .visit").parentElement.dispatchEvent(new CustomEvent("refused", { detail, bubbles: true }));
}

function give(field, files) {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  field.files = transfer.files;
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

/** Gives files to the tab for many, whose field is there once the tab has been opened and emptied. */
function bringMany(files) {
  one("button[role=tab][data-tab-id=batch]").click();
  const deadline = performance.now() + PATIENCE;
  let emptied = false;
  const wait = () => {
    const field = one("#batch-files input[type=file]");
    const shown = one("#batch-files .file-preview");
    if (field && !shown) return give(field, files);
    if (shown && !emptied) {
      emptied = true;
      all("#batch-files .icon-button-wrapper > button").at(-1)?.click(); // clears it
    }
    if (performance.now() < deadline) window.setTimeout(wait, 50);
    return undefined;
  };
  wait();
  return true;
}

/** Puts an image among `files` where the file dialog's would go, several, a zip or a video into the tab for many. */
function bring(files) {
  const found = [...files].map(typed);
  const zipped = found.some((file) => endingOf(file) === "zip");
  const many = found.filter((file) => file.type.startsWith("image/") || isVideo(file) || endingOf(file) === "zip");
  if (many.length > 1 || zipped || many.some(isVideo)) return bringMany(many);
  const image = found.find((file) => file.type.startsWith("image/"));
  const field = one("#photo input[type=file]");
  if (found.length && !image) refuse(found[0]);
  if (!image || !field?.closest("#photo").offsetParent) return false;
  give(field, [image]);
  return true;
}

/** The file dialog's choice, before Gradio looks at its type. */
function choose(event) {
  const field = event.target;
  if (!field.matches?.("#photo input[type=file]")) return;
  const files = [...field.files];
  const found = files.map(typed);
  if (!found.some(isVideo) && files.every((file, index) => found[index] === file)) return;
  event.stopImmediatePropagation();
  if (found.some(isVideo)) bringMany(found);
  else give(field, found);
}

const inside = (event, selector) => event.target instanceof Element && event.target.closest(selector);
// #truth and #batch-files take what is dropped on them by themselves; elsewhere the browser would leave the page, or
// Gradio refuse in its words.
const ours = (event) => event.dataTransfer?.types.includes("Files") && !inside(event, "#truth, #batch-files");

function drop(event) {
  if (!ours(event)) return;
  event.preventDefault();
  event.stopPropagation();
  event.target.dispatchEvent(new DragEvent("dragleave", { bubbles: true })); // #photo has marked itself as a target
  bring(event.dataTransfer.files);
}

// An image that is pasted, or dropped anywhere on the page, is brought.
export default () => {
  document.addEventListener("paste", (event) => {
    if (inside(event, "input, textarea, [contenteditable]")) return;
    if (event.clipboardData?.files.length && bring(event.clipboardData.files)) event.preventDefault();
  });
  document.addEventListener("change", choose, true);
  document.addEventListener("dragover", (event) => {
    if (ours(event)) event.preventDefault();
  });
  document.addEventListener("drop", drop, true);
};
