// What is on the screen. It knows no server and keeps nothing: it draws what it is told, always as
// text, so that a title or a reason can never be markup.

import { stepCode } from "./keys.js";

/** An element with text or children. */
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

export class Screen {
  #parts = new Map();
  #printed = (code) => code.replace(/^(Key|Digit)/, "");

  constructor(root, { hasUndo }) {
    for (const found of root.querySelectorAll("[data-part]")) {
      this.#parts.set(found.dataset.part, found);
    }
    this.part("player").dataset.undo = hasUndo ? "yes" : "no";
  }

  part(name) {
    return this.#parts.get(name);
  }

  /** Writes on every key's picture what the keyboard has printed there. */
  print(printed) {
    this.#printed = printed;
    for (const key of this.part("player").querySelectorAll("kbd[data-code]")) {
      key.textContent = printed(key.dataset.code);
    }
  }

  printed(code) {
    return this.#printed(code);
  }

  say(text, tone = "") {
    const status = this.part("status");
    status.dataset.tone = tone;
    if (status.textContent !== text) status.textContent = text;
  }

  count(words) {
    this.part("counts").textContent = words;
  }

  /** The buttons of the emotions and of the confidence. */
  choices(emotions, confidence) {
    const flag = this.#choice("cannot_tell", "Cannot tell", "X", { choose: "cannot_tell" });
    this.part("emotions").replaceChildren(
      ...emotions.map((name, k) => this.#choice("emotion", name, String(k + 1), { emotion: name })),
      flag,
    );
    flag.querySelector("kbd").dataset.code = "KeyX";
    const steps = confidence.map((sentence, k) =>
      this.#choice("step", sentence, this.printed(stepCode(k)), { step: k }),
    );
    steps.forEach((button, k) => {
      button.querySelector("kbd").dataset.code = stepCode(k);
    });
    this.part("steps").replaceChildren(...steps);
    this.part("answer").dataset.many = confidence.length > 5 ? "yes" : "no";
    this.print(this.#printed);
  }

  #choice(action, text, key, data) {
    const button = element("button", { type: "button" });
    button.append(element("kbd", {}, key), " ", element("span", {}, text));
    button.setAttribute("aria-pressed", "false");
    button.setAttribute("aria-label", text);
    Object.assign(button.dataset, { do: action }, data);
    return button;
  }

  chosen(draft) {
    for (const button of this.part("emotions").children) {
      const on = draft.flag === "cannot_tell" ? "choose" in button.dataset
        : draft.emotion !== null && button.dataset.emotion === draft.emotion;
      button.setAttribute("aria-pressed", String(on));
    }
    const steps = this.part("steps");
    steps.dataset.off = draft.flag ? "yes" : "no";
    for (const button of steps.children) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.step) === draft.step));
      button.disabled = Boolean(draft.flag);
    }
  }

  missing(line, ready) {
    const shown = this.part("missing");
    if (shown.textContent !== line) shown.textContent = line;
    this.part("send").dataset.ready = ready ? "yes" : "no";
  }

  /** Somebody tried to send what is not complete. */
  urge() {
    const line = this.part("missing");
    line.classList.remove("urged");
    void line.offsetWidth; // lets the same animation begin again
    line.classList.add("urged");
    this.part("spoken").textContent = line.textContent;
  }

  calm() {
    this.part("missing").classList.remove("urged");
    this.part("spoken").textContent = "";
  }

  /** What stands above the answer, and whether it changes an earlier one. */
  banner(text, changing) {
    this.part("banner").hidden = !text;
    this.part("banner").textContent = text;
    this.part("decline").hidden = changing;
    this.part("undo").hidden = changing;
    this.part("cancel").hidden = !changing;
    this.part("send-word").textContent = changing ? "Save the change" : "Send";
  }

  /** The face box, or the sound. */
  toggle(name, on) {
    this.part(name).setAttribute("aria-pressed", String(on));
    if (name === "box") this.part("face").hidden = !on;
    else this.part("sound-word").textContent = on ? " on" : " off";
  }

  playing({ playing, speed, share }) {
    this.part("pause-word").textContent = playing ? "Pause" : "Play";
    this.part("speed").textContent = `${speed / 100}×`;
    const bar = this.part("played");
    bar.dataset.back = Number(bar.dataset.share ?? 0) > share ? "yes" : "no";
    bar.dataset.share = share;
    bar.style.transform = `scaleX(${share})`;
  }

  /** Which of the page's faces is seen: "page", "answer" or "notice". */
  view(name) {
    this.part("player").dataset.view = name;
    this.part("page").hidden = name !== "page";
    this.part("work").hidden = name === "page";
    this.part("answer").hidden = name !== "answer";
    this.part("notice").hidden = name !== "notice";
  }

  busy(on) {
    this.part("answer").inert = on;
    this.part("answer").setAttribute("aria-busy", String(on));
  }

  /** A whole page. `actions`: [{text, key, href | act}]; the first is what Enter does. */
  page({ title, text = [], actions = [] }) {
    this.part("page-title").textContent = title;
    this.part("page-text").replaceChildren(...text.map((line) => element("p", {}, line)));
    this.part("page-actions").replaceChildren(...actions.map(actionButton));
    this.view("page");
    this.part("page-title").focus({ preventScroll: true });
  }

  /** Beside the clip, in place of the answer. */
  notice({ tag, tone, title, text = [], go }) {
    this.part("notice").dataset.tone = tone;
    this.part("notice-tag").textContent = tag;
    this.part("notice-title").textContent = title;
    this.part("notice-text").replaceChildren(...text.map((line) => element("p", {}, line)));
    this.part("notice-word").textContent = go;
    this.view("notice");
    this.part("notice-title").focus({ preventScroll: true });
  }

  /** Over the clip; null takes it away. */
  cover(content) {
    this.part("cover").hidden = !content;
    if (!content) return;
    this.part("cover-text").textContent = content.text;
    this.part("cover-actions").replaceChildren(...(content.actions ?? []).map(actionButton));
  }

  /** The height left for the page (px), and the shape of the clip. */
  fit(room, task) {
    const player = this.part("player");
    player.style.setProperty("--room", `${room}px`);
    if (task) player.style.setProperty("--shape", String(task.width / task.height));
  }
}

function actionButton({ text, key, href, act }, k) {
  const made = href ? element("a", { href }, text) : element("button", { type: "button" }, text);
  made.className = k === 0 && key === "Enter" ? "send" : "quiet";
  if (key) made.append(" ", element("kbd", {}, key));
  if (act) made.addEventListener("click", act);
  return made;
}
