// What sources say of their published figures, in the page's language: proper names stay, words between them do not.

import { decimal } from "../../base/numbers.js";
import { text } from "../../base/texts.js";

/** English phrases, the text that says each, and the names of the places that the pattern's groups fill. */
const PHRASES = /** @type {[RegExp, string, ...string[]][]} */ ([
  [/\b(\d+) road-scene images, not CamVid's (\d+)/, "published_road_scenes", "number", "others"],
  [/\b(\d+) images\b/, "images", "count"],
  [/\bthe (\d+) VOC labels\b/, "published_voc_labels", "number"],
  [/\b(\w+) subset\b/, "published_subset", "dataset"],
  [/\bonly the last layer tuned\b/, "published_last_layer"],
  [/\bfixed bilinear upsampling\b/, "published_bilinear"],
  [/\blearned deconvolution\b/, "published_learned"],
  [/\bstaged\b/, "published_staged"],
  [/\bat once\b/, "published_at_once"],
  [/\bretrained\b/, "published_retrained"],
  [/\bstride (\d+), no skips\b/, "published_no_skips", "stride"],
  [/\b(\d+)k iterations\b/, "published_iterations", "number"],
  [/\bdilation (\d+)\b/, "published_dilation", "number"],
  [/\bTable (\d+)\b/, "published_table", "number"],
  [/\bissue (\d+)\b/, "published_issue", "number"],
  [/\bpull request (\d+)\b/, "published_pull_request", "number"],
]);

const COUNTED = new Set(["images", "published_road_scenes"]); // other numbers are names: Table 3

/** A text of the published figures in the page's language: "VOC2011 val, 736 images". */
export function inPageWords(said) {
  let told = said;
  for (const [pattern, key, ...places] of PHRASES) {
    told = told.replace(pattern, (...found) => {
      const written = (value) => (COUNTED.has(key) ? decimal(Number(value)) : value);
      return text(key, Object.fromEntries(places.map((place, index) => [place, written(found[index + 1])])));
    });
  }
  return told;
}
