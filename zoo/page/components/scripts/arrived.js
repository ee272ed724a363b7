import { comparisonKey } from "../base/address.js";
import { one } from "../base/dom.js";
import { showPreview } from "../base/preview.js";

// The first comparison leaves the address as it was given; going back to it later must be told from other ones.
export default (viewer) => {
  if (!viewer) return;
  showPreview(viewer.photo.src);
  const query = new URL(window.location.href).searchParams;
  const shown = comparisonKey(query.get("example"), query.get("checkpoints"), window.history.state);
  one("#visit").dataset.shown = shown;
};
