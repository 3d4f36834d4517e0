"""How far the project is; a manager's first page."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from annotator_app import charts
from annotator_app.figures import (
    LIVE_S,
    PACE_DAYS,
    ProgressFigures,
    hours_worked,
    progress_figures,
)
from annotator_app.managing import (
    CLIP_LINK,
    STATUS_WORDS,
    begin,
    clock_now,
    duration_words,
    moment,
    offset_ms,
    share_words,
    utc_words,
)
from annotator_app.session import visit_as
from caer_build.annotation import oversight
from caer_build.annotation.accounts import Account
from caer_build.annotation.office import Office
from caer_build.annotation.oversight import DAY_MS, HOUR_MS
from caer_build.annotation.working_time import RULE

_WINDOWS = {"Last 24 hours": 1, "Last 7 days": 7, f"Last {PACE_DAYS} days": PACE_DAYS}
_PACE_DAYS = 7
_PAY_DAYS = 14


def show(office: Office, _account: Account) -> None:
    """The page."""
    begin(office.settings.title)
    _live()
    found, now_ms = _counted(office)
    hours, cannot, broken, passed_on, stuck = st.tabs(
        ["Hours worked", f"Cannot tell ({len(found.cannot_tell)})",
         f"Broken ({len(found.broken)})", f"Rather not ({len(found.passed_on)})",
         f"Cannot be finished ({len(found.stuck)})"]
    )  # fmt: skip
    with hours:
        _hours(office, found.people, now_ms)
    with cannot:
        _flagged(found.cannot_tell, "Nobody said of a clip that they cannot tell.")
    with broken:
        _flagged(found.broken, "Nobody found a clip broken.")
    with passed_on:
        _passed_on(found.passed_on)
    with stuck:
        _stuck(found)


def _counted(office: Office) -> tuple[ProgressFigures, int]:
    """The figures, and when it is (ms)."""
    midnight_ms, now_ms = clock_now(office)
    return progress_figures(office, midnight_ms, now_ms), now_ms


@st.fragment(run_every=LIVE_S)
def _live() -> None:
    """What changes by itself while somebody looks."""
    office = visit_as("manager").office
    found, now_ms = _counted(office)
    _headline(found, now_ms)
    left, right = st.columns(2, gap="large")
    with left:
        st.subheader("Answers a clip has")
        _answers(found.progress)
    with right:
        st.subheader("What becomes a label")
        _funnel(found.funnel, office.settings.votes_per_clip)
    st.subheader("Pace")
    _pace(found, now_ms)
    st.subheader("People")
    _people(found.people)


def _headline(found: ProgressFigures, now_ms: int) -> None:
    progress = found.progress
    week = [h for h in found.hours if h.began_at >= now_ms - _PACE_DAYS * DAY_MS]
    n_hour = sum(h.n_votes for h in found.hours if h.began_at > now_ms - 2 * HOUR_MS) / 2
    days = oversight.days_left(progress.n_left, week, now_ms)
    first, second, third, fourth = st.columns(4)
    first.metric(
        "Clips complete",
        f"{progress.n_complete:,}",
        f"{share_words(progress.n_complete, progress.n_clips)} of {progress.n_clips:,}",
        delta_color="off", delta_arrow="off", border=True,
    )  # fmt: skip
    second.metric(
        "Answers",
        f"{progress.n_answers:,}",
        f"{share_words(progress.n_answers, progress.n_needed)} of {progress.n_needed:,}",
        delta_color="off", delta_arrow="off", border=True,
    )  # fmt: skip
    third.metric(
        "Answers, last 7 days",
        f"{sum(h.n_votes for h in week):,}",
        f"{n_hour:,.0f} an hour in the last two",
        delta_color="off", delta_arrow="off", border=True,
    )  # fmt: skip
    fourth.metric(
        "Time left",
        "done" if not progress.n_left else duration_words(days) if days is not None else "unknown",
        f"{progress.n_left:,} answers, at the pace of these 7 days"
        if days is not None
        else "nobody has worked in the last 7 days",
        delta_color="off", delta_arrow="off", border=True,
    )  # fmt: skip


def _answers(progress: oversight.Progress) -> None:
    by_given: dict[int, int] = {}
    for (_, given), n in progress.clips.items():
        by_given[given] = by_given.get(given, 0) + n
    most = max((needed for needed, _ in progress.clips), default=0)
    rows = [(f"{k} answers" if k != 1 else "1 answer", by_given.get(k, 0)) for k in range(most + 1)]
    st.altair_chart(charts.bars(rows, "clips", progress.n_clips), width="stretch")
    st.caption(
        f"{progress.n_leased:,} places are held at this moment: clips on a screen, or loaded next."
    )


def _funnel(counts: Mapping[str, int], votes: int) -> None:
    whole = sum(counts.values())
    rows = charts.funnel_rows(counts)
    st.altair_chart(charts.bars(rows, "clips", whole), width="stretch")
    lost = ", ".join(
        f"{STATUS_WORDS[s].lower()} {counts[s]:,}"
        for s in ("tie", "low_confidence", "cannot_tell", "broken", "incomplete")
    )
    st.caption(
        f"The paper's rule: more than half of the answers agree ({votes // 2 + 1} of {votes}), and "
        f"the mean confidence is at least 0.5. Left out: {lost}."
    )


def _pace(found: ProgressFigures, now_ms: int) -> None:
    window = st.segmented_control(
        "Time", list(_WINDOWS), default="Last 7 days", label_visibility="collapsed"
    )
    days = _WINDOWS[window or "Last 7 days"]
    since = now_ms - days * DAY_MS
    name = {p.annotator_id: p.name for p in found.people}
    rows = [
        (h.began_at, name[h.annotator_id], h.n_votes) for h in found.hours if h.began_at >= since
    ]
    if not rows:
        st.info("No answers in this time.")
        return
    st.altair_chart(charts.over_time(rows, since, now_ms, days > _PACE_DAYS), width="stretch")


def _people(people: list[oversight.Person]) -> None:
    rows = [
        {
            "Name": p.name, "Called": p.alias, "Role": p.role, "Clips answered": p.n_votes,
            "Answers today": p.n_today, "Holds": p.n_held,
            "Last answer": moment(p.last_at),
            "State": "retired" if p.is_retired else "" if p.is_qualified else "in practice",
        }
        for p in people
    ]  # fmt: skip
    st.dataframe(
        pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
        column_config={
            "Clips answered": st.column_config.ProgressColumn(
                format="localized", max_value=max([p.n_votes for p in people], default=0) or 1,
                help="that count for labels", min_value=0,
            ),
            "Answers today": st.column_config.NumberColumn(
                help="of every kind: gold clips and repeats too"
            ),
            "Holds": st.column_config.NumberColumn(help="clips given to them at this moment"),
            "Last answer": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
        },
    )  # fmt: skip


def _hours(office: Office, people: list[oversight.Person], now_ms: int) -> None:
    today = pd.Timestamp(now_ms + offset_ms(), unit="ms").date()
    first = today - pd.Timedelta(days=_PAY_DAYS - 1)
    chosen = st.date_input("Days", (first, today), max_value=today, format="YYYY-MM-DD")
    if len(chosen) != 2:
        st.info("Choose the last day too.")
        return
    since, until = (int(pd.Timestamp(day).timestamp() * 1000) - offset_ms() for day in chosen)
    rows = hours_worked(office, since, until + DAY_MS, offset_ms())
    name = {p.annotator_id: p.name for p in people}
    st.caption(f"{RULE} Days are those of {utc_words()}.")
    if not rows:
        st.info("Nobody worked on these days.")
        return
    frame = pd.DataFrame(
        [(w.annotator_id, w.day, w.worked_ms, w.n_answers) for w in rows],
        columns=["who", "day", "ms", "answers"],
    )
    frame["Name"] = [name[who] for who in frame["who"]]
    frame["hours"] = frame["ms"] / HOUR_MS
    sums = frame.groupby("Name").agg(
        Days=("day", "nunique"), Answers=("answers", "sum"), Hours=("hours", "sum")
    )
    sums["Answers an hour"] = sums["Answers"] / sums["Hours"].where(sums["Hours"] > 0)
    by_day = frame.pivot_table(
        index="Name", columns="day", values="hours", aggfunc="sum", fill_value=0
    )
    by_day.columns = [f"{day:%a %d %b}" for day in by_day.columns]
    table = sums.join(by_day).reset_index()
    two = st.column_config.NumberColumn(format="%.2f")
    st.dataframe(
        table, hide_index=True, width="stretch", placeholder="",
        column_config={
            "Name": st.column_config.TextColumn(pinned=True),
            "Hours": st.column_config.NumberColumn(format="%.2f", help="of all these days"),
            "Answers an hour": st.column_config.NumberColumn(format="%.0f"),
            **dict.fromkeys(by_day.columns, two),
        },
    )  # fmt: skip


def _flagged(clips: list[oversight.Flagged], nothing: str) -> None:
    if not clips:
        st.info(nothing)
        return
    rows = [
        {"Clip": f"/review?clip={c.public_id}", "Said so": c.n_flags, "Answers": c.n_answers,
         "Reasons": "; ".join(c.reasons), "Id": c.clip_id}
        for c in clips
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
                 column_config={"Clip": CLIP_LINK})  # fmt: skip


def _passed_on(clips: list[oversight.PassedOn]) -> None:
    st.caption("Who would rather not see a clip is shown to nobody: people were promised that.")
    if not clips:
        st.info("Nobody passed a clip on.")
        return
    rows = [
        {"Clip": f"/review?clip={c.public_id}", "People who passed it on": c.n_people,
         "Id": c.clip_id}
        for c in clips
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
                 column_config={"Clip": CLIP_LINK})  # fmt: skip


def _stuck(found: ProgressFigures) -> None:
    if not found.stuck:
        st.info("For every clip there are people enough who may take it.")
        return
    st.warning(
        f"{found.n_workers} people take clips. These clips have more places open than people who "
        "have not had them: invite somebody, or leave those that are gold as they are."
    )
    rows = [
        {"Clip": f"/review?clip={c.public_id}", "Open places": c.n_open,
         "People who may": c.n_free, "Gold": c.is_gold, "Id": c.clip_id}
        for c in found.stuck
    ]  # fmt: skip
    st.dataframe(pd.DataFrame(rows), hide_index=True, width="stretch", placeholder="",
                 column_config={"Clip": CLIP_LINK})  # fmt: skip


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account)
