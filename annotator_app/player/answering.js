// The answer in progress: what was chosen, heard and seen of the clip on the screen.

import { dropDraft, freshId, saveDraft } from "./memory.js";

export class Answering {
  #kept = true;

  /** `draft`: of memory.js; it is kept there at every change. */
  constructor(task, draft) {
    [this.task, this.draft] = [task, draft];
  }

  /** Whether an earlier answer is being changed. */
  get changing() {
    return this.draft.revises !== null;
  }

  /** Whether there is something to lose. */
  get begun() {
    return Boolean(this.draft.emotion || this.draft.flag) || this.changing;
  }

  choose(changes) {
    Object.assign(this.draft, { reason: null }, changes);
    this.save();
  }

  /** `clean`: as Deck says. */
  played(clean) {
    this.draft.plays += 1;
    this.draft.heard ||= clean;
    this.save();
  }

  /** It was in sight for so long. Kept once a second. */
  seen(ms) {
    const before = this.draft.shown_ms;
    this.draft.shown_ms += ms;
    if (Math.floor(before / 1000) !== Math.floor(this.draft.shown_ms / 1000)) this.save();
  }

  save() {
    if (this.#kept) saveDraft(this.draft);
  }

  /** It was not taken, and may be sent once more as another request. */
  renew() {
    this.draft.request_id = freshId();
    this.save();
  }

  /** It is over; nothing of it comes back. */
  forget() {
    this.#kept = false;
    dropDraft(this.draft);
  }

  /** As the server takes it. */
  body(stage) {
    const { draft } = this;
    return {
      request_id: draft.request_id, clip: draft.clip, ticket: draft.ticket,
      emotion: draft.emotion, flag: draft.flag, reason: draft.reason, confidence_step: draft.step,
      shown_ms: Math.round(draft.shown_ms), waited_ms: 0, play_count: draft.plays,
      heard: draft.heard, speed: stage.speed, audio_on: stage.sound, revises: draft.revises,
    };
  }
}
