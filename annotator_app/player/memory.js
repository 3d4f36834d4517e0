// What a reload of this window brings back: the answers in progress, and what was set.
// Where the browser keeps nothing (a private window with storage off) it lives as long as the page.

const DRAFTS = "caer.drafts";
const SESSION = "caer.session";
const fallback = new Map();

function read(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key) ?? "null") ?? {};
  } catch {
    return fallback.get(key) ?? {};
  }
}

function write(key, value) {
  fallback.set(key, value);
  try {
    sessionStorage.setItem(key, JSON.stringify(value));
  } catch {
    // full or forbidden: the map above has it
  }
}

/** 32 hexadecimal digits. (crypto.randomUUID is missing where a page comes without TLS.) */
export function freshId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const keyOf = (task, revises) => (revises === null ? task.clip : `${task.clip}/${revises}`);

/** The answer in progress for a clip at a desk; a new one where there is none.
 *
 * `revises`: the request_id of the answer that it changes, or null.
 */
export function draftOf(desk, task, revises = null) {
  const found = read(DRAFTS)[keyOf(task, revises)];
  const fresh = {
    key: keyOf(task, revises), desk, clip: task.clip, revises,
    emotion: null, flag: null, reason: null, step: null,
    heard: false, plays: 0, shown_ms: 0, request_id: freshId(),
  };
  // A clip that was leased anew has another ticket; what was chosen for it holds all the same.
  return { ...fresh, ...found, ticket: task.ticket };
}

/** The draft of changing what was `said` of a clip before. */
export function changeOf(desk, task, said) {
  const draft = draftOf(desk, task, said.request_id);
  if (draft.begun) return draft;
  const { emotion, flag, reason, confidence_step: step } = said;
  // It was heard when it was answered; only a broken clip need not have been.
  return { ...draft, emotion, flag, reason, step, heard: flag !== "broken", begun: true };
}

export function saveDraft(draft) {
  write(DRAFTS, { ...read(DRAFTS), [draft.key]: draft });
}

export function dropDraft(draft) {
  const { [draft.key]: _, ...others } = read(DRAFTS);
  write(DRAFTS, others);
}

/** Forgets the draft of an answer that has been sent; `body`: as Answering makes it. */
export const dropSent = (body) => dropDraft({ key: keyOf(body, body.revises) });

/** What was chosen at a desk for clips that this person held and, going by `clips`, holds no
 *  more. */
export function lostDrafts(desk, clips) {
  return Object.values(read(DRAFTS)).filter((draft) =>
    draft.desk === desk && draft.revises === null && (draft.emotion || draft.flag) &&
    !clips.includes(draft.clip));
}

/** Forgets what was begun at a desk for clips that are not held any more, and for changes that
 *  ended. */
export function forgetOthers(desk, clips) {
  const { revising } = session();
  const isKept = ({ desk: other, clip, revises }) =>
    other !== desk || (revises === null ? clips.includes(clip) : revises === revising);
  const kept = Object.entries(read(DRAFTS)).filter(([, draft]) => isKept(draft));
  write(DRAFTS, Object.fromEntries(kept));
}

export const session = () => read(SESSION);

export function remember(changes) {
  write(SESSION, { ...read(SESSION), ...changes });
}

/** A window that somebody else signed in to begins afresh. */
export function belongsTo(person) {
  if (read(SESSION).person === person) return;
  write(DRAFTS, {});
  write(SESSION, { person });
}
