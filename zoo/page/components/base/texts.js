// What people read. Python sends the strings of the page's language, filled up with English where it lacks some.

const said = { strings: /** @type {Record<string, string>} */ ({}), locale: "en" };

/** Takes over strings and, where one is named, the language (a BCP 47 tag) of a value that the page sent. */
export function speak(strings, tag = document.documentElement.lang || "en") {
  Object.assign(said.strings, strings ?? {});
  said.locale = knownLocale(tag);
}

/** "en" for a tag that the browser does not know, so that formatting never throws. */
function knownLocale(tag) {
  try {
    return Intl.getCanonicalLocales(tag)[0] ?? "en";
  } catch {
    return "en";
  }
}

/** BCP 47 tag in which numbers are written. */
export function locale() {
  return said.locale;
}

export function hasText(key) {
  return Object.hasOwn(said.strings, key);
}

const PLACE = /\{(\w+)(?::([^{}|]*)\|([^{}|]*))?\}/g;

/**
 * The text called `key`, its {places} filled from `parts`; the key itself where there is no such text. A place such as
 * {total:mask|masks} gives the first word for 1 and the second for all other numbers.
 */
export function text(key, parts = {}) {
  const pattern = hasText(key) ? said.strings[key] : key;
  return pattern.replace(PLACE, (place, name, single, several) => {
    if (!Object.hasOwn(parts, name)) return place;
    const part = String(parts[name]);
    if (several === undefined) return part;
    return part === "1" ? single : several;
  });
}

/** The text called `prefix_value` where there is one, else the value itself: "fcn8s" -> "FCN-8s". */
export function titleOf(prefix, value) {
  const key = `${prefix}_${value}`;
  return hasText(key) ? text(key) : String(value ?? "");
}
