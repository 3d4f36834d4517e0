// Somebody at work: one clip after another, from the first look to the server's receipt.
//
//   show -> answer -> send -> (acknowledged) -> show the next
//                       '---> (refused) -> say so beside the clip, go on from there
//
// The next clip is never shown before the server has said that it has the answer.

import { Refused, getLast, getWork, post } from "./api.js";
import { Answering } from "./answering.js";
import { askBreak, askDecline, askReason, showHelp } from "./dialogs.js";
import { listen } from "./input.js";
import { printedKeys, stepCode } from "./keys.js";
import {
  belongsTo, changeOf, draftOf, dropSent, forgetOthers, lostDrafts, remember, session,
} from "./memory.js";
import { missing, missingLine } from "./missing.js";
import { deliver, drop, keep, untilAnswered, waiting } from "./outbox.js";
import * as pages from "./pages.js";
import { Screen } from "./screen.js";
import { checkSound, isChecked, rememberCheck } from "./soundcheck.js";
import { Stage } from "./stage.js";
import { CHANGING, inWords, refusalNotice } from "./wording.js";
import { active, isBreakDue, putOff, rested } from "./worktime.js";

const TICK_MS = 250;
const LEASE_S = 300;
const DOUBLE_PRESS_MS = 350;

export class Work {
  #desk;
  #screen;
  #stage;
  #decided;
  #server = null; // what GET /api/work said, kept up to date
  #current = null; // the answer in progress
  #view = "page";
  #sending = false;
  #actions = []; // of the page that is shown
  #since = 0; // when that notice appeared
  #ticked = 0;
  #timers = [];
  #ending = new AbortController();
  #tellTrouble = () => this.#screen.say("Not saved yet, trying again …", "bad");

  /** `desk`: of desks.js. `decided()` is called when an answer was taken that is told of
   *  elsewhere. */
  constructor(root, desk, decided) {
    [this.#desk, this.#decided] = [desk, decided];
    this.#screen = new Screen(root, desk);
    this.#stage = new Stage(this.#screen, {
      played: (clean) => this.#played(clean),
      changed: () => this.#refresh(),
      failed: () => this.#sync(),
    });
    const { signal } = this.#ending;
    listen(root, () => this.#server?.confidence.length ?? 0, this.act, signal);
    document.addEventListener("visibilitychange", () => this.#sight(), { signal });
    window.addEventListener("pagehide", () => this.#current?.save(), { signal });
    window.addEventListener("resize", () => this.#stage.fit(), { signal });
    this.#timers.push(setInterval(() => this.#tick(), TICK_MS));
  }

  async start() {
    this.#stage.fit();
    printedKeys().then((printed) => this.#screen.print(printed));
    await this.#load();
  }

  close() {
    this.#current?.save();
    this.#ending.abort();
    this.#timers.forEach(clearInterval);
    this.#stage.close();
  }

  // --- with the server ---------------------------------------------------------------------

  #load = async () => {
    this.#page(pages.LOADING);
    const away = () => this.#screen.say("The server cannot be reached. Trying again …", "bad");
    let reply;
    try {
      reply = await untilAnswered(() => getWork(this.#desk.address), away);
    } catch (error) {
      this.#turnedAway(error);
      return;
    }
    if (this.#ending.signal.aborted) return;
    this.#screen.say("");
    this.#server = reply;
    belongsTo(reply.person.name);
    this.#screen.choices(reply.emotions, reply.confidence);
    if (this.#timers.length === 1) {
      const every_ms = ((reply.lease_s ?? LEASE_S) * 1000) / 4;
      this.#timers.push(setInterval(() => this.#renew(), every_ms));
    }
    for (const entry of waiting(reply.person.name)) {
      try {
        const told = await deliver(entry, this.#server, this.#tellTrouble);
        if (entry.path === `${this.#desk.address}/answer`) Object.assign(this.#server, told);
        drop(entry);
        dropSent(entry.body);
        this.#screen.say("Saved", "good");
      } catch (error) {
        this.#refusedLater(entry, error);
        return;
      }
    }
    const lost = lostDrafts(this.#desk.name, this.#server.tasks.map((task) => task.clip));
    this.#apply(this.#server);
    if (session().revising && this.#server.can_undo) await this.#undo();
    else if (lost.length > 0) this.#tellLost(lost);
    else await this.#next();
  };

  /** They were away for longer than a clip is kept. */
  #tellLost(drafts) {
    const said = drafts.map((draft) => inWords(draft, this.#server.confidence));
    this.#page(pages.lost(said, this.#next));
  }

  #turnedAway(error) {
    if (!(error instanceof Refused)) throw error;
    this.#current?.save();
    this.#screen.say("");
    const kept = this.#current?.begun ?? false;
    this.#page(error.status === 401 ? pages.signedOut(kept) : pages.notYet(error));
  }

  #isTurnedAway(error) {
    if (error instanceof Refused && error.status !== 401 && !error.body.next) return false;
    this.#turnedAway(error);
    return true;
  }

  #apply(reply) {
    Object.assign(this.#server, reply);
    this.#screen.count(this.#desk.counted(this.#server));
    this.#screen.part("undo").disabled = !this.#server.can_undo;
    const held = [...this.#server.tasks, this.#current?.task].map((task) => task?.clip);
    forgetOthers(this.#desk.name, held);
  }

  /** Hands an answer over, and goes on when the server has it. */
  async #handOver(entry) {
    const answering = this.#current;
    this.#sending = true;
    this.#stage.pause();
    this.#screen.busy(true);
    this.#screen.say("Saving …");
    try {
      const reply = await deliver(entry, this.#server, this.#tellTrouble);
      this.#done(entry, answering, reply);
      const sent = entry.path.endsWith("/decline") ? "Passed on" : "Saved";
      this.#screen.say(sent, "good");
      if (this.#ending.signal.aborted) return;
      const told = this.#desk.notice(reply, answering.draft, this.#server.confidence);
      if (reply.others) this.#decided();
      if (told) this.#notice(told);
      else await this.#next();
    } catch (error) {
      this.#refused(entry, answering, error);
    } finally {
      this.#sending = false;
      this.#screen.busy(false);
    }
  }

  #done(entry, answering, reply) {
    drop(entry);
    answering.forget();
    if (answering.changing) remember({ revising: null });
    this.#current = null;
    this.#apply(reply);
  }

  #refused(entry, answering, error) {
    if (this.#isTurnedAway(error)) return; // it stays in the outbox until they are back
    if (error.status === 409) {
      this.#done(entry, answering, error.body);
      this.#screen.say("Not taken", "bad");
      this.#notice(refusalNotice(error, answering.draft, this.#server.confidence));
    } else {
      drop(entry);
      answering.renew();
      this.#screen.say(error.message, "bad");
    }
  }

  /** An answer from before a reload was refused. */
  #refusedLater(entry, error) {
    if (this.#isTurnedAway(error)) return;
    drop(entry);
    dropSent(entry.body);
    const said = inWords(entry.body, this.#server.confidence);
    this.#page(pages.refusedLater(error, said, this.#load));
  }

  async #renew() {
    // In another tab, too: the clip is kept as long as its page is open.
    if (this.#sending || this.#server.tasks.length === 0) return;
    try {
      await post("/api/renew", {}, this.#server.csrf);
    } catch (error) {
      if (error.status === 401) this.#turnedAway(error);
    }
  }

  /** Another window may have gone on meanwhile. */
  async #sync() {
    if (this.#sending || this.#view !== "answer") return;
    let reply;
    try {
      reply = await getWork(this.#desk.address);
    } catch (error) {
      if (error instanceof Refused) this.#turnedAway(error);
      return;
    }
    if (this.#sending || this.#view !== "answer") return;
    this.#apply(reply);
    const held = reply.tasks.some((task) => task.clip === this.#current.task.clip);
    if (!this.#current.begun && !held) await this.#next();
  }

  // --- on the screen -----------------------------------------------------------------------

  #next = async () => {
    const { state, tasks, break_after_min } = this.#server;
    if (tasks.length === 0) {
      this.#current = null;
      const rest = this.#desk.nothingLeft(this.#load, this.#server.can_undo && this.#undo);
      this.#page(state === "practice_failed" ? pages.PRACTICE_FAILED : rest);
    } else if (this.#server.state === "practice_cut_short") {
      this.#page(pages.practiceCutShort(() => {
        this.#server.state = "work";
        this.#next();
      }));
    } else if (!isChecked(this.#server.session)) {
      checkSound((content) => this.#page(content), () => {
        rememberCheck(this.#server.session);
        this.#next();
      });
    } else {
      this.#show(tasks[0], draftOf(this.#desk.name, tasks[0]));
      if (isBreakDue(break_after_min)) await this.#suggestBreak();
    }
  };

  #show(task, draft) {
    [this.#current, this.#view] = [new Answering(task, draft), "answer"];
    this.#ticked = performance.now();
    this.#screen.view("answer");
    const changing = draft.revises !== null;
    this.#screen.banner(changing ? CHANGING : this.#desk.banner(task), changing);
    this.#stage.show(task, this.#server.tasks.find((other) => other.clip !== task.clip));
    this.#refresh();
  }

  #page(content) {
    this.#actions = content.actions ?? [];
    this.#view = "page";
    this.#stage.pause();
    this.#screen.page(content);
  }

  #notice(content) {
    this.#view = "notice";
    this.#since = performance.now();
    this.#screen.notice(content);
    if (content.tone !== "bad") this.#stage.play();
  }

  #refresh() {
    this.#stage?.draw();
    if (this.#view !== "answer" || !this.#current) return;
    const [phrases, { draft }] = [this.#missing(), this.#current];
    this.#screen.chosen(draft);
    this.#screen.missing(missingLine(phrases, draft), phrases.length === 0);
  }

  #missing() {
    const printed = (code) => this.#screen.printed(code);
    const last = stepCode(this.#server.confidence.length - 1);
    return missing(this.#current.draft, this.#current.task, {
      sound_on: this.#stage.sound,
      speed: this.#stage.speed,
      left_ms: this.#stage.left_ms,
      keys: {
        emotion: `1–${this.#server.emotions.length}`,
        step: `${printed(stepCode(0))}–${printed(last)}`,
        sound: printed("KeyV"),
      },
    });
  }

  #sight() {
    this.#current?.save();
    this.#stage.sight(!document.hidden && this.#view !== "page");
    if (!document.hidden) this.#sync();
  }

  #tick() {
    const now = performance.now();
    const passed = Math.min(now - this.#ticked, 4 * TICK_MS);
    this.#ticked = now;
    if (this.#view !== "answer" || this.#sending || document.hidden) return;
    this.#current?.seen(passed);
  }

  // --- what a person does ------------------------------------------------------------------

  /** `name`: of an action of keys.js, or of a button's data-do. */
  act = (name, { index, emotion } = {}) => {
    active();
    if (name === "help") this.#help();
    else if (this.#view === "page") this.#actOnPage(name, index);
    else if (this.#sending || this.#stage.act(name)) return;
    else if (this.#view === "notice") this.#leaveNotice(name);
    else this.#answer(name, index, emotion);
  };

  #actOnPage(name, index) {
    const digit = { emotion: index + 1, normal: 0 }[name];
    const means = (a) => (digit === undefined ? a.key === "Enter" : a.digit === digit);
    const action = ["emotion", "normal", "send", "pause"].includes(name) && this.#actions.find(means);
    if (action?.href) window.location.assign(action.href);
    else if (action) action.act();
    else if (name === "undo") this.#actions.find((a) => a.key === "U")?.act();
  }

  #leaveNotice(name) {
    // The second press of a double one is not meant for what has just appeared.
    if (name === "send" && performance.now() - this.#since > DOUBLE_PRESS_MS) this.#next();
  }

  #answer(name, index, emotion) {
    const answers = {
      emotion: () => this.#choose({ emotion: emotion ?? this.#server.emotions[index], flag: null }),
      cannot_tell: () => this.#choose({ emotion: null, step: null, flag: "cannot_tell" }),
      step: () => this.#current.draft.flag || this.#choose({ step: index }),
      send: () => this.#send(),
      undo: () => this.#undo(),
      broken: () => this.#broken(),
      decline: () => this.#decline(),
      cancel: () => this.#leaveChange(),
    };
    answers[name]?.();
  }

  #choose(changes) {
    this.#current.choose(changes);
    this.#screen.calm();
    this.#refresh();
  }

  #played(clean) {
    if (this.#view !== "answer" || this.#sending) return;
    this.#current.played(clean);
    this.#refresh();
  }

  async #send() {
    if (this.#missing().length > 0) {
      this.#screen.urge();
      return;
    }
    this.#tick(); // who answers at the last frame has seen the last frame
    await this.#handOver(this.#kept());
  }

  #kept() {
    const body = this.#current.body(this.#stage);
    return keep(this.#server.person.name, this.#desk.address, body);
  }

  async #broken() {
    const reason = await this.#stage.aside(() => askReason(this.#screen));
    if (!reason) return;
    this.#choose({ emotion: null, step: null, flag: "broken", reason });
    await this.#send();
  }

  async #decline() {
    if (this.#current.changing) return;
    if (!(await this.#stage.aside(() => askDecline(this.#screen)))) return;
    const { clip, ticket } = this.#current.task;
    const path = `${this.#desk.address}/decline`;
    await this.#handOver({ path, body: { clip, ticket }, at: Date.now() });
  }

  #undo = async () => {
    if (this.#current?.changing) return;
    let last = null;
    try {
      if (this.#server.can_undo) last = await getLast();
    } catch (error) {
      if (error.status === 401) return this.#turnedAway(error);
      if (error.status !== 404) return this.#screen.say("Undo has to wait: no connection.", "bad");
    }
    if (!last) {
      this.#screen.say("There is nothing to undo.");
      if (this.#view === "page") await this.#next();
      return;
    }
    this.#current?.save();
    remember({ revising: last.said.request_id });
    this.#screen.say("");
    this.#show(last.task, changeOf(this.#desk.name, last.task, last.said));
  };

  #leaveChange() {
    if (!this.#current.changing) return;
    this.#current.forget();
    remember({ revising: null });
    this.#screen.say("Left as it was.");
    this.#next();
  }

  async #suggestBreak() {
    const minutes = Math.round((session().worked_ms ?? 0) / 60_000);
    if (!(await this.#stage.aside(() => askBreak(this.#screen, minutes)))) {
      putOff();
      return;
    }
    this.#page(pages.offDuty(() => {
      rested();
      this.#next();
    }));
  }

  #help() {
    const printed = (code) => this.#screen.printed(code);
    const n_steps = this.#server?.confidence.length ?? 5;
    const rows = pages.helpRows(printed, n_steps, stepCode, this.#desk.hasUndo);
    this.#stage.aside(() => showHelp(this.#screen, rows));
  }
}
