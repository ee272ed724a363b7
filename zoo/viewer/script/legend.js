// The legend: a chip per class that was found, and the table of shares, which screen readers get as a real table.

const chips = new Map(); // class name -> button

/** Rebuilds chips and table; keeps the focus on the class that had it. */
function updateLegend() {
  const focused = [...chips].find(([, chip]) => chip === document.activeElement);
  const shares = state.panels.map((panel) => panelShares(panel));
  const found = state.classes.filter(({ index }) => shares.some((own) => own[index] > 0));
  chips.clear();
  for (const entry of found) chips.set(entry.name, makeChip(entry, shares));
  const list = find(".chips");
  list.replaceChildren(...chips.values());
  if (state.hidden.size) list.append(makeShowAll());
  if (focused && chips.has(focused[0])) chips.get(focused[0]).focus();
  fillTable(shares);
  const absent = state.classes.filter((entry) => !found.includes(entry)).map(({ name }) => name);
  const told = found.length && absent.length ? text("not_found", { names: absent.join(", ") }) : "";
  put(find(".absent"), told);
  markChips();
}

function makeChip(entry, shares) {
  const swatch = make("canvas", { className: "swatch" });
  swatch.setAttribute("aria-hidden", "true");
  paintSwatch(swatch, entry);
  const own = shares.map((list) => list[entry.index]).filter(isNumber);
  const name = make("span", { className: "name" }, [entry.name]);
  const range = make("span", { className: "range" }, [shareRange(own)]);
  const chip = make("button", { type: "button", className: "chip", title: text("legend_hint") }, [swatch, name, range]);
  chip.dataset.name = entry.name;
  chip.setAttribute("aria-pressed", String(!state.hidden.has(entry.name)));
  chip.addEventListener("click", () => toggleClass(entry.name));
  chip.addEventListener("dblclick", () => showAlone(entry.name));
  return chip;
}

function makeShowAll() {
  const button = make("button", { type: "button", className: "show-all" }, [text("show_all")]);
  button.addEventListener("click", showAllClasses);
  return button;
}

/** "31 %" or, where checkpoints disagree, "28–31 %". */
function shareRange(shares) {
  if (!shares.length) return "";
  const [low, high] = [Math.min(...shares), Math.max(...shares)];
  const digits = high < 0.0995 ? 1 : 0;
  const [from, to] = [percent(low, digits), percent(high, digits)];
  return from === to ? to : `${from.replace(/\s?%/, "")}–${to}`;
}

function fillTable(shares) {
  const columns = state.panels.map((panel) => make("th", { scope: "col" }, [panelTitle(panel)]));
  const head = make("tr", {}, [make("th", { scope: "col" }, [text("class_name")]), ...columns]);
  const rows = state.classes.map((entry) => {
    const swatch = make("canvas", { className: "swatch" });
    swatch.setAttribute("aria-hidden", "true");
    paintSwatch(swatch, entry);
    const off = state.hidden.has(entry.name) ? ` (${text("hidden")})` : "";
    const name = make("th", { scope: "row" }, [swatch, make("span", {}, [entry.name + off])]);
    return make("tr", {}, [name, ...shares.map((own) => shareCell(own[entry.index]))]);
  });
  const caption = make("caption", { className: "unseen" }, [text("shares")]);
  find(".shares table").replaceChildren(caption, make("thead", {}, [head]), make("tbody", {}, rows));
}

function shareCell(share) {
  const cell = make("td", {}, [isNumber(share) ? percent(share) : "–"]);
  if (share > 0) cell.style.setProperty("--share", `${share * 100}%`);
  return cell;
}

function classesChanged(message) {
  updateLegend();
  layersChanged();
  say(message);
}

/** Hides a class in every panel, or shows it again. */
function toggleClass(name) {
  const hide = !state.hidden.has(name);
  if (hide) state.hidden.add(name);
  else state.hidden.delete(name);
  classesChanged(text(hide ? "class_hidden" : "class_shown", { name }));
}

/** Shows one class alone; all classes when it is alone already. */
function showAlone(name) {
  const others = state.classes.map((entry) => entry.name).filter((other) => other !== name);
  if (!state.hidden.has(name) && others.every((other) => state.hidden.has(other))) return showAllClasses();
  state.hidden = new Set(others);
  return classesChanged(text("class_alone", { name }));
}

function showAllClasses() {
  state.hidden.clear();
  classesChanged(text("all_shown"));
}

/** Marks the chips of the classes that the panels see under the cross-hair. */
function markChips() {
  const { cross } = state;
  const names = new Set();
  for (const panel of cross ? drawn() : []) names.add(reading(panel, cross.x, cross.y).name);
  for (const [name, chip] of chips) chip.classList.toggle("under-cross", names.has(name));
}
