// Questions in between. Each gives what was answered, or null after Esc or Back.

import { element } from "./screen.js";

export const REASONS = [
  "There is no picture, or it is damaged.",
  "The sound is missing or damaged.",
  "Sound and picture do not belong together.",
  "The box marks no face, or changes to another person.",
  "It shows a cut to another scene.",
  "Something else.",
];

/** Opens a dialog; `result()` is asked when it is confirmed, and may say null: not yet. */
function ask(dialog, result = () => true) {
  return new Promise((done) => {
    const finish = (value) => {
      dialog.removeEventListener("click", onClick);
      dialog.removeEventListener("cancel", onCancel);
      dialog.removeEventListener("close", onClose);
      dialog.removeEventListener("caer-enter", confirm);
      if (dialog.open) dialog.close();
      done(value);
    };
    const confirm = () => {
      const value = result();
      if (value !== null) finish(value);
    };
    // Esc: the browser tells of the closing some time after it, when the next question may have
    // been asked; so it is answered at once, and news of an earlier closing are passed over.
    const onCancel = (event) => {
      event.preventDefault();
      finish(null);
    };
    const onClose = () => {
      if (!dialog.open) finish(null);
    };
    const onClick = (event) => {
      const button = event.target.closest("[data-dialog]");
      if (button?.dataset.dialog === "yes") confirm();
      if (button?.dataset.dialog === "no") finish(null);
    };
    dialog.addEventListener("click", onClick);
    dialog.addEventListener("cancel", onCancel);
    dialog.addEventListener("close", onClose);
    dialog.addEventListener("caer-enter", confirm);
    dialog.showModal();
  });
}

/** Why a clip is broken; one sentence. */
export function askReason(screen) {
  const [list, more] = [screen.part("reasons"), screen.part("reason-text")];
  const line = screen.part("reason-missing");
  let chosen = null;
  const choose = (k) => {
    chosen = k;
    line.textContent = "";
    [...list.children].forEach((b, n) => b.setAttribute("aria-pressed", String(n === k)));
  };
  list.replaceChildren(
    ...REASONS.map((text, k) => {
      const button = element("button", { type: "button", onclick: () => choose(k) });
      button.append(element("kbd", {}, String(k + 1)), " ", element("span", {}, text));
      button.setAttribute("aria-pressed", "false");
      return button;
    }),
  );
  more.value = "";
  line.textContent = "";
  return ask(screen.part("dialog-broken"), () => {
    const added = more.value.trim();
    if (chosen === null && !added) {
      line.textContent = `Choose a reason (1–${REASONS.length}), or write one.`;
      return null;
    }
    return [chosen === null ? "" : REASONS[chosen], added].filter(Boolean).join(" ");
  });
}

export const askDecline = (screen) => ask(screen.part("dialog-decline"));

/** `minutes`: worked so far. */
export function askBreak(screen, minutes) {
  screen.part("break-text").textContent =
    `You have worked for ${minutes} minutes. Eyes and ears judge better after five minutes away ` +
    "from the screen. Your place is kept.";
  return ask(screen.part("dialog-break"));
}

/** `rows`: [[keys, what they do]]. */
export function showHelp(screen, rows) {
  screen.part("keys").replaceChildren(
    ...rows.flatMap(([keys, text]) => [
      element("dt", {}, ...keys.flatMap((key) => [element("kbd", {}, key), " "])),
      element("dd", {}, text),
    ]),
  );
  return ask(screen.part("dialog-help"));
}

/** A key while a dialog is open; `deep`: what has the focus. Returns whether it is used up. */
export function keyInDialog(dialog, event, deep) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return false;
  if (event.key === "Enter" && deep.localName !== "button") {
    if (!event.repeat) dialog.dispatchEvent(new Event("caer-enter"));
    return true;
  }
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
  if (!digit || deep.localName === "input") return false;
  dialog.querySelectorAll(".steps button")[Number(digit[1]) - 1]?.click();
  return true;
}
