// Two links that open this very address in the other language; language_head.html and the server read `?lang=`.
const links = [...element.querySelectorAll(".language a")];
const primary = (language) => language.toLowerCase().split("-")[0];
const shown = links.find((link) => primary(link.lang) === primary(navigator.language)) ?? links[0];
shown.setAttribute("aria-current", "true");
for (const link of links) {
  link.addEventListener("click", (event) => {
    const address = new URL(window.location.href);
    address.searchParams.set("lang", link.lang);
    address.search = address.search.replaceAll("%2C", ",");
    event.preventDefault();
    window.location.assign(address);
  });
}
