// Is there sound? A few tones, to be counted: a "yes" could be said without listening. Once a
// session: whoever signs in anew may sit elsewhere, with other headphones; another tab may not.

import * as pages from "./pages.js";

const CHECKED = "caer.sound";

const TONE_S = 0.22;
const GAP_S = 0.38;
const FIRST_HZ = 523;

let context = null;
let known = null;

/** Whether the sound was checked in this `session`, in whichever tab of this browser. */
export function isChecked(session) {
  try {
    known = localStorage.getItem(CHECKED) ?? known;
  } catch {
    // forbidden: this page remembers
  }
  return known === session;
}

export function rememberCheck(session) {
  known = session;
  try {
    localStorage.setItem(CHECKED, session);
  } catch {
    // as above
  }
}

/** Goes through the check; `page` shows what pages.js describes, `done` is called at its end. */
export function checkSound(page, done) {
  const play = async () => {
    page(pages.LISTEN);
    const count = await playTones();
    page(pages.countTones(judge, play));
    function judge(heard) {
      if (heard === count) done();
      else page(pages.wrongCount(count, play));
    }
  };
  page(pages.soundCheck(play));
}

/** Plays two to four tones; gives how many, when they are over. */
async function playTones() {
  context ??= new AudioContext();
  await context.resume();
  const count = 2 + Math.floor(Math.random() * 3);
  for (let k = 0; k < count; k += 1) tone(context.currentTime + 0.05 + k * GAP_S);
  await new Promise((done) => setTimeout(done, (count * GAP_S + 0.1) * 1000));
  return count;
}

function tone(at_s) {
  const voice = new OscillatorNode(context, { type: "triangle", frequency: FIRST_HZ });
  const loudness = new GainNode(context, { gain: 0 });
  loudness.gain.setValueAtTime(0, at_s);
  loudness.gain.linearRampToValueAtTime(0.35, at_s + 0.02);
  loudness.gain.setValueAtTime(0.35, at_s + TONE_S - 0.06);
  loudness.gain.linearRampToValueAtTime(0, at_s + TONE_S);
  voice.connect(loudness).connect(context.destination);
  voice.start(at_s);
  voice.stop(at_s + TONE_S);
}
