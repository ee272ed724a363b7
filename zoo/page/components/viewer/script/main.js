// Start, and what happens when the page sends a new value: everything is updated in place.

import { h, put } from "../../base/dom.js";
import { speak, text } from "../../base/texts.js";
import { cards, showReadings, updateCards } from "./cards.js";
import { listenToKeys } from "./keyboard.js";
import { layersChanged } from "./layers.js";
import { layOut } from "./layout.js";
import { updateLegend } from "./legend.js";
import { keepLink, showAsLinked } from "./link.js";
import { afterFrame, loadPanels } from "./load.js";
import { watchPageScroll } from "./pointer.js";
import { offerPicture } from "./save.js";
import { find, records, state, takePanels } from "./state.js";
import { updateSwipe } from "./swipe.js";
import { bindToolbar, say, updateToolbar } from "./toolbar.js";
import { frames, redraw, removeStage } from "./view.js";

/** Takes a new value from the page. Same photo: zoom, mode, cross-hair and hidden classes stay as they are. */
function update() {
  const value = props.value?.photo?.src ? props.value : null;
  state.value = value;
  if (value) speak(value.strings, value.locale);
  find(".empty").hidden = Boolean(value);
  find(".body").hidden = !value;
  if (!value) {
    put(find(".empty"), text("empty"));
    state.photo = null;
    return;
  }
  const arrived = performance.now();
  takePhoto(value.photo);
  takePanels(value);
  showAsLinked();
  updateToolbar();
  updateCards();
  updateSwipe();
  updateLegend();
  layOut();
  showNotes(".warnings", value.warnings);
  showNotes(".notes", value.notes);
  comeIntoView(value);
  showReadings();
  loadPanels(arrived);
  layersChanged();
}

/** On a phone, shows the masks when a comparison starts that is not the page's first. */
function comeIntoView({ panels, comes_into_view: wanted }) {
  const busy = panels.some(({ status }) => status === "waiting" || status === "running");
  const starts = busy && !work.busy && work.seen;
  Object.assign(work, { busy, seen: true });
  if (wanted && starts) showOnPhone();
}

/** Also when everything is known already, and no comparison is seen to start. */
function followCompare(event) {
  if (!element.isConnected) return document.removeEventListener("click", followCompare);
  const asked = event.target instanceof Element && event.target.closest("#go");
  return asked && state.value?.comes_into_view ? showOnPhone() : undefined;
}

function showOnPhone() {
  if (!matchMedia("(max-width: 768px)").matches) return;
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "start", behavior: calm ? "auto" : "smooth" });
}

const work = { busy: false, seen: false };

/** Shows another photo from the beginning: whole, without cross-hair, all classes. */
function takePhoto({ src, width, height }) {
  if (state.photo && state.photo.src === src && state.photo.width === width && state.photo.height === height) return;
  const photo = { src, width, height, image: null };
  Object.assign(state, {
    photo,
    pinned: null,
    referenceChosen: false,
    cross: null,
    hidden: new Set(),
    view: { zoom: 1, x: width / 2, y: height / 2 },
  });
  records.clear();
  for (const card of cards.values()) {
    removeStage(card.stage);
    card.element.remove();
  }
  cards.clear();
  const image = new Image();
  image.src = src;
  image
    .decode()
    .then(() => createImageBitmap(image))
    .then((bitmap) => {
      photo.image = bitmap;
      redraw();
    })
    .catch(() => state.photo === photo && say(text("bad_photo")));
}

function showNotes(place, notes) {
  const list = Array.isArray(notes) ? notes : [];
  find(place).hidden = !list.length;
  find(place).replaceChildren(...list.map((note) => h("li", {}, [String(note)])));
}

frames.after = afterFrame;
bindToolbar();
listenToKeys();
keepLink();
offerPicture();
watchPageScroll();
new ResizeObserver(layOut).observe(element);
window.addEventListener("resize", layOut);
document.addEventListener("click", followCompare);
document.addEventListener("fullscreenchange", layOut);
watch("value", update);
update();
