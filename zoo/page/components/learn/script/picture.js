// Pictures with a cross that pointer and keys move.

import { h } from "../../base/dom.js";

/** Pointer and keys move the cross: arrows by one cell, with Shift by one pixel. */
export function listen(canvas, { width, height }, state, go, cell = 8) {
  const follow = (event) => {
    const box = canvas.getBoundingClientRect();
    go(((event.clientX - box.left) / box.width) * width - 0.5, ((event.clientY - box.top) / box.height) * height - 0.5);
  };
  canvas.addEventListener("pointerdown", follow);
  canvas.addEventListener("pointermove", (event) => event.buttons && follow(event));
  canvas.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? 1 : cell;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    go(state.x + move[0], state.y + move[1]);
  });
}

/** What a link asks for, with its pixel inside the picture. */
export function within(start, { width, height }) {
  if (start.x === undefined) return start;
  return { ...start, x: Math.min(start.x, width - 1), y: Math.min(start.y, height - 1) };
}

/** A canvas with an image on it. */
export function drawn(image, width, height) {
  const canvas = h("canvas", { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return canvas;
}

/** The colour of a class as a small square. */
export function swatch({ color }) {
  return h("i", { class: "swatch", style: `background: ${color}`, "aria-hidden": "true" });
}
