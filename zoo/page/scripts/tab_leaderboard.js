() => {
  const address = new URL(window.location.href);
  address.searchParams.set("tab", "leaderboard");
  window.history.replaceState(null, "", address);
}
