() => {
  // An image that is pasted, or dropped anywhere on the page, goes where the file dialog's would go.
  const bring = (files) => {
    const image = [...files].find((file) => file.type.startsWith("image/"));
    const field = document.querySelector("#photo input[type=file]");
    if (!image || !field || !field.closest("#photo").offsetParent) return false;
    const transfer = new DataTransfer();
    transfer.items.add(image);
    field.files = transfer.files;
    field.dispatchEvent(new Event("change", {bubbles: true}));
    return true;
  };
  document.addEventListener("paste", (event) => {
    if (event.target.closest?.("input, textarea, [contenteditable]")) return;
    if (bring(event.clipboardData?.files ?? [])) event.preventDefault();
  });
  // #photo and #truth take what is dropped on them by themselves; elsewhere the browser would leave the page.
  const ours = (event) => event.dataTransfer?.types.includes("Files") && !event.target.closest?.("#photo, #truth");
  document.addEventListener("dragover", (event) => ours(event) && event.preventDefault());
  document.addEventListener("drop", (event) => {
    if (!ours(event)) return;
    event.preventDefault();
    bring(event.dataTransfer.files);
  });
}
