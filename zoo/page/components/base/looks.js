// How classes look: patterns, and colours for the colour-blind. One choice for the whole page, which the browser keeps.

const LOOKS = "fcn-looks"; // the name in the browser's store, and of the event that tells of another choice
const chosen = { patterns: false, distinct: false, read: false };

/** The choice so far: {patterns, distinct}. */
export function looks() {
  if (!chosen.read) Object.assign(chosen, keptLooks(), { read: true });
  return { patterns: chosen.patterns, distinct: chosen.distinct };
}

function keptLooks() {
  try {
    const { patterns, distinct } = JSON.parse(window.localStorage.getItem(LOOKS) ?? "{}") ?? {};
    return { patterns: patterns === true, distinct: distinct === true };
  } catch {
    return {}; // a browser may refuse its store, and anything may have been written there
  }
}

/** Makes another choice, for this visit at least. */
export function chooseLooks(change) {
  const detail = { ...looks(), ...change };
  try {
    window.localStorage.setItem(LOOKS, JSON.stringify(detail));
  } catch {
    // Not kept for the next visit: everything on this page follows it all the same.
  }
  document.dispatchEvent(new CustomEvent(LOOKS, { detail }));
}

/** Calls `answer` after each choice, wherever on the page it is made, as long as `holder` is on the page. */
export function followLooks(holder, answer) {
  const changed = (event) => {
    if (!holder.isConnected) return document.removeEventListener(LOOKS, changed);
    Object.assign(chosen, event.detail, { read: true });
    return answer();
  };
  document.addEventListener(LOOKS, changed);
}

/** The colour of a class as it is chosen, "#rrggbb". */
export const colourOf = ({ color, distinct }) => (looks().distinct && distinct) || color;
