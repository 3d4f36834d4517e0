// The server as this page knows it. Each function asks once; whether to try again is for others.

const PATIENCE_MS = 15_000;
const TRY_AGAIN = new Set([408, 425, 429]);

/** No answer came, or none that means anything: it is unknown whether the request arrived. */
export class Unreachable extends Error {}

/** The server said no; `body` is its {error, remedy, ...}. */
export class Refused extends Error {
  constructor(status, body) {
    super([body.error ?? `The server refused (${status}).`, body.remedy].filter(Boolean).join(" "));
    this.status = status;
    this.body = body;
  }
}

async function ask(path, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(path, {
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(PATIENCE_MS),
      ...options,
    });
    body = await response.json();
  } catch (error) {
    if (!response || response.ok || response.status >= 500) throw new Unreachable(error.message);
    body = {};
  }
  if (response.ok) return body;
  if (response.status >= 500 || TRY_AGAIN.has(response.status)) {
    throw new Unreachable(`status ${response.status}`);
  }
  throw new Refused(response.status, body);
}

/** `address`: of the desk. */
export const getWork = (address) => ask(`${address}/work`);
export const getLast = () => ask("/api/last");

export const post = (path, body, csrf) =>
  ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify(body),
  });
