// What must be known before rows are compared, said where the table begins, all of it from the data.

import { h } from "../../base/dom.js";
import { decimal, isNumber, percent } from "../../base/numbers.js";
import { text } from "../../base/texts.js";
import { board, slot } from "./board.js";
import { effortGap } from "./effort.js";
import { chosenGroup, classTitle, groupName, groupRows, groupTitle } from "./groups.js";
import { shakiest, spanText } from "./seeds.js";

/** The set of images as a heading, and below it what to know of it and of its rows. */
export function drawCaveats() {
  const group = chosenGroup();
  if (!group) return slot("caveats").replaceChildren();
  const rows = groupRows();
  const others = [seedsCaveat(rows), effortGap(rows), turnCaveat(rows)].filter(Boolean);
  return slot("caveats").replaceChildren(
    h("h3", { class: "images" }, groupTitle(group)),
    h(
      "ul",
      { class: "caveats" },
      h("li", { class: "shares" }, sharesCaveat(group)),
      others.map((sentence) => h("li", {}, sentence)),
    ),
  );
}

/** What the split shares with the training images. */
export function sharesCaveat(group) {
  const shares = board.splits[group.key]?.shares;
  const name = groupName(group);
  if (!shares) return text("shares_unknown", { name });
  const parts = {
    name,
    images: decimal(shares.images),
    of: decimal(shares.of),
    videos: shares.videos.join(", "),
    frames: decimal(shares.frames),
    training: decimal(shares.training),
  };
  if (shares.images === 0) return text("shares_none", parts);
  return text(shares.images === shares.of ? "shares_all" : "shares_some", parts);
}

function seedsCaveat(rows) {
  const most = shakiest(rows);
  if (!most) return text("caveat_one_seed");
  const { row, name, span } = most;
  return text("caveat_seeds", {
    checkpoint: row.name,
    count: decimal(row.seeds.length),
    miou: spanText(row.seed_range),
    class: classTitle(name),
    span: spanText(span),
  });
}

/** Two rows, trained alike, whose order by mIoU turns on the worst images; the pair whose order turns most. */
export function turnOf(rows) {
  const known = rows.filter((row) => row.trained_alike && isNumber(row.miou) && isNumber(row.worst_miou));
  const turns = known.flatMap((a) =>
    known
      .filter((b) => a.trained_alike === b.trained_alike && a.variant === b.variant && a.backbone === b.backbone)
      .filter((b) => a.miou > b.miou && a.worst_miou < b.worst_miou)
      .map((b) => ({ a, b, by: b.worst_miou - a.worst_miou })),
  );
  return turns.reduce((most, turn) => (most && most.by >= turn.by ? most : turn), null);
}

/** The sentence on two rows whose order turns on the worst images, nothing where it does not. */
export function turnSentence(a, b) {
  const known = [a, b].every((row) => isNumber(row.miou) && isNumber(row.worst_miou));
  if (!known || (a.miou - b.miou) * (a.worst_miou - b.worst_miou) >= 0) return "";
  const [first, second] = a.miou > b.miou ? [a, b] : [b, a];
  return text("order_turns", {
    a: first.name,
    b: second.name,
    miou_a: percent(first.miou),
    miou_b: percent(second.miou),
    share: percent(board.facts.worst_share, 0),
    worst_a: percent(first.worst_miou),
    worst_b: percent(second.worst_miou),
  });
}

function turnCaveat(rows) {
  const turn = turnOf(rows);
  return turn ? turnSentence(turn.a, turn.b) : "";
}
