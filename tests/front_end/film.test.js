// Overlays of a video that play together, on a machine where it takes a while to get to another time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPanels } from "../../zoo/page/components/batch/script/film.js";

const clock = { now: 0 };
const SLOW = 0.25; // seconds until a video is at another time

/** What drawPanels asks of a video that plays. */
class Video {
  paused = false;
  seeks = 0;
  from = { time: 0, since: 0 };
  arrives = null;
  get currentTime() {
    return this.arrives === null ? this.from.time + clock.now - this.from.since : this.from.time;
  }
  set currentTime(time) {
    this.seeks++;
    this.from.time = time;
    this.arrives = clock.now + SLOW;
  }
  pause() {
    this.from = { time: this.currentTime, since: clock.now };
    this.paused = true;
    this.onpause();
  }
  tick() {
    if (this.arrives === null || clock.now < this.arrives) return;
    this.from.since = clock.now;
    this.arrives = null;
    this.onseeked();
  }
}

function playing(count) {
  const videos = Array.from({ length: count }, () => new Video());
  const panels = videos.map((video, at) => {
    return { dataset: { name: String(at), shown: "overlay" }, querySelector: () => video };
  });
  const place = /** @type {any} */ ({ children: panels });
  drawPanels(
    place,
    panels.map(({ dataset }) => ({ name: dataset.name, overlay: dataset.shown })),
  );
  return videos;
}

test("videos that get to another time slowly go on from there", () => {
  const videos = playing(3);
  videos[1].currentTime = 5;
  for (let step = 0; step < 400; step++) {
    clock.now += 0.01;
    for (const video of videos) video.tick();
  }
  for (const { currentTime, seeks } of videos) {
    assert.ok(currentTime > 8 && currentTime < 9.5, `at ${currentTime} after four seconds`);
    assert.equal(seeks, 1);
  }
});

test("the time that another video is put to is followed by all", () => {
  const videos = playing(3);
  for (const [at, time] of [20, 30, 40].entries()) {
    videos[at].currentTime = time;
    for (let step = 0; step < 100; step++) {
      clock.now += 0.01;
      for (const video of videos) video.tick();
    }
    for (const { currentTime } of videos) assert.ok(Math.abs(currentTime - time) < 1.5);
  }
});
