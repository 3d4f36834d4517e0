"""Ties: an adjudicator decides them, before seeing what others said; a manager sees what came of
it and can make such clips gold."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from annotator_app.figures import n_ties
from annotator_app.managing import act, answer_words, begin, confidence_words, moment
from annotator_app.player.component import show_player
from annotator_app.session import visit_as
from annotator_app.styling import CLOSE_TO_THE_EDGES
from caer_build.annotation import adjudication
from caer_build.annotation.accounts import Account, everyone
from caer_build.annotation.adjudication import Decided
from caer_build.annotation.office import Office


def show(office: Office, account: Account) -> None:
    """The page."""
    if account.role == "manager":
        begin("Ties")
        _overview(office, account)
    else:
        _decide(office, account)


def _decide(office: Office, account: Account) -> None:
    st.html(CLOSE_TO_THE_EDGES)
    too_unsure = st.session_state.get("dispute_unsure", False)
    desk = "/api/disputes" if too_unsure else "/api/ties"
    show_player(desk, key=f"player {desk}")
    st.toggle("With clips on which people agree without being sure", key="dispute_unsure")
    with office.database.reading() as connection:
        mine = adjudication.decided(connection, account.annotator_id)
    if mine:
        st.subheader("What you decided, and what others had said")
        _table(mine, names=None)


def _overview(office: Office, account: Account) -> None:
    st.write(
        "Adjudicators decide clips on which people differ: only those they did not vote on, and "
        "before they see the votes. A manager has seen them, so managers decide nothing here; "
        "give somebody the role of adjudicator under People."
    )
    waiting = n_ties(office)
    left, _ = st.columns([1, 3])
    left.metric(
        "Ties that wait for an adjudicator", waiting if waiting < 100 else "100 or more",
        border=True,
    )  # fmt: skip
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
        st.dataframe(frame, hide_index=True, width="stretch", placeholder="", column_config=columns)
        return None
    event = st.dataframe(
        frame, hide_index=True, width="stretch", placeholder="", column_config=columns,
        key="decided", on_select="rerun", selection_mode="single-row",
    )  # fmt: skip
    chosen = event.selection.rows
    return chosen[0] if chosen else None


if __name__ == "__main__":
    here = visit_as("adjudicator", "manager")
    show(here.office, here.account)
