// Which key does what. Keys are known by their place (event.code), so that a row is a row on every
// keyboard; what is printed on them is asked of the browser. Streamlit keeps C and R for itself.

const ROW = [
  "KeyA", "KeyS", "KeyD", "KeyF", "KeyG", "KeyH", "KeyJ", "KeyK", "KeyL", "Semicolon", "Quote",
];
const ACTIONS = {
  Enter: "send", NumpadEnter: "send", Escape: "cancel",
  Space: "pause", ArrowLeft: "back", ArrowRight: "forward", ArrowUp: "restart", Home: "restart",
  Minus: "slower", NumpadSubtract: "slower", BracketLeft: "slower",
  Equal: "faster", NumpadAdd: "faster", BracketRight: "faster",
  Digit0: "normal", Numpad0: "normal",
  KeyB: "box", KeyV: "sound", KeyX: "cannot_tell", KeyU: "undo", KeyM: "broken", KeyN: "decline",
  Slash: "help",
};
const REPEATING = new Set(["back", "forward"]);
const PRINTED = {
  Semicolon: ";", Quote: "'", Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]",
  Slash: "/",
};

/** What a key asks for: {name, index}, or null. `n_steps`: of confidence. */
export function meaningOf(event, n_steps) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return null;
  // Its place differs from keyboard to keyboard, and so does Shift.
  if (event.key === "?") return { name: "help" };
  if (event.shiftKey) return null;
  const digit = /^(?:Digit|Numpad)([1-7])$/.exec(event.code);
  if (digit) return event.repeat ? null : { name: "emotion", index: Number(digit[1]) - 1 };
  const step = ROW.indexOf(event.code);
  if (step >= 0 && step < n_steps) return event.repeat ? null : { name: "step", index: step };
  const name = ACTIONS[event.code];
  if (!name || (event.repeat && !REPEATING.has(name))) return null;
  return { name };
}

export const stepCode = (step) => ROW[step];

/** Finds out what is printed on the keys; gives a function from a place to that. */
export async function printedKeys() {
  let layout = null;
  try {
    layout = await navigator.keyboard?.getLayoutMap();
  } catch {
    // not told (a frame, or no such feature): the usual letters
  }
  return (code) =>
    (layout?.get(code) ?? PRINTED[code] ?? code.replace(/^(Key|Digit)/, "")).toUpperCase();
}
