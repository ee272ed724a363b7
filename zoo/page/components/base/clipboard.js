// Handing things to the person: text for the clipboard, files for the disk.

/**
 * Copies the text of `node`. Without https or permission there is no clipboard: then the text is selected, so that the
 * person's own key copies it.
 * @returns {Promise<boolean>} whether it was copied
 */
export async function copyText(node) {
  try {
    await navigator.clipboard.writeText(node.textContent);
    return true;
  } catch {
    window.getSelection().selectAllChildren(node);
    return false;
  }
}

/** Gives `content` (text or Blob) to the browser as a file called `name`. */
export function saveFile(name, type, content) {
  const blob = content instanceof Blob ? content : new Blob([content], { type: `${type};charset=utf-8` });
  const address = URL.createObjectURL(blob);
  followLink(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

/** Downloads what lies at an address under a name. */
export function followLink(address, name) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}
