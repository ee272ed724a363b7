// The picture in the photo field.

import { one } from "./dom.js";

/** Shows `source`, the server's picture of the photo, where the browser cannot show the file itself, such as HEIC. */
export function showPreview(source) {
  const image = one("#photo img");
  if (image?.complete && !image.naturalWidth && image.getAttribute("src") !== source) image.src = source;
}
