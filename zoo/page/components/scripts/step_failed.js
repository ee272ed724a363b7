import { endStep } from "../base/address.js";

// What a step through the browser's history asked for could not be shown.
export default () => {
  endStep();
};
