// The path 'What a skip buys': six steps, each a link that opens the page in that state.

import { addressWith, rewriteAddress } from "../../base/address.js";
import { h } from "../../base/dom.js";
import { text } from "../../base/texts.js";

const OWN = ["learn", "learn_pixel", "learn_stride", "learn_show"];

/**
 * The steps as links.
 * @param {{pole: string, paid: string}} places pixels "x,y"
 * @param {{example: string, checkpoints: string[]}} compared what the last step compares
 * @param {() => void} open shows the lesson as the address says
 */
export function makePath(places, compared, open) {
  const steps = [
    { learn: "first" },
    { learn: "field", learn_stride: "32", learn_pixel: places.pole },
    { learn: "field", learn_stride: "8", learn_pixel: places.pole },
    { learn: "sum", learn_pixel: places.paid },
    { learn: "sum", learn_show: "changes", learn_pixel: places.paid },
    { tab: "compare", example: compared.example, checkpoints: compared.checkpoints.join(","), view_mode: "difference" },
  ];
  return h(
    "section",
    { class: "path", "aria-labelledby": "learn-path-title" },
    h("h2", { id: "learn-path-title" }, text("path_title")),
    h(
      "ol",
      {},
      steps.map((step, index) => h("li", {}, makeStep(step, index + 1, open))),
    ),
  );
}

function makeStep(step, number, open) {
  const change = (parameters) => {
    for (const name of [...OWN, "tab"]) parameters.delete(name);
    for (const [name, value] of Object.entries({ ...(step.learn ? { tab: "learn" } : {}), ...step }))
      parameters.set(name, value);
  };
  const go = (event) => {
    if (!step.learn || event.metaKey || event.ctrlKey || event.shiftKey) return; // another tab, or a page to load
    event.preventDefault();
    rewriteAddress(change);
    open();
  };
  return h(
    "a",
    { href: addressWith(change).search, onclick: go },
    h("b", {}, number),
    h("span", {}, text(`path_step_${number}`)),
  );
}
