// Keys, clicks and taps, turned into names of what is wanted.

import { keyInDialog } from "./dialogs.js";
import { meaningOf } from "./keys.js";

const INTERACTIVE =
  "a[href], button, input, select, textarea, summary, [contenteditable], [tabindex='0'], [role]";

/** A switch that was clicked keeps the focus, and has a use for these keys only. */
const leavesAlone = (deep, event) =>
  deep.matches("input[type=checkbox]") && !/^(Space|Tab)/.test(event.code);

/** Calls `act(name, detail)` until `signal` aborts. `nSteps()`: of confidence. */
export function listen(root, nSteps, act, signal) {
  const onKey = (event) => {
    const deep = event.composedPath()[0];
    const inside = root.contains(deep);
    const dialog = root.querySelector("dialog[open]");
    if (dialog) {
      if (keyInDialog(dialog, event, deep)) event.preventDefault();
      // Outside, the letters of a word that is typed here would be taken for commands.
      event.stopImmediatePropagation();
      return;
    }
    if (!inside && deep.closest?.(INTERACTIVE) && !leavesAlone(deep, event)) return;
    const presses = event.key === "Enter" || event.code === "Space";
    if (inside && presses && deep.closest("button, a")) {
      event.stopImmediatePropagation(); // whoever went to a button with Tab means that button
      return;
    }
    const meaning = meaningOf(event, nSteps());
    if (!meaning) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    act(meaning.name, meaning);
  };
  // Before anybody else, Streamlit included.
  window.addEventListener("keydown", onKey, { capture: true, signal });
  root.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button || button.disabled) return;
    const { do: name, emotion, step } = button.dataset;
    act(name, { emotion, index: step === undefined ? undefined : Number(step) });
  }, { signal });
  // A click leaves the focus where it is, so that Enter still sends and Space still pauses.
  root.addEventListener("mousedown", (event) => {
    if (event.target.closest("button")) event.preventDefault();
  }, { signal });
}
