// How long somebody has worked without a break. Minutes in which nothing was pressed do not count;
// several of them are a break.

import { remember, session } from "./memory.js";

const BREAK_MS = 5 * 60_000;
const IDLE_MS = 60_000;
const AGAIN_MS = 15 * 60_000;

/** Notes that a key or button was pressed. */
export function active(now = Date.now()) {
  const { worked_ms = 0, active_at = now } = session();
  const gap = now - active_at;
  const worked = gap >= BREAK_MS ? 0 : worked_ms + Math.min(gap, IDLE_MS);
  remember({ worked_ms: worked, active_at: now, ...(gap >= BREAK_MS && { reminded_ms: 0 }) });
}

/** Whether to suggest a break now. */
export function isBreakDue(after_min) {
  const { worked_ms = 0, reminded_ms = 0 } = session();
  return worked_ms >= (reminded_ms ? reminded_ms + AGAIN_MS : after_min * 60_000);
}

/** Not now: the next suggestion comes in a quarter of an hour. */
export const putOff = () => remember({ reminded_ms: session().worked_ms ?? 0 });

/** A break was taken. */
export const rested = () => remember({ worked_ms: 0, reminded_ms: 0, active_at: Date.now() });
