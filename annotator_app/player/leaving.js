// The way out. Answers that the server has not acknowledged are sent before anybody is signed out.
// What cannot be sent now is said; it stays in this browser until the same person signs in again.

import { Refused, Unreachable } from "./api.js";
import { dropSent } from "./memory.js";
import { drop, send, waiting } from "./outbox.js";

const form = document.querySelector("form");
const part = (name) => document.querySelector(`[data-part="${name}"]`);
const { person, atOnce } = form.dataset;
const csrf = form.elements.csrf.value;

const counted = (n) => (n === 1 ? "One answer" : `${n} answers`);

function tell(lines) {
  const paragraphs = lines.map((line) => {
    const paragraph = document.createElement("p");
    paragraph.textContent = line;
    return paragraph;
  });
  part("words").replaceChildren(...paragraphs);
}

/** Tries each waiting answer once; gives the sentences of those that the server will never take. */
async function sendWaiting() {
  const refused = [];
  for (const entry of waiting(person)) {
    try {
      await send(entry, csrf);
    } catch (error) {
      if (error instanceof Unreachable || error.status === 401) continue;
      if (!(error instanceof Refused)) throw error;
      refused.push(`${error.message} (${entry.body.emotion ?? entry.body.flag})`);
    }
    drop(entry);
    dropSent(entry.body);
  }
  return refused;
}

/** Whether nothing of what was answered is left to be said. */
async function isAllSent() {
  const n_waiting = waiting(person).length;
  if (n_waiting === 0) return true;
  tell([`${counted(n_waiting)} had not arrived yet. Sending …`]);
  for (const button of [part("leave"), part("again")]) button.disabled = true;
  const refused = await sendWaiting();
  for (const button of [part("leave"), part("again")]) button.disabled = false;
  const n_left = waiting(person).length;
  part("again").hidden = n_left === 0;
  part("leave").classList.toggle("main", n_left === 0);
  if (n_left === 0 && refused.length === 0) {
    tell(["Everything you answered has arrived."]);
    return true;
  }
  const kept = n_left === 1 ? "It stays" : "They stay";
  const sent = n_left === 1 ? "is sent" : "are sent";
  tell([
    ...refused.map((sentence) => `Not taken: ${sentence}`),
    ...(n_left === 0 ? [] : [
      `${counted(n_left)} did not reach the server.`,
      `${kept} in this browser and ${sent} when you sign in here again. The clips are kept for ` +
        "you a few minutes only, so it is better to try again now.",
    ]),
  ]);
  return false;
}

part("again").addEventListener("click", async () => {
  if (await isAllSent()) form.requestSubmit();
});
if ((await isAllSent()) && atOnce === "yes") form.requestSubmit();
