// IoU of each class of this one image, per checkpoint; the best of a row is marked.
// value: null or {columns: [title], rows: [{name, color, values: [0..1 or null]}], strings}

const root = element.querySelector(".iou");
const locale = document.documentElement.lang || undefined;

function cell(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function drawRow(row) {
  const line = document.createElement("tr");
  const heading = cell("th", "");
  heading.scope = "row";
  if (row.color) {
    const swatch = cell("span", "", "iou-swatch");
    swatch.style.background = row.color;
    heading.append(swatch);
  }
  heading.append(row.name);
  line.append(heading);
  const known = row.values.filter((value) => value !== null);
  const best = known.length > 1 ? Math.max(...known) || null : null; // no star where nobody found the class
  for (const value of row.values) {
    const text = value === null ? "–" : (100 * value).toLocaleString(locale, {minimumFractionDigits: 1, maximumFractionDigits: 1});
    const made = cell("td", text, value !== null && value === best ? "best" : "");
    if (value !== null) made.style.setProperty("--share", value);
    line.append(made);
  }
  if (!row.color) line.className = "iou-mean";
  return line;
}

function draw() {
  const value = props.value;
  root.hidden = !value;
  if (!value) return;
  root.querySelector("h3").textContent = value.strings.iou_title;
  root.querySelector(".iou-explanation").textContent = value.strings.iou_explanation;
  root.querySelector(".iou-scroll").setAttribute("aria-label", value.strings.iou_title);
  const head = document.createElement("tr");
  for (const text of [value.strings.iou_class, ...value.columns]) {
    const heading = cell("th", text);
    heading.scope = "col";
    head.append(heading);
  }
  root.querySelector("thead").replaceChildren(head);
  root.querySelector("tbody").replaceChildren(...value.rows.map(drawRow));
}

draw();
watch("value", draw);
