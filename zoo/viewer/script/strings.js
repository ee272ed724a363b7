// Texts and numbers. Every text on screen stands here in English; the page may pass translations in value.strings.

const ENGLISH = {
  viewer: "Side-by-side segmentation viewer",
  empty: "Add an image and tick at least one checkpoint: their masks appear here, side by side.",
  mode: "View",
  overlay: "Overlay",
  mask: "Mask",
  contours: "Contours",
  confidence: "Confidence",
  difference: "Difference",
  opacity: "Opacity",
  compare_with: "Compare with",
  all_checkpoints: "each other",
  ground_truth: "Ground truth",
  patterns: "Patterns",
  swipe: "Swipe",
  swipe_left: "Left",
  swipe_right: "Right",
  swipe_divider: "Divider between left and right",
  zoom: "Zoom",
  zoom_in: "Zoom in",
  zoom_out: "Zoom out",
  fit: "Fit",
  fullscreen: "Full screen",
  help: "Keyboard help",
  help_title: "Keyboard and mouse",
  close: "Close",
  legend: "Classes",
  legend_hint: "Click hides a class, double click shows it alone",
  show_all: "Show all",
  shares: "Share of pixels per checkpoint",
  class_name: "Class",
  hidden: "hidden",
  not_found: "Not found in this image: {names}",
  waiting: "Waiting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  loading: "Loading mask",
  interval: "95 % interval {low} to {high}",
  leaderboard: "Show {name} on the leaderboard",
  milliseconds: "{value} ms",
  void: "void",
  outside: "outside",
  no_confidence: "This checkpoint sent no confidence",
  nothing_to_compare: "Nothing to compare with yet",
  differs: "{share} differ",
  wrong: "{share} wrong",
  certain: "certain",
  uncertain: "uncertain",
  position: "x {x}, y {y}",
  pinned: "pinned",
  reading: "{title}: {name}",
  finished: "{title} finished in {time}",
  panel_failed: "{title} failed: {message}",
  class_hidden: "{name} hidden",
  class_shown: "{name} shown",
  class_alone: "Only {name} shown",
  all_shown: "All classes shown",
  mode_is: "View: {name}",
  bad_mask: "The mask could not be read: {reason}",
  bad_confidence: "The confidence could not be read: {reason}",
  mask_size: "it is {width}x{height} pixels, the photo is {photo}",
  bad_photo: "The photo could not be loaded.",
  key_modes: "Overlay, mask, contours, confidence, difference",
  key_opacity: "Opacity down, up",
  key_pan: "Move the picture",
  key_cross: "Move the cross-hair by one pixel (with Alt: ten)",
  key_pin: "Pin or release the cross-hair",
  key_zoom: "Zoom in, out",
  key_fit: "Fit the whole picture",
  key_hide: "Hide or show the class under the cross-hair or the focused class",
  key_solo: "Show that class alone, or all again",
  key_all: "Show all classes",
  key_patterns: "Patterns on or off",
  key_reference: "Difference: next comparison",
  key_swipe: "Swipe two panels; move the divider",
  key_fullscreen: "Full screen",
  key_help: "This sheet",
  key_escape: "Close the sheet, leave swipe, clear the cross-hair",
  mouse_help: "Wheel or pinch zooms, dragging moves, a click pins the cross-hair, a double click jumps to the pixels.",
};

/** Text for `key` in the page's language, with {placeholders} filled from `parts`. */
function text(key, parts = {}) {
  const given = state.value && state.value.strings && state.value.strings[key];
  const pattern = typeof given === "string" ? given : ENGLISH[key];
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => (name in parts ? String(parts[name]) : whole));
}

/** BCP 47 tag of the numbers: the page's language, English when it names none that the browser knows. */
function locale() {
  const wanted = (state.value && state.value.locale) || document.documentElement.lang || "en";
  try {
    return Intl.getCanonicalLocales(wanted)[0] || "en";
  } catch {
    return "en";
  }
}

/** A fraction in [0, 1] as a percentage with `digits` decimals. */
function percent(fraction, digits = 1) {
  const style = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale(), style).format(fraction);
}

/** A plain number with `digits` decimals. */
function decimal(number, digits = 0) {
  const style = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat(locale(), style).format(number);
}

/** Milliseconds as people read them: one decimal below ten. */
function duration(milliseconds) {
  return text("milliseconds", { value: decimal(milliseconds, milliseconds < 10 ? 1 : 0) });
}

const isNumber = (thing) => typeof thing === "number" && Number.isFinite(thing);
