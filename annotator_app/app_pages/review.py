"""Clips by what their answers come to, and one clip with its answers; for managers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from sqlalchemy import Connection

from annotator_app.managing import (
    STATUS_WORDS,
    act,
    answer_words,
    begin,
    confidence_words,
    consensus_words,
    moment,
)
from annotator_app.session import visit_as
from annotator_app.watching import watch_dossier
from caer_build.annotation import gold, review
from caer_build.annotation.accounts import Account
from caer_build.annotation.office import Office
from caer_build.annotation.review import Dossier, Listed
from caer_build.records import EMOTIONS

_AT_ONCE = 50
_GOLD = "Gold"
_SHOWN = "clip_shown"
_BEFORE = "clip_pages_before"
_FILTER = "clip_filter"


def show(office: Office, account: Account) -> None:
    """The page."""
    asked = st.query_params.pop("clip", None)
    if asked:
        st.session_state[_SHOWN] = asked
    if st.session_state.get(_SHOWN):
        _one(office, account, st.session_state[_SHOWN])
    else:
        _many(office, account)


def _many(office: Office, account: Account) -> None:
    begin("Clips")
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        chosen = st.segmented_control(
            "What their answers come to", [*STATUS_WORDS.values(), _GOLD],
            default=STATUS_WORDS["tie"], key=_FILTER, on_change=_from_the_start,
        ) or STATUS_WORDS["tie"]  # fmt: skip
    found = right.text_input("Find", placeholder="id of a clip", key="clip_find")
    if found:
        with office.database.reading() as connection:
            clip_id = review.find_clip(connection, found)
        if clip_id is None:
            st.error("There is no clip of this id.")
        else:
            _open(clip_id)
    if chosen == _GOLD:
        _gold_list(office, account)
        return
    pages: list[str] = st.session_state.setdefault(_BEFORE, [""])
    status = next(s for s, words in STATUS_WORDS.items() if words == chosen)
    with office.database.reading() as connection:
        clips = review.clips_by_status(connection, [status], pages[-1], _AT_ONCE)
    if not clips:
        st.info("No clip that somebody answered is here." if len(pages) == 1 else "No more.")
    else:
        picked = _table(clips)
        if picked is not None:
            _open(clips[picked].clip_id)
    _turn(pages, clips)
    if clips and status in ("tie", "low_confidence"):
        _more_for_all(office, account, clips)


def _from_the_start() -> None:
    st.session_state[_BEFORE] = [""]


def _open(clip_id: str) -> None:
    st.session_state[_SHOWN] = clip_id
    st.session_state.pop("clip_find", None)
    st.rerun()


def _table(clips: Sequence[Listed]) -> int | None:
    rows = [
        {
            "Id": c.clip_id, "Comes to": consensus_words(c.consensus),
            "Answers": f"{c.consensus.n_answers} of {c.n_slots}",
            "Said": ", ".join(answer_words(a.emotion, a.flag) for a in c.answers),
            "Mean confidence": None if c.consensus.mean_confidence is None
            else float(c.consensus.mean_confidence),
            "Length (s)": c.length_ms / 1000, "Gold": c.gold_emotion or "",
        }
        for c in clips
    ]  # fmt: skip
    event = st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", on_select="rerun",
        selection_mode="single-row", key=f"clips after {clips[0].clip_id}",
        column_config={
            "Mean confidence": st.column_config.NumberColumn(format="%.2f"),
            "Length (s)": st.column_config.NumberColumn(format="%.1f"),
        },
    )  # fmt: skip
    chosen = event.selection.rows
    st.caption("Choose a row to see the clip and who said what.")
    return chosen[0] if chosen else None


def _turn(pages: list[str], clips: Sequence[Listed]) -> None:
    back, on, _ = st.columns([1, 1, 6])
    if back.button("Back", icon=":material/arrow_back:", disabled=len(pages) == 1):
        pages.pop()
        st.rerun()
    if on.button("Next", icon=":material/arrow_forward:", disabled=len(clips) < _AT_ONCE):
        pages.append(clips[-1].clip_id)
        st.rerun()


def _more_for_all(office: Office, account: Account, clips: Sequence[Listed]) -> None:
    with st.expander("Ask more people about these clips"), st.form("more for all", border=False):
        st.write(f"All {len(clips)} clips of this list, until each has so many answers:")
        votes = st.number_input(
            "Answers a clip", min_value=1, max_value=review.MOST_VOTES,
            value=max(c.n_slots for c in clips) + 2,
        )  # fmt: skip
        if st.form_submit_button("Ask for them", icon=":material/group_add:"):
            ids = [c.clip_id for c in clips]
            act(office, account, lambda c: review.ask_for_more(c, ids, votes),
                f"These clips take {votes} answers now.")  # fmt: skip


def _gold_list(office: Office, account: Account) -> None:
    with office.database.reading() as connection:
        clips = gold.gold_clips(connection)
    n_practice = sum(c.is_practice for c in clips)
    st.write(
        f"{len(clips)} gold clips. {n_practice} of them are for practice: a newcomer gets "
        f"{office.settings.practice_clips} of these with feedback. The others come up unseen "
        "among the rest."
    )
    if not clips:
        return
    rows = [
        {"Practice": c.is_practice, "Emotion": c.emotion, "Reason": c.reason, "By": c.by or "",
         "Id": c.clip_id}
        for c in clips
    ]  # fmt: skip
    edited = st.data_editor(
        pd.DataFrame(rows), hide_index=True, width="stretch", key="gold_table",
        disabled=["Emotion", "Reason", "By", "Id"],
    )  # fmt: skip
    changes = [
        (clip.clip_id, bool(now))
        for clip, now in zip(clips, edited["Practice"], strict=True)
        if clip.is_practice != bool(now)
    ]
    if st.button(f"Save the practice set ({len(changes)} changed)", disabled=not changes):
        me, now_ms = account.annotator_id, office.clock()

        def change(connection: Connection) -> None:
            for clip_id, is_practice in changes:
                gold.set_practice(connection, clip_id, is_practice, me, now_ms)

        act(office, account, change, "The practice set was changed.")


def _one(office: Office, account: Account, asked: str) -> None:
    with office.database.reading() as connection:
        clip_id = review.find_clip(connection, asked)
        clip = None if clip_id is None else review.dossier(connection, clip_id)
    if clip is None:
        begin("No such clip")
        _back()
        return
    listed = clip.listed
    begin(consensus_words(listed.consensus))
    _back()
    st.caption(f"{listed.clip_id} · shown to people as {listed.public_id}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        watch_dossier(clip, key="clip_watched")
    with right:
        _facts(clip)
        _gold_form(office, account, clip)
        _more_form(office, account, listed)
    st.subheader("What was said")
    _said(clip)


def _back() -> None:
    if st.button("All clips", icon=":material/arrow_back:"):
        st.session_state.pop(_SHOWN)
        st.rerun()


def _facts(clip: Dossier) -> None:
    listed, found = clip.listed, clip.listed.consensus
    mean = "-" if found.mean_confidence is None else f"{float(found.mean_confidence):.2f}"
    first, second, third = st.columns(3)
    first.metric("Answers", f"{found.n_answers} of {listed.n_slots}")
    second.metric("Agree", found.n_agreeing)
    third.metric("Mean confidence", mean)
    st.caption(
        f"{clip.show}, {clip.episode_id} · {listed.length_ms / 1000:.1f} s · "
        f"{'with' if clip.has_audio else 'without'} sound · person {clip.person_id or 'unknown'}"
    )


def _gold_form(office: Office, account: Account, clip: Dossier) -> None:
    listed, me = clip.listed, account.annotator_id
    is_gold = listed.gold_emotion is not None
    with st.expander(f"Gold: {listed.gold_emotion}" if is_gold else "Make it gold"):
        with st.form("gold", border=False):
            likely = listed.gold_emotion or listed.consensus.emotion
            emotion = st.selectbox(
                "Emotion", EMOTIONS, index=None if likely is None else EMOTIONS.index(likely)
            )
            reason = st.text_area(
                "Reason", clip.gold_reason or "", max_chars=gold.MAX_REASON,
                help="People in practice read it after their answer.",
            )  # fmt: skip
            if st.form_submit_button("Save" if is_gold else "Make it gold"):
                act(
                    office, account,
                    lambda c: gold.mark_gold(
                        c, listed.clip_id, emotion or "", reason, by=me, now_ms=office.clock()
                    ),
                    "The clip is gold.",
                )  # fmt: skip
        if is_gold and st.button("Gold no more"):
            act(office, account,
                lambda c: gold.unmark_gold(c, listed.clip_id, me, office.clock()),
                "The clip is one like others again.")  # fmt: skip


def _more_form(office: Office, account: Account, listed: Listed) -> None:
    with st.expander("Ask more people"), st.form("more", border=False):
        votes = st.number_input(
            "Answers it takes", min_value=listed.n_slots, max_value=review.MOST_VOTES,
            value=min(review.MOST_VOTES, listed.n_slots + 2),
        )  # fmt: skip
        if st.form_submit_button("Ask for them"):
            act(office, account, lambda c: review.ask_for_more(c, [listed.clip_id], votes),
                f"The clip takes {votes} answers now.")  # fmt: skip


def _said(clip: Dossier) -> None:
    if not clip.said:
        st.info("Nobody has answered it yet.")
        return
    rows = [
        {
            "Person": s.name, "Called": s.alias, "For": s.purpose,
            "Answer": answer_words(s.emotion, s.flag), "Reason": s.reason or "",
            "Confidence": confidence_words(s.confidence_step, s.confidence_steps),
            "Took (s)": (s.answered_at - s.shown_at) / 1000, "At": moment(s.answered_at),
            "Changed later": not s.is_standing,
        }
        for s in clip.said
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch",
        column_config={
            "Took (s)": st.column_config.NumberColumn(format="%.1f"),
            "At": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
        },
    )  # fmt: skip


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account)
