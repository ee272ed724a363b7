export default (picker, code) => {
  // The snippets name what is ticked, as far as every client may use it.
  const names = picker.selected.filter((name) => code.offered.includes(name));
  return names.length ? { ...code, checkpoints: names } : code;
};
