(example, picker) => {
  const address = new URL(window.location.href);
  const selected = picker.selected.join(",");
  const board = [...address.searchParams.keys()].some((name) => name.startsWith("lb_"));
  const tab = board ? "compare" : ""; // else the leaderboard's part of the address would open its tab
  for (const [name, text] of [["example", example.selected], ["checkpoints", selected], ["tab", tab]]) {
    if (text) address.searchParams.set(name, text);
    else address.searchParams.delete(name);
  }
  address.search = address.search.replaceAll("%2C", ",");
  window.history.replaceState(null, "", address);
}
