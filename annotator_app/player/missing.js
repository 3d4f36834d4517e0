// What stands between an answer and sending it, in the order in which people do it.

/** Phrases, none when it can be sent.
 *
 * `now`: {sound_on, speed (percent), left_ms (until the clip's end),
 * keys: {emotion, step, sound}}
 */
export function missing(draft, task, now) {
  if (draft.flag === "broken") return draft.reason ? [] : ["what is wrong"];
  const found = [];
  if (task.has_audio && !now.sound_on) found.push(`the sound on (${now.keys.sound})`);
  if (!draft.heard) {
    if (now.speed !== 100) found.push("one play at normal speed (0)");
    else found.push(`the clip played to its end (${(now.left_ms / 1000).toFixed(1)} s)`);
  }
  if (!draft.emotion && !draft.flag) found.push(`an emotion (${now.keys.emotion})`);
  if (draft.emotion && draft.step === null) found.push(`how sure you are (${now.keys.step})`);
  return found;
}

/** One line about it. */
export function missingLine(phrases, draft) {
  if (phrases.length > 0) return `Still missing: ${phrases.join(" · ")}`;
  return draft.flag === "broken" ? `Broken: ${draft.reason}` : "Nothing is missing.";
}
