"""Clips by what their answers come to, and one clip with its answers; for managers."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st
from sqlalchemy import Connection

from annotator_app.managing import (
    CLIP_LINK,
    STATUS_WORDS,
    act,
    answer_words,
    begin,
    confidence_words,
    consensus_words,
    moment,
)
from annotator_app.session import visit_as
from annotator_app.watching import watch
from caer_build.annotation import gold, practice, review
from caer_build.annotation.accounts import Account
from caer_build.annotation.office import Office
from caer_build.annotation.review import Dossier, Listed
from caer_build.records import EMOTIONS

_AT_ONCE = 50
_GOLD = "Gold"
_UNTOUCHED = "Nobody answered yet"
_USES = {
    gold.CHECK: "a check: comes up unseen among the others",
    gold.PRACTICE: "practice: newcomers answer it first, and are told what was expected",
    gold.EXAMPLE: "an example: the guide shows it, and nobody is asked about it",
}
_SHOWN = "clip_shown"
_BEFORE = "clip_pages_before"
_LIST = "clip_list"
"""the list that was looked at last: a widget that is not drawn forgets its choice"""


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
    left, right = st.columns([4, 1], vertical_alignment="bottom")
    before = st.session_state.get(_LIST) or _first_list(office)
    with left:
        chosen = st.segmented_control(
            "What their answers come to", [_UNTOUCHED, *STATUS_WORDS.values(), _GOLD],
            default=before, key="clip_filter", on_change=_from_the_start,
        ) or before  # fmt: skip
    st.session_state[_LIST] = chosen
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
    with office.database.reading() as connection:
        clips = _listed(connection, chosen, pages[-1], _AT_ONCE)
    if not clips:
        st.info("No clip is here." if len(pages) == 1 else "No more.")
    else:
        picked = _table(clips)
        if picked is not None:
            _open(clips[picked].clip_id)
    _turn(pages, clips)
    if clips and chosen in (STATUS_WORDS["tie"], STATUS_WORDS["low_confidence"]):
        _more_for_all(office, account, clips)


def _first_list(office: Office) -> str:
    """Ties; but on the first day, when nothing was answered, the clips that gold is made of."""
    with office.database.reading() as connection:
        return STATUS_WORDS["tie"] if review.has_begun(connection) else _UNTOUCHED


def _listed(connection: Connection, chosen: str, after: str, limit: int) -> list[Listed]:
    if chosen == _UNTOUCHED:
        return review.untouched(connection, after, limit)
    status = next(s for s, words in STATUS_WORDS.items() if words == chosen)
    return review.clips_by_status(connection, [status], after, limit)


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
        pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="", on_select="rerun",
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
    if len(pages) == 1 and len(clips) < _AT_ONCE:
        return
    back, on, _ = st.columns([1, 1, 8])
    if back.button("Back", icon=":material/arrow_back:", width="stretch", disabled=len(pages) == 1):
        pages.pop()
        st.rerun()
    if on.button(
        "Next", icon=":material/arrow_forward:", width="stretch", disabled=len(clips) < _AT_ONCE
    ):
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
        n_untried = practice.n_untried(connection)
    n_of = {use: sum(c.use == use for c in clips) for use in gold.USES}
    st.write(
        f"{n_of[gold.PRACTICE]} gold clips are for practice: a newcomer answers "
        f"{office.settings.practice_clips} of these first, with feedback. {n_of[gold.CHECK]} are "
        f"checks, which come up unseen among the others. {n_of[gold.EXAMPLE]} are examples in the "
        "guide."
    )
    if n_of[gold.PRACTICE] and n_untried:
        st.info(
            f"{n_untried} people had begun to label before there was a practice clip. They go on, "
            "for their answers count; give them a round of practice under People if you like."
        )
    if not clips:
        st.info(f"Open a clip of “{_UNTOUCHED}” and make it gold there.")
        return
    rows = [
        {"Clip": f"/review?clip={c.public_id}", "Emotion": c.emotion, "Use": c.use,
         "Reason": c.reason, "By": c.by or "", "Id": c.clip_id}
        for c in clips
    ]  # fmt: skip
    edited = st.data_editor(
        pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="", key="gold_table",
        disabled=["Clip", "Emotion", "Reason", "By", "Id"],
        column_config={
            "Clip": CLIP_LINK,
            "Use": st.column_config.SelectboxColumn(options=list(gold.USES), required=True),
        },
    )  # fmt: skip
    changes = [
        (clip.clip_id, str(now))
        for clip, now in zip(clips, edited["Use"], strict=True)
        if clip.use != now
    ]
    if st.button(f"Save what they are used for ({len(changes)} changed)", disabled=not changes):
        me, now_ms = account.annotator_id, office.clock()

        def change(connection: Connection) -> None:
            for clip_id, use in changes:
                gold.set_use(connection, clip_id, use, me, now_ms)

        act(office, account, change, "That is what they are used for now.")


def _one(office: Office, account: Account, asked: str) -> None:
    with office.database.reading() as connection:
        clip_id = review.find_clip(connection, asked)
        clip = None if clip_id is None else review.dossier(connection, clip_id)
    if clip is None:
        begin("No such clip")
        _back(office, None)
        return
    listed = clip.listed
    begin(consensus_words(listed.consensus))
    _back(office, listed)
    st.caption(f"{listed.clip_id} · shown to people as {listed.public_id}")
    left, right = st.columns([3, 2], gap="large")
    with left:
        watch(clip.film, key="clip_watched")
    with right:
        _facts(clip)
        _gold_form(office, account, clip)
        _more_form(office, account, listed)
    st.subheader("What was said")
    _said(clip)


def _back(office: Office, here: Listed | None) -> None:
    """To the list, or on in it."""
    left, right, _ = st.columns([1, 1, 6])
    if left.button("All clips", icon=":material/arrow_back:", width="stretch"):
        st.session_state.pop(_SHOWN)
        st.rerun()
    chosen = st.session_state.get(_LIST, _GOLD)
    if here is None or chosen == _GOLD:
        return
    if right.button("Next", icon=":material/arrow_forward:", width="stretch", key="next_clip",
                    help=f"Of the list “{chosen}”"):  # fmt: skip
        with office.database.reading() as connection:
            following = _listed(connection, chosen, here.clip_id, 1)
        if following:
            _open(following[0].clip_id)
        st.toast("That was the last one of this list.")


def _facts(clip: Dossier) -> None:
    listed, found = clip.listed, clip.listed.consensus
    mean = "-" if found.mean_confidence is None else f"{float(found.mean_confidence):.2f}"
    first, second, third = st.columns(3)
    first.metric("Answers", f"{found.n_answers} of {listed.n_slots}")
    second.metric("Agree", found.n_agreeing)
    third.metric("Mean confidence", mean)
    st.caption(
        f"{clip.show}, {clip.episode_id} · {listed.length_ms / 1000:.1f} s · "
        f"{'with' if clip.film.has_audio else 'without'} sound · "
        f"person {clip.person_id or 'unknown'}"
    )


def _gold_form(office: Office, account: Account, clip: Dossier) -> None:
    listed, me = clip.listed, account.annotator_id
    is_gold = listed.gold_emotion is not None
    with st.expander(f"Gold: {listed.gold_emotion}" if is_gold else "Make it gold"):
        with st.form(f"gold {listed.public_id}", border=False):
            likely = listed.gold_emotion or listed.consensus.emotion
            emotion = st.selectbox(
                "Emotion", EMOTIONS, index=None if likely is None else EMOTIONS.index(likely)
            )
            use = st.radio(
                "It is", gold.USES, format_func=lambda name: _USES[name],
                index=gold.USES.index(clip.gold_use or gold.CHECK),
            )  # fmt: skip
            reason = st.text_area(
                "Reason", clip.gold_reason or "", max_chars=gold.MAX_REASON,
                help="People in practice read it after their answer; it stands beside examples.",
            )  # fmt: skip
            if st.form_submit_button("Save" if is_gold else "Make it gold"):
                now_ms = office.clock()

                def mark(connection: Connection) -> None:
                    gold.mark_gold(
                        connection, listed.clip_id, emotion or "", reason, by=me, now_ms=now_ms
                    )
                    gold.set_use(connection, listed.clip_id, use, me, now_ms)

                act(office, account, mark, "The clip is gold.")
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
            "": "" if s.is_standing else "changed later",
        }
        for s in clip.said
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
        column_config={
            "Took (s)": st.column_config.NumberColumn(format="%.1f"),
            "At": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm:ss"),
        },
    )  # fmt: skip


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account)
