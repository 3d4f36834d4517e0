// An answer that was sent stays here until the server has said that it has it. It is sent again
// and again as the same request, so however often it arrives it is one answer. It outlives a
// reload, and a closed window too: the next one sends it.

import { Unreachable, getWork, post } from "./api.js";

const PREFIX = "caer.outbox.";
const WAITS_MS = [1000, 2000, 4000, 8000, 10_000];
const MOST_MS = 24 * 3600 * 1000;
const unsent = new Map();

const label = (entry) => PREFIX + entry.body.request_id;

/** Keeps an answer for the desk at `address`. `person`: who gave it; nobody else's session sends
 *  it. */
export function keep(person, address, body) {
  const entry = { person, path: `${address}/answer`, body, at: Date.now() };
  unsent.set(label(entry), entry);
  try {
    localStorage.setItem(label(entry), JSON.stringify(entry));
  } catch {
    // full or forbidden: it is kept while this page lives
  }
  return entry;
}

export function drop(entry) {
  unsent.delete(label(entry));
  try {
    localStorage.removeItem(label(entry));
  } catch {
    // it was never there
  }
}

/** What a person has sent and nobody has acknowledged, oldest first. */
export function waiting(person) {
  const found = new Map(unsent);
  try {
    for (const key of Object.keys(localStorage).filter((name) => name.startsWith(PREFIX))) {
      found.set(key, JSON.parse(localStorage.getItem(key)));
    }
  } catch {
    // nothing but what this page knows itself
  }
  return [...found.values()].filter((e) => e?.person === person).sort((a, b) => a.at - b.at);
}

/** Asks until there is an answer. `tell()` is called after every attempt that got none. */
export async function untilAnswered(question, tell) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await question();
    } catch (error) {
      if (!(error instanceof Unreachable)) throw error;
      tell();
      await untilWorthATry(WAITS_MS[Math.min(attempt, WAITS_MS.length - 1)]);
    }
  }
}

/** Sends until the server answers; gives its answer.
 *
 * `server.csrf` goes with it, and is brought up to date when somebody signed in anew meanwhile.
 * Throws Refused when the server says no.
 */
export async function deliver(entry, server, tell) {
  const sent = () => send(entry, server.csrf);
  try {
    return await untilAnswered(sent, tell);
  } catch (error) {
    if (error.status !== 403 || error.body.next || !(await isStale(server, entry.path))) throw error;
    return untilAnswered(sent, tell);
  }
}

/** Sends once; throws Unreachable or Refused. */
export const send = (entry, csrf) => post(entry.path, withWaiting(entry), csrf);

function withWaiting({ body, at }) {
  if (!("waited_ms" in body)) return body;
  return { ...body, waited_ms: Math.min(Math.max(0, Date.now() - at), MOST_MS) };
}

async function isStale(server, path) {
  try {
    const { csrf } = await getWork(path.slice(0, path.lastIndexOf("/")));
    const stale = csrf !== server.csrf;
    server.csrf = csrf;
    return stale;
  } catch (error) {
    if (error instanceof Unreachable) return false;
    throw error;
  }
}

/** Until some time has passed, or the browser says that the network is there again. */
export function untilWorthATry(ms) {
  return new Promise((done) => {
    const timer = setTimeout(finish, ms);
    window.addEventListener("online", finish);
    function finish() {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      done();
    }
  });
}

// Another window has sent it: this one need not hold anybody back over it.
window.addEventListener("storage", ({ key, newValue }) => {
  if (newValue === null) unsent.delete(key);
});
window.addEventListener("beforeunload", (event) => {
  if (unsent.size > 0) event.preventDefault();
});
