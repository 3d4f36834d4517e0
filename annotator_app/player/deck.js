// Two videos in one place: the clip on the screen, and the next one, which loads meanwhile.
//
// A clip loops, but not by the `loop` attribute: only a play that ends says that it ended.

import { follow, frameAt } from "./facebox.js";

const SPEEDS = [50, 75, 100, 125, 150];

/** Tells `on`: played(clean), moved(), blocked(), failed(), ready().
 *
 * `clean`: from start to end at normal speed, in one go, sound on where the clip has any, in sight.
 */
export class Deck {
  #front;
  #spare;
  #face;
  #on;
  #task = null;
  #clean = false;
  #wants = false;
  #muted = false;
  #unfollow = () => {};

  constructor(front, spare, face, on) {
    [this.#front, this.#spare, this.#face, this.#on] = [front, spare, face, on];
    for (const video of [front, spare]) this.#listen(video);
  }

  get speed() {
    return Math.round(this.#front.playbackRate * 100);
  }

  get playing() {
    return this.#wants;
  }

  get failed() {
    return Boolean(this.#front.error);
  }

  get left_ms() {
    return Math.max(0, (this.#task?.length_ms ?? 0) - this.#front.currentTime * 1000);
  }

  get share() {
    return this.#task ? Math.min(1, (this.#front.currentTime * 1000) / this.#task.length_ms) : 0;
  }

  /** Puts a clip on the screen, at its start, at normal speed. */
  show(task) {
    this.#front.pause();
    if (holds(this.#spare, task)) [this.#front, this.#spare] = [this.#spare, this.#front];
    else if (!holds(this.#front, task) || this.#front.error) load(this.#front, task);
    this.#task = task;
    this.#front.hidden = false;
    this.#spare.hidden = true;
    this.#front.playbackRate = 1;
    this.#front.muted = this.#muted;
    this.#clean = false;
    this.#unfollow();
    this.#unfollow = follow(this.#front, task, this.#face);
    this.restart();
  }

  /** Loads a clip behind the scene. */
  preload(task) {
    if (!task || holds(this.#spare, task)) return;
    this.#spare.pause();
    load(this.#spare, task);
  }

  /** Loads the clip on the screen once more. */
  reload() {
    load(this.#front, this.#task);
    this.restart();
  }

  async play() {
    this.#wants = true;
    if (document.hidden) return;
    try {
      await this.#front.play();
    } catch (error) {
      // Browsers want a click or a key before there is sound.
      if (error.name === "NotAllowedError") {
        this.#wants = false;
        this.#on.blocked();
      }
    }
    this.#on.moved();
  }

  pause() {
    this.#wants = false;
    this.#front.pause();
    this.#on.moved();
  }

  toggle() {
    if (this.#wants) this.pause();
    else this.play();
  }

  restart() {
    this.#front.currentTime = 0;
    this.#begin();
    this.play();
  }

  /** One frame on (1) or back (-1), standing. */
  step(by) {
    this.pause();
    const times = this.#task.times_ms;
    const target = Math.min(
      times.length - 1,
      Math.max(0, frameAt(times, this.#front.currentTime * 1000 + 1) + by),
    );
    // Into the middle of the frame, so that rounding cannot show its neighbour.
    const until = times[target + 1] ?? this.#task.length_ms;
    this.#clean = false;
    this.#front.currentTime = (times[target] + Math.max(times[target] + 1, until)) / 2000;
  }

  /** One speed up (1), down (-1), or back to normal (0). */
  pace(by) {
    const next = by === 0 ? 2 : SPEEDS.indexOf(this.speed) + by;
    this.#front.playbackRate = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, next))] / 100;
    if (this.speed !== 100) this.#clean = false;
    this.#on.moved();
  }

  set muted(muted) {
    this.#muted = muted;
    this.#front.muted = muted;
    if (muted && this.#task?.has_audio) this.#clean = false;
  }

  /** The window went out of sight, or came back. */
  sight(visible) {
    if (!visible) this.#front.pause();
    else if (this.#wants) this.play();
  }

  close() {
    this.#unfollow();
    for (const video of [this.#front, this.#spare]) {
      video.pause();
      video.removeAttribute("src");
      video.load();
    }
  }

  #begin() {
    const heard = !this.#task.has_audio || !this.#muted;
    this.#clean = this.#front.playbackRate === 1 && heard;
  }

  #listen(video) {
    const here = (act) => () => video === this.#front && this.#task && act();
    video.addEventListener("ended", here(() => {
      this.#on.played(this.#clean);
      if (this.#wants) this.restart();
    }));
    video.addEventListener("timeupdate", here(() => this.#on.moved()));
    video.addEventListener("loadeddata", here(() => this.#on.ready()));
    video.addEventListener("error", here(() => this.#on.failed()));
  }
}

const holds = (video, task) => video.dataset.src === task.src && !video.error;

function load(video, task) {
  video.dataset.src = task.src;
  video.src = task.src;
  video.load();
}
