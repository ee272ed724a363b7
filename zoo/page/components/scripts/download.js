import { followLink } from "../base/clipboard.js";

export default (file) => {
  if (file) followLink(file.url, file.orig_name);
};
