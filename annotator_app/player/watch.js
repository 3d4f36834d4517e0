// A clip to look at, inside a page.

import { Deck } from "./deck.js";

const AROUND_PX = 300;
const watching = new WeakMap();

/** Shows `film` in `root`, which holds watch.html. Returns what takes it out again. */
export function watch(root, film) {
  let one = watching.get(root);
  if (!one) {
    one = new Watch(root);
    watching.set(root, one);
  }
  one.show(film);
  return () => {
    watching.delete(root);
    one.close();
  };
}

class Watch {
  #part;
  #deck;
  #film = null;
  #box = true;
  #away = () => this.#deck.sight(!document.hidden);

  constructor(root) {
    this.#part = (name) => root.querySelector(`[data-part="${name}"]`);
    const [a, b] = [this.#part("video-a"), this.#part("video-b")];
    this.#deck = new Deck(a, b, this.#part("face"), {
      played: () => {},
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

  show(film) {
    if (this.#film?.clip === film.clip) return;
    this.#film = film;
    const player = this.#part("player");
    player.style.setProperty("--shape", film.width / film.height);
    // As large as the page around it leaves room for, whatever the width of its column.
    const width = `min(100%, ${((window.innerHeight - AROUND_PX) * film.width) / film.height}px)`;
    this.#part("stage").style.width = this.#part("played").parentElement.style.width = width;
    this.#part("face").hidden = !this.#box;
    this.#cover(null);
    this.#deck.show(film);
  }

  close() {
    document.removeEventListener("visibilitychange", this.#away);
    this.#deck.close();
  }

  #act(name) {
    const acts = {
      pause: () => this.#deck.toggle(),
      restart: () => this.#deck.restart(),
      back: () => this.#deck.step(-1),
      forward: () => this.#deck.step(1),
      slower: () => this.#deck.pace(-1),
      faster: () => this.#deck.pace(1),
      box: () => this.#toggleBox(),
    };
    this.#cover(null);
    acts[name]();
    this.#draw();
  }

  #toggleBox() {
    this.#box = !this.#box;
    this.#part("face").hidden = !this.#box;
    this.#part("box").setAttribute("aria-pressed", String(this.#box));
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
