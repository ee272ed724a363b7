(key) => {
  if (!key) return;
  // The leaderboard reads its state from the address when it is drawn; the key is NAME@dataset/split.
  const address = new URL(window.location.href);
  for (const name of [...address.searchParams.keys()]) if (name.startsWith("lb_")) address.searchParams.delete(name);
  address.searchParams.set("lb_open", key);
  address.searchParams.set("tab", "leaderboard");
  window.history.replaceState(null, "", address);
  const rows = () => [...document.querySelectorAll("#leaderboard tr[data-key]")];
  const deadline = performance.now() + 20000;
  const show = () => {
    const row = rows().find((other) => other.dataset.key === key);
    if (!row?.offsetParent) {
      if (performance.now() < deadline) window.setTimeout(show, 50);
      return;
    }
    const opener = row.querySelector("button.opener");
    if (opener.getAttribute("aria-expanded") === "false") opener.click(); // drawn before, with another state
    const shown = rows().find((other) => other.dataset.key === key);
    shown.scrollIntoView({block: "center"});
    shown.querySelector("button.opener").focus({preventScroll: true});
  };
  show();
}
