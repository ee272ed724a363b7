import { takeVisit } from "../base/address.js";

// What the page is asked to show beside its address: the visitor's files that the history or a change of language kept.
export default () => JSON.stringify(takeVisit());
