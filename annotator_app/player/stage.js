// The clip on the screen, and what can be done with it without answering.

import { Deck } from "./deck.js";
import { remember, session } from "./memory.js";
import { untilWorthATry } from "./outbox.js";

const RETRY_MS = 3000;
const MARGIN_PX = 12;
const STARTS = new Set(["pause", "restart"]);

export class Stage {
  sound = session().sound_on ?? true;
  #box = session().box_on ?? true;
  #screen;
  #deck;
  #on;
  #task = null;
  #cover = null; // "blocked": the browser wants a click first; or "failed"

  /** Tells `on`: played(clean), changed(), failed(). */
  constructor(screen, on) {
    [this.#screen, this.#on] = [screen, on];
    const part = (name) => screen.part(name);
    this.#deck = new Deck(part("video-a"), part("video-b"), part("face"), {
      played: on.played,
      moved: on.changed,
      blocked: () => this.#blocked(),
      ready: () => this.#cover === "failed" && this.#uncover(),
      failed: () => this.#failed(),
    });
    // Only a shorter way for the mouse: the button below does the same.
    part("stage").addEventListener("click", (event) => {
      if (!event.target.closest("button")) this.act("pause");
    });
    this.#setSound(this.sound);
    this.#setBox(this.#box);
  }

  get speed() {
    return this.#deck.speed;
  }

  get left_ms() {
    return this.#deck.left_ms;
  }

  show(task, next) {
    this.#task = task;
    this.#uncover();
    this.fit();
    this.#deck.show(task);
    this.#deck.preload(next);
  }

  /** Does what a key or button asks of the clip; whether it asked that of it. */
  act(name) {
    if (this.#cover === "blocked") {
      this.#uncover();
      this.#deck.restart();
      if (STARTS.has(name)) return true;
    }
    const acts = {
      pause: () => this.#deck.toggle(),
      restart: () => this.#deck.restart(),
      back: () => this.#deck.step(-1),
      forward: () => this.#deck.step(1),
      slower: () => this.#deck.pace(-1),
      faster: () => this.#deck.pace(1),
      normal: () => this.#deck.pace(0),
      box: () => this.#setBox(!this.#box),
      sound: () => this.#setSound(!this.sound),
    };
    acts[name]?.();
    return name in acts;
  }

  /** Asks something while the clip stands still. */
  async aside(question) {
    const wasPlaying = this.#deck.playing;
    this.#deck.pause();
    const answer = await question();
    if (wasPlaying) this.#deck.play();
    return answer;
  }

  draw() {
    this.#screen.playing(this.#deck);
  }

  play() {
    this.#deck.play();
  }

  pause() {
    this.#deck.pause();
  }

  sight(visible) {
    this.#deck.sight(visible);
  }

  close() {
    this.#deck.close();
  }

  fit() {
    const { top } = this.#screen.part("player").getBoundingClientRect();
    this.#screen.fit(window.innerHeight - Math.max(0, top) - MARGIN_PX, this.#task);
  }

  #setSound(on) {
    this.sound = on;
    this.#deck.muted = !on;
    remember({ sound_on: on });
    this.#screen.toggle("sound", on);
    this.#on.changed();
  }

  #setBox(on) {
    this.#box = on;
    remember({ box_on: on });
    this.#screen.toggle("box", on);
  }

  #blocked() {
    this.#cover = "blocked";
    this.#screen.cover({ text: "Click, or press Space, to play it with sound." });
  }

  async #failed() {
    const task = this.#task;
    this.#cover = "failed";
    this.#screen.cover({
      text: "The clip does not load.",
      actions: [{ text: "Try again", act: () => this.#deck.reload() }],
    });
    await this.#on.failed();
    await untilWorthATry(RETRY_MS);
    if (this.#cover === "failed" && this.#task === task) this.#deck.reload();
  }

  #uncover() {
    this.#cover = null;
    this.#screen.cover(null);
  }
}
