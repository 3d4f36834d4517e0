// What is said about an answer.

/** A draft in words. */
export function inWords(draft, confidence) {
  if (draft.flag === "cannot_tell") return "cannot tell";
  if (draft.flag === "broken") return `broken clip: ${draft.reason}`;
  const sure = confidence[draft.confidence_step ?? draft.step];
  return sure ? `${draft.emotion}, “${sure.replace(/\.$/, "")}”` : String(draft.emotion);
}

export const CHANGING = "You are changing your last answer. Esc leaves it as it was.";

/** After a practice clip. */
export function feedbackNotice(feedback, draft, confidence) {
  const { expected, reason, right, n_done, n_right, n_all, passed } = feedback;
  const so_far = `Practice clip ${n_done} of ${n_all}: ${n_right} right so far.`;
  const ending = {
    true: "You have passed the practice round. From the next clip on your answers count.",
    false: "That was the last practice clip.",
  }[String(passed)];
  return {
    tag: right ? "As expected" : "Not as expected",
    tone: right ? "good" : "warn",
    title: right ? expected : `Expected was: ${expected}`,
    text: [
      reason,
      ...(right ? [] : [`You answered: ${inWords(draft, confidence)}.`]),
      so_far,
      ...(ending ? [ending] : []),
    ],
    go: passed === null ? "Next clip" : "Go on",
  };
}

/** After a tie was decided: what each of the `others` had said, as the server tells it. */
export const othersNotice = (others, draft, confidence) => ({
  tag: "Decided",
  tone: "good",
  title: `You said: ${inWords(draft, confidence)}`,
  text: ["Others had said:", ...others.map((given) => `${upper(inWords(given, confidence))}.`)],
  go: "Next clip",
});

const upper = (words) => words[0].toUpperCase() + words.slice(1);

/** After an answer that was not taken. */
export const refusalNotice = (refused, draft, confidence) => ({
  tag: "Not taken",
  tone: "bad",
  title: refused.body.error,
  text: [refused.body.remedy, `You had chosen: ${inWords(draft, confidence)}.`].filter(Boolean),
  go: "Next clip",
});
