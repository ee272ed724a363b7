import { rewriteAddress } from "../base/address.js";

// The history remembers no file that has been deleted.
export default () => {
  rewriteAddress((parameters) => parameters.delete("example"), null);
};
