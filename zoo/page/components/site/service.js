// The service worker: what the page is made of stays for the next visit and for visits without a network.
// Networks and engine are put into the same cache by worker.js when they are fetched first.

import { CACHE, FOLDER } from "./cache.js";

const worker = /** @type {any} */ (self); // TypeScript knows service workers in a library of their own only

/** Fetches the page's own files, without which a visit shows nothing. */
async function install() {
  const cache = await caches.open(CACHE);
  await cache.addAll(site.files.map((name) => new Request(name, { cache: "no-cache" })));
  await worker.skipWaiting();
}

/** Takes over the pages that are open, and deletes what earlier editions have stored. */
async function activate() {
  for (const name of await caches.keys()) {
    if (name.startsWith(`${FOLDER} `) && name !== CACHE) await caches.delete(name);
  }
  await worker.clients.claim();
}

/** A page with the headers that several threads need: nothing here comes from another host anyway. */
function isolated(response) {
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

const pathOf = (name) => new URL(name, FOLDER).pathname;
const PAGE = ["./", "index.html"].map(pathOf);
const OWN = new Set([...PAGE, ...site.files.map(pathOf)]);

/** Whether a request is for a file of this page: what else lies in its folder may be another page. */
function isOwn({ method, url }) {
  const { origin, pathname } = new URL(url);
  return method === "GET" && origin === self.location.origin && OWN.has(pathname);
}

async function answer(request) {
  const cache = await caches.open(CACHE);
  const name = PAGE.includes(new URL(request.url).pathname) ? FOLDER : request;
  const stored = await cache.match(name, { ignoreSearch: true });
  return isolated(stored ?? (await fetch(request)));
}

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(activate()));
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (isOwn(request)) event.respondWith(answer(request));
});
