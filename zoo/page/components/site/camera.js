// The camera, live: pictures at the network's own size go to the worker one by one, as fast as it answers.

import { h, one } from "../base/dom.js";
import { decimal } from "../base/numbers.js";
import { text } from "../base/texts.js";
import { ask } from "./engine.js";
import { scaled } from "./resample.js";
import { inWords } from "./shown.js";

const REMEMBERED = 10; // pictures over which the rate is taken
const OPACITY = 0.55;

/** Offers the camera where the browser has one to give. `network()` is the network to show; `take(file)` a photo. */
export function offerCamera({ network, take }) {
  const [button, box] = [one("#camera-open"), one("#camera")];
  button.textContent = text("camera_live");
  button.hidden = !navigator.mediaDevices?.getUserMedia;
  button.addEventListener("click", async () => {
    button.disabled = true;
    await new Live(box, network, take).run();
    button.disabled = false;
    button.focus();
  });
}

class Live {
  constructor(box, network, take) {
    this.box = box;
    this.network = network;
    this.take = take;
    this.on = true;
    this.times = [];
    this.stream = null;
    this.video = h("video", { muted: true, playsinline: true });
    this.video.muted = true;
    this.shown = h("canvas", { role: "img", "aria-label": text("camera_live") });
    this.rate = h("p", { class: "camera-rate", role: "status" });
    const stop = h("button", { type: "button", id: "camera-stop", onclick: () => this.stop() }, text("camera_stop"));
    const keep = h("button", { type: "button", id: "camera-take", onclick: () => this.keep() }, text("camera_take"));
    box.replaceChildren(this.shown, this.rate, h("div", { class: "row" }, keep, stop));
    box.hidden = false;
    stop.focus();
  }

  /** The network to show; refused while none is ticked. */
  chosen() {
    const network = this.network();
    if (!network) throw Object.assign(new Error("no network"), { key: "error_no_checkpoint" });
    return network;
  }

  /** Until the person stops it or it fails. */
  async run() {
    try {
      this.chosen();
      const wanted = { video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false };
      this.stream = await navigator.mediaDevices.getUserMedia(wanted);
      this.video.srcObject = this.stream;
      await this.video.play();
      while (this.on) await this.step();
      this.box.hidden = true;
    } catch (error) {
      this.rate.textContent = error.key ? inWords(error) : text("camera_refused", { reason: error.message });
    } finally {
      for (const track of this.stream?.getTracks() ?? []) track.stop();
      this.video.srcObject = null;
    }
  }

  async step() {
    const network = this.chosen();
    const { videoWidth, videoHeight } = this.video;
    const [width, height] = scaled(videoWidth, videoHeight, network.side ?? Math.max(videoWidth, videoHeight));
    const size = /** @type {ImageBitmapOptions} */ ({
      resizeWidth: width,
      resizeHeight: height,
      resizeQuality: "medium",
    });
    const bitmap = await createImageBitmap(this.video, size);
    const context = this.shown.getContext("2d");
    const still = await createImageBitmap(bitmap);
    const { mask } = await ask("frame", { network, bitmap }, () => {}, [bitmap]);
    Object.assign(this.shown, { width, height });
    context.drawImage(still, 0, 0);
    still.close();
    this.colour(context, mask, network.palette);
    this.count();
  }

  colour(context, mask, palette) {
    const { width, height } = this.shown;
    const image = context.getImageData(0, 0, width, height);
    for (let i = 0, p = 0; i < mask.length; i++, p += 4) {
      const colour = palette[mask[i]];
      for (let c = 0; c < 3; c++) image.data[p + c] += OPACITY * (colour[c] - image.data[p + c]);
    }
    context.putImageData(image, 0, 0);
  }

  count() {
    this.times = [...this.times, performance.now()].slice(-REMEMBERED);
    if (this.times.length < 2) return;
    const seconds = (this.times.at(-1) - this.times[0]) / 1000;
    this.rate.textContent = text("camera_rate", { rate: decimal((this.times.length - 1) / seconds, 1) });
  }

  stop() {
    this.on = false;
    this.box.hidden = true;
  }

  /** The picture that the camera sees now becomes the photo. */
  keep() {
    const canvas = h("canvas");
    Object.assign(canvas, { width: this.video.videoWidth, height: this.video.videoHeight });
    canvas.getContext("2d").drawImage(this.video, 0, 0);
    this.stop();
    canvas.toBlob((blob) => blob && this.take(new File([blob], "camera.png", { type: "image/png" })), "image/png");
  }
}
