// What the visitor has predicted and answered. It stays in this browser: nothing of it is sent anywhere.

const KEPT = "fcn-lesson";

/** All that is remembered, by name. @returns {Record<string, any>} */
export function remembered() {
  try {
    return JSON.parse(window.localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {}; // no storage, or nothing that we wrote
  }
}

/** Remembers a value under a name, or with undefined forgets it. */
export function remember(name, value) {
  try {
    window.localStorage.setItem(KEPT, JSON.stringify({ ...remembered(), [name]: value }));
  } catch {
    // Without storage the answers last as long as the page.
  }
}
