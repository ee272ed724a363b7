(name) => {
  const address = new URL(window.location.href);
  address.searchParams.set("lb_q", name); // read by the leaderboard when it is drawn for the first time
  window.history.replaceState(null, "", address);
  const search = document.querySelector("#leaderboard input[type=search]");
  if (!search) return;
  search.value = name;
  search.dispatchEvent(new Event("input", {bubbles: true}));
}
