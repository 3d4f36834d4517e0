// A clip to look at, without an answer: for managers, and beside an adjudicator's form.

import { Deck } from "./deck.js";

const AROUND_PX = 300;
const watching = new WeakMap();

/** Shows `task` in `root`, which holds watch.html; `heard(clip)` is called once it was played from
 *  start to end at normal speed with its sound. Returns what takes it out again. */
export function watch(root, task, heard) {
  let one = watching.get(root);
  if (!one) {
    one = new Watch(root);
    watching.set(root, one);
  }
  one.show(task, heard);
  return () => {
    watching.delete(root);
    one.close();
  };
}

class Watch {
  #part;
  #deck;
  #task = null;
  #heard = () => {};
  #told = null;
  #box = true;
  #away = () => this.#deck.sight(!document.hidden);

  constructor(root) {
    this.#part = (name) => root.querySelector(`[data-part="${name}"]`);
    const [a, b] = [this.#part("video-a"), this.#part("video-b")];
    this.#deck = new Deck(a, b, this.#part("face"), {
      played: (clean) => this.#played(clean),
      moved: () => this.#draw(),
      blocked: () => this.#cover("Click to play it with sound."),
      ready: () => this.#cover(null),
      failed: () => this.#cover("The clip does not load."),
    });
    this.#part("stage").addEventListener("click", () => this.#act("pause"));
    this.#part("player").addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (button) this.#act(button.dataset.do);
    });
    document.addEventListener("visibilitychange", this.#away);
  }

  show(task, heard) {
    this.#heard = heard;
    if (this.#task?.clip === task.clip) return;
    [this.#task, this.#told] = [task, null];
    const player = this.#part("player");
    player.style.setProperty("--shape", task.width / task.height);
    // As large as the page around it leaves room for, whatever the width of its column.
    const width = `min(100%, ${((window.innerHeight - AROUND_PX) * task.width) / task.height}px)`;
    this.#part("stage").style.width = this.#part("played").parentElement.style.width = width;
    this.#part("face").hidden = !this.#box;
    this.#cover(null);
    this.#deck.show(task);
  }

  close() {
    document.removeEventListener("visibilitychange", this.#away);
    this.#deck.close();
  }

  #act(name) {
    this.#cover(null);
    const acts = {
      pause: () => this.#deck.toggle(),
      restart: () => this.#deck.restart(),
      back: () => this.#deck.step(-1),
      forward: () => this.#deck.step(1),
      slower: () => this.#deck.pace(-1),
      faster: () => this.#deck.pace(1),
      box: () => this.#toggleBox(),
    };
    acts[name]();
    this.#draw();
  }

  #toggleBox() {
    this.#box = !this.#box;
    this.#part("face").hidden = !this.#box;
    this.#part("box").setAttribute("aria-pressed", String(this.#box));
  }

  #played(clean) {
    if (!clean || this.#told === this.#task.clip) return;
    this.#told = this.#task.clip;
    this.#heard(this.#task.clip);
  }

  #cover(text) {
    this.#part("cover").hidden = !text;
    this.#part("cover-text").textContent = text ?? "";
  }

  #draw() {
    this.#part("pause-word").textContent = this.#deck.playing ? "Pause" : "Play";
    this.#part("speed").textContent = `${this.#deck.speed / 100}×`;
    this.#part("played").style.transform = `scaleX(${this.#deck.share})`;
  }
}
