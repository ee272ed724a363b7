() => {
  // Writes the tab that was opened into the address; the comparison needs no name unless the leaderboard has state there.
  // Gradio selects the first tab before the page has read its address: nothing is on the page yet.
  if (!document.querySelector("#picker input, #leaderboard tr, #code .code-languages button")) return;
  const address = new URL(window.location.href);
  const tab = document.querySelector("button[role=tab][aria-selected=true]")?.dataset.tabId;
  const board = [...address.searchParams.keys()].some((name) => name.startsWith("lb_"));
  if (tab && (tab !== "compare" || board)) address.searchParams.set("tab", tab);
  else address.searchParams.delete("tab");
  window.history.replaceState(null, "", address);
}
