(example, picker) => {
  const address = new URL(window.location.href);
  const selected = picker.selected.join(",");
  for (const [name, text] of [["example", example.selected], ["checkpoints", selected]]) {
    if (text) address.searchParams.set(name, text);
    else address.searchParams.delete(name);
  }
  address.search = address.search.replaceAll("%2C", ",");
  window.history.replaceState(null, "", address);
}
