"""Ties: an adjudicator decides them, before seeing what others said; a manager sees what came of
it and can make such clips gold."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pandas as pd
import streamlit as st

from annotator_app.figures import n_disputes, n_ties
from annotator_app.managing import (
    act,
    answer_words,
    begin,
    confidence_words,
    moment,
)
from annotator_app.session import visit_as
from annotator_app.watching import Watched, watch_task
from caer_build.annotation import adjudication
from caer_build.annotation.accounts import Account, everyone
from caer_build.annotation.adjudication import DISPUTED, TIES, Decided
from caer_build.annotation.answers import Answer
from caer_build.annotation.leasing import Lease
from caer_build.annotation.office import Office
from caer_build.annotation.project import STEP_WORDS
from caer_build.annotation.viewing import tasks
from caer_build.errors import VoteError
from caer_build.records import EMOTIONS

_CANNOT_TELL = "Cannot tell"
_BROKEN = "The clip is broken"
_SAYINGS = [*EMOTIONS, _CANNOT_TELL, _BROKEN]
_CHOICES = {"cannot_tell": _CANNOT_TELL, "broken": _BROKEN}
_KEYS = (
    "Keys as for labelling: 1-7 or X for what you perceive, the row from A for how sure you are, "
    "Enter to send, M for a broken clip, N twice for rather not; Space, arrows, + and - to play."
)
_SHOWN_SINCE = "dispute_shown_since"


def show(office: Office, account: Account) -> None:
    """The page."""
    begin("Ties")
    if account.role == "manager":
        _overview(office, account)
        return
    too_unsure = st.toggle(
        "With clips on which people agree without being sure", key="dispute_unsure"
    )
    lease = office.dispute(account.annotator_id, DISPUTED if too_unsure else TIES)
    if lease is None:
        st.success(
            "Nothing waits for you: clips on which people differ come here when all their answers "
            "are in, unless you answered them yourself.",
            icon=":material/check:",
        )
    else:
        n_waiting = n_disputes(office, account.annotator_id, DISPUTED if too_unsure else TIES)
        st.caption(
            f"{n_waiting if n_waiting < 100 else '100 or more'} others wait for you. Answer first: "
            "what others said is shown afterwards, without names."
        )
        _decide(office, account, lease)
    with office.database.reading() as connection:
        mine = adjudication.decided(connection, account.annotator_id)
    if mine:
        st.subheader("What you decided, and what others had said")
        _table(mine, names=None)


def _decide(office: Office, account: Account, lease: Lease) -> None:
    # The clip is theirs for as long as the page is open.
    me, often_s = account.annotator_id, office.settings.lease_s / 4
    st.fragment(lambda: office.renew(me), run_every=often_s)()
    with office.database.reading() as connection:
        task = tasks(connection, [lease])[0]
    since: dict[str, float] = st.session_state.setdefault(_SHOWN_SINCE, {})
    since.setdefault(lease.ticket, time.monotonic())
    left, right = st.columns([3, 2], gap="large")
    words = STEP_WORDS[office.settings.confidence_steps]
    with left:
        watched = watch_task(task, key="dispute_watched", n_steps=len(words))
        st.caption(_KEYS)
    draft, heard = _pressed(lease, watched), watched.heard
    # Other elements after every key: what the browser still says of these then changes nothing.
    these = f"{lease.ticket} {watched.mount} {len(watched.keys)}"
    with right:
        said = draft["said"] = st.radio(
            "What do you perceive in the marked person?", _SAYINGS,
            index=None if draft["said"] is None else _SAYINGS.index(draft["said"]),
            key=f"said {these}",
        )  # fmt: skip
        step = None
        if said in EMOTIONS:
            step = draft["step"] = st.radio(
                "How sure are you?", range(len(words)), format_func=lambda k: words[k],
                index=draft["step"], key=f"sure {these}",
            )  # fmt: skip
        reason = None
        if said == _BROKEN:
            reason = st.text_input("What is wrong with it?", max_chars=500).strip() or None
        missing = _missing(said, step, reason, heard)
        st.caption(missing or "Ready to send.")
        send, leave = st.columns(2)
        sent = send.button("Send", type="primary", disabled=bool(missing), width="stretch")
        if sent or (draft["wants"] == "send" and not missing):
            answer = Answer(
                request_id=st.session_state.setdefault(f"request {lease.ticket}", str(uuid4())),
                public_id=lease.public_id, ticket=lease.ticket,
                emotion=said if said in EMOTIONS else None,
                flag={_CANNOT_TELL: "cannot_tell", _BROKEN: "broken"}.get(str(said)),
                reason=reason, confidence_step=step,
                shown_ms=round((time.monotonic() - since[lease.ticket]) * 1000), waited_ms=0,
                play_count=int(heard), heard=heard, speed=100, audio_on=True,
            )  # fmt: skip
            try:
                office.decide(account.annotator_id, answer)
            except VoteError as error:
                st.error(str(error))
            else:
                since.pop(lease.ticket)
                n_disputes.clear()
                n_ties.clear()
                st.rerun()
        left_it = leave.button("Rather not", width="stretch", help="Goes to another adjudicator")
        if draft["wants"] == "decline":
            st.caption("Press N once more to pass it on.")
        if left_it or draft["wants"] == "decline twice":
            office.leave_dispute(account.annotator_id, lease.public_id, lease.ticket)
            n_disputes.clear()
            st.rerun()
    if draft["wants"] == "send":
        draft["wants"] = ""  # it will not go by itself later


def _pressed(lease: Lease, watched: Watched) -> dict[str, Any]:
    """The answer in progress, with what the newest keys chose: what is "said", the "step" of
    confidence, and what is wanted at last, "send", "decline" or "decline twice" (for one key
    alone is soon pressed, and passes a clip on for good).

    It is no state of the elements that show it: a run may end at any of them, when another key
    comes, and begins again with what the browser believes.
    """
    none = {"said": None, "step": None, "wants": "", "mount": "", "n_seen": 0}
    draft: dict[str, Any] = st.session_state.setdefault(f"draft {lease.ticket}", none)
    if draft["mount"] != watched.mount:
        draft.update(mount=watched.mount, n_seen=0)
    new, draft["n_seen"] = watched.keys[draft["n_seen"] :], len(watched.keys)
    for name, _, index in (key.partition(" ") for key in new):
        if name == "emotion":
            draft["said"] = EMOTIONS[int(index)]
        elif name in _CHOICES:
            draft["said"] = _CHOICES[name]
        elif name == "step" and draft["said"] in EMOTIONS:
            draft["step"] = int(index)
        twice = name == "decline" and draft["wants"] == "decline"
        draft["wants"] = "decline twice" if twice else name
    return draft


def _missing(said: str | None, step: int | None, reason: str | None, heard: bool) -> str:
    if said == _BROKEN:
        return "" if reason else "Say what is wrong with the clip."
    if not heard:
        return "Play the clip once to its end, at normal speed and with its sound."
    if said is None:
        return "Choose what you perceive."
    return "Say how sure you are." if said in EMOTIONS and step is None else ""


def _overview(office: Office, account: Account) -> None:
    st.write(
        "Adjudicators decide clips on which people differ: only those they did not vote on, and "
        "before they see the votes. A manager has seen them, so managers decide nothing here; "
        "give somebody the role of adjudicator under People."
    )
    waiting = n_ties(office)
    st.metric("Ties that wait for an adjudicator", waiting if waiting < 100 else "100 or more")
    with office.database.reading() as connection:
        rows = adjudication.decided(connection)
        names = {a.annotator_id: a.name for a in everyone(connection)}
    if not rows:
        st.info("No clip was adjudicated yet.")
        return
    chosen = _table(rows, names)
    if chosen is None:
        st.caption("Choose a row to make its clip gold.")
        return
    _make_gold(office, account, rows[chosen])


def _make_gold(office: Office, account: Account, row: Decided) -> None:
    st.link_button("See the clip", f"/review?clip={row.public_id}", icon=":material/movie:")
    if row.emotion is None:
        st.info("The adjudicator named no emotion, so this clip cannot be gold.")
        return
    with st.form("gold", border=True):
        reason = st.text_input("Why is it a good example?", f"An adjudicator saw {row.emotion}.")
        if st.form_submit_button(f"Make it gold: {row.emotion}"):
            act(
                office, account,
                lambda c: adjudication.make_gold(
                    c, row.clip_id, reason, account.annotator_id, office.clock()
                ),
                "The clip is gold.",
            )  # fmt: skip


def _table(rows: list[Decided], names: dict[int, str] | None) -> int | None:
    """A table of adjudicated clips; with ``names`` a row can be chosen."""
    shown = [
        {
            **({"By": names[r.annotator_id]} if names is not None else {}),
            "Decided": answer_words(r.emotion, r.flag),
            "Confidence": confidence_words(r.confidence_step, r.confidence_steps),
            "Others said": ", ".join(
                f"{answer_words(v.emotion, v.flag)} "
                f"{confidence_words(v.confidence_step, v.confidence_steps)}".strip()
                for v in r.votes
            ),
            "At": moment(r.answered_at),
            **({"Gold": r.gold_emotion or "", "Id": r.clip_id} if names is not None else {}),
        }
        for r in rows
    ]
    frame = pd.DataFrame(shown)
    columns = {"At": st.column_config.DatetimeColumn(format="D MMM, HH:mm")}
    if names is None:
        st.dataframe(frame, hide_index=True, width="stretch", column_config=columns)
        return None
    event = st.dataframe(
        frame, hide_index=True, width="stretch", column_config=columns, key="decided",
        on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    chosen = event.selection.rows
    return chosen[0] if chosen else None


if __name__ == "__main__":
    here = visit_as("adjudicator", "manager")
    show(here.office, here.account)
