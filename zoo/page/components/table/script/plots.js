// The plots of the rows shown, all of one set of images.

import { h } from "../../base/dom.js";
import { text } from "../../base/texts.js";
import { board, slot } from "./board.js";
import { chosenGroup, groupTitle, shownRows } from "./groups.js";
import { costPlot } from "./plot_cost.js";
import { heatPlot } from "./plot_heat.js";
import { ladderPlot } from "./plot_ladder.js";
import { lossPlot } from "./plot_losses.js";

/** Draw the plots anew where other rows are shown. */
export function drawPlots() {
  const rows = shownRows();
  const drawn = JSON.stringify(rows.map((row) => row.key));
  if (drawn === board.drawnPlots) return; // ticking or opening a row changes no plot
  board.drawnPlots = drawn;
  if (rows.length === 0) return slot("plots").replaceChildren();
  const head = h(
    "div",
    { class: "head" },
    h("h3", {}, `${text("plots")} · ${groupTitle(chosenGroup())}`),
    h("p", { class: "note" }, text("plots_note")),
  );
  const drawings = [costPlot, ladderPlot, heatPlot, lossPlot].map((plot) => plot(rows));
  slot("plots").replaceChildren(
    h("section", { class: "plots", "aria-label": text("plots") }, head, h("div", { class: "grid" }, drawings)),
  );
}
