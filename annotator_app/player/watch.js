// A clip to look at: for managers, and beside an adjudicator's form, for which it takes the keys.

import { Deck } from "./deck.js";
import { listen } from "./input.js";
import { freshId } from "./memory.js";

const AROUND_PX = 300;
const watching = new WeakMap();

/** Shows `task` in `root`, which holds watch.html; `heard(clip)` is called once it was played from
 *  start to end at normal speed with its sound. With `task.n_steps` (of confidence) it takes the
 *  keys of the player: those that are no playing are told by `pressed({clip, mount, keys})`, all
 *  since the clip appeared, so that none is lost when two come at once. Returns what takes it out
 *  again. */
export function watch(root, task, { heard, pressed }) {
  let one = watching.get(root);
  if (!one) {
    one = new Watch(root, task.n_steps);
    watching.set(root, one);
  }
  one.show(task, heard, pressed);
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
  #pressed = () => {};
  #mount = freshId();
  #keys = [];
  #ending = new AbortController();
  #told = null;
  #box = true;
  #away = () => this.#deck.sight(!document.hidden);

  constructor(root, n_steps) {
    const start = n_steps ? "Click, or press Space" : "Click";
    this.#part = (name) => root.querySelector(`[data-part="${name}"]`);
    const [a, b] = [this.#part("video-a"), this.#part("video-b")];
    this.#deck = new Deck(a, b, this.#part("face"), {
      played: (clean) => this.#played(clean),
      moved: () => this.#draw(),
      blocked: () => this.#cover(`${start} to play it with sound.`),
      ready: () => this.#cover(null),
      failed: () => this.#cover("The clip does not load."),
    });
    this.#part("stage").addEventListener("click", () => this.#act("pause"));
    const { signal } = this.#ending;
    if (n_steps) {
      listen(root, () => n_steps, (name, { index } = {}) => this.#act(name, index), signal);
    } else {
      this.#part("player").addEventListener("click", (event) => {
        const button = event.target.closest("button[data-do]");
        if (button) this.#act(button.dataset.do);
      });
    }
    document.addEventListener("visibilitychange", this.#away);
  }

  show(task, heard, pressed) {
    [this.#heard, this.#pressed] = [heard, pressed];
    if (this.#task?.clip === task.clip) return;
    [this.#task, this.#told, this.#keys] = [task, null, []];
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
    this.#ending.abort();
    document.removeEventListener("visibilitychange", this.#away);
    this.#deck.close();
  }

  #act(name, index) {
    const acts = {
      pause: () => this.#deck.toggle(),
      restart: () => this.#deck.restart(),
      back: () => this.#deck.step(-1),
      forward: () => this.#deck.step(1),
      slower: () => this.#deck.pace(-1),
      faster: () => this.#deck.pace(1),
      normal: () => this.#deck.pace(0),
      box: () => this.#toggleBox(),
    };
    if (acts[name]) {
      this.#cover(null);
      acts[name]();
      this.#draw();
    } else {
      this.#keys = [...this.#keys, index === undefined ? name : `${name} ${index}`];
      this.#pressed({ clip: this.#task.clip, mount: this.#mount, keys: this.#keys });
    }
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
