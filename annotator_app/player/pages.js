// What the pages without a clip say.

export const LOADING = { title: "One moment …" };

export const nothingLeft = (again, undo) => ({
  title: "Nothing left for you to do",
  text: [
    "Every clip that needs you has your answer. Thank you!",
    "More may come: others may pass clips on, and new ones may be added.",
  ],
  actions: [
    { text: "Look again", key: "Enter", act: again },
    ...(undo ? [{ text: "Undo last", key: "U", act: undo }] : []),
  ],
});

export const nothingToDecide = (again) => ({
  title: "Nothing waits for you",
  text: [
    "Clips on which people differ come here when all their answers are in, unless you answered " +
      "them yourself.",
  ],
  actions: [{ text: "Look again", key: "Enter", act: again }],
});

export const PRACTICE_FAILED = {
  title: "The practice round is over",
  text: [
    "Your answers differed from the expected ones too often to go on by yourself. That happens, " +
      "and it is no mark against you: people do see the same face differently.",
    "Please talk to whoever invited you. They can see how it went and give you another round.",
  ],
};

export const practiceCutShort = (go) => ({
  title: "Your practice ends here",
  text: [
    "There is no practice clip left for you, so the round is shorter than it was to be.",
    "From the next clip on your answers count.",
  ],
  actions: [{ text: "Go on", key: "Enter", act: go }],
});

export const signedOut = (kept) => ({
  title: "You are signed out",
  text: [
    kept ? "What you had chosen is kept in this window." : "Sign in to go on where you were.",
  ],
  actions: [{ text: "Sign in", key: "Enter", href: "/sign-in" }],
});

export const notYet = (refused) => ({
  title: "Before you can begin",
  text: [refused.message],
  actions: refused.body.next
    ? [{ text: "Go on", key: "Enter", href: refused.body.next }]
    : [{ text: "Sign in as somebody else", href: "/sign-in" }],
});

export const soundCheck = (play) => ({
  title: "Sound check",
  text: [
    "The voice is half of what you will judge. Use headphones if you can, somewhere quiet.",
    "Play the tones, and say how many there were.",
  ],
  actions: [{ text: "Play the tones", key: "Enter", act: play }],
});

export const LISTEN = { title: "Sound check", text: ["Listen …"] };

export const countTones = (answer, play) => ({
  title: "How many tones did you hear?",
  actions: [
    ...[2, 3, 4].map((n) => ({ text: String(n), digit: n, act: () => answer(n) })),
    { text: "None", digit: 0, act: () => answer(0) },
    { text: "Play them again", key: "Enter", act: play },
  ],
});

export const wrongCount = (count, play) => ({
  title: "Not quite",
  text: [
    `There were ${count}. Turn the sound up, check which loudspeaker or headphones are in use, ` +
      "and try again.",
  ],
  actions: [{ text: "Play other tones", key: "Enter", act: play }],
});

export const offDuty = (back) => ({
  title: "Have a good break",
  text: ["Look at something far away, move, drink something. Your place is kept."],
  actions: [{ text: "I am back", key: "Enter", act: back }],
});

export const refusedLater = (refused, said, go) => ({
  title: "An answer could not be taken",
  text: [refused.message, `You had chosen: ${said}.`],
  actions: [{ text: "Go on", key: "Enter", act: go }],
});

/** `said`: of each clip what was chosen, in words. */
export const lost = (said, go) => ({
  title: "The clip you were at is not yours any more",
  text: [
    "It waited for you too long and was given to somebody else, or you answered it in another " +
      "window. What you had chosen was not sent:",
    ...said.map((words) => `${words}.`),
  ],
  actions: [{ text: "Next clip", key: "Enter", act: go }],
});

/** `label(code)`: what is printed on a key. */
export const helpRows = (label, n_steps, stepCode, hasUndo) => [
  [["1", "…", "7"], "the emotion"],
  [[label("KeyX")], "cannot tell: several fit equally well, or none"],
  [[label(stepCode(0)), "…", label(stepCode(n_steps - 1))], "how sure you are"],
  [["Enter"], "send the answer, or go on"],
  ...(hasUndo ? [[[label("KeyU")], "undo: change your last answer"]] : []),
  [["Space"], "pause, and play on"],
  [["↑"], "from the start"],
  [["←", "→"], "one frame back, one frame on"],
  [[label("Minus"), label("Equal")], "slower, faster (0.5× to 1.5×)"],
  [["0"], "normal speed"],
  [[label("KeyB")], "the box around the face on or off"],
  [[label("KeyV")], "sound on or off"],
  [[label("KeyM")], "broken clip: say what is wrong"],
  [[label("KeyN")], "rather not: pass the clip on"],
  [["Esc"], "close a window, leave a change"],
  [["?"], "this list"],
];
