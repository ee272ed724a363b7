// Where the page lies, and the name under which the browser keeps its files: one host may hold several such pages.

export const FOLDER = new URL("./", self.location.href).href;
export const CACHE = `${FOLDER} ${site.version}`;
