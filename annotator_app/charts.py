"""The plots of the managers' pages. Colours and fonts come from Streamlit's theme, so that they
are readable in light and dark; every bar and cell says its number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import altair as alt
import pandas as pd

_Unit: TypeAlias = Literal["yearmonthdate", "yearmonthdatehours"]
Drawn: TypeAlias = alt.Chart | alt.LayerChart
_DAY_MS = 24 * 3600 * 1000
_BAR = 34
_TEXT = 14
_INK = "#8a93a1"
"""of rules that show an interval: seen on white and on black"""


def _finished(chart: Drawn, height: int) -> Drawn:
    """A plot with texts as large as those around it."""
    chart = chart.properties(height=height)
    chart = chart.configure_axis(labelFontSize=_TEXT, titleFontSize=_TEXT, titleFontWeight="normal")
    chart = chart.configure_axisY(labelFlush=False, labelBound=False)
    chart = chart.configure_legend(labelFontSize=_TEXT, symbolSize=140)
    return chart  # noqa: RET504 (altair gives no type)


def bars(rows: Sequence[tuple[str, int]], unit: str, whole: int) -> Drawn:
    """Horizontal bars in the order given, each with its count and share of ``whole``."""
    frame = pd.DataFrame(rows, columns=["what", "n"])
    frame["text"] = [f"{n:,}  ({100 * n / whole:.1f} %)" if whole else "0" for n in frame["n"]]
    top = max([n for _, n in rows], default=0) or 1
    base = alt.Chart(frame).encode(
        y=alt.Y("what:N", sort=None, title=None,
                axis=alt.Axis(labelLimit=260, ticks=False, domain=False)),
        # Every bar says its number; an axis would say it once more.
        x=alt.X("n:Q", axis=None, scale=alt.Scale(domain=[0, top * 1.35])),
        tooltip=[alt.Tooltip("what:N", title=""), alt.Tooltip("n:Q", title=unit, format=",")],
    )  # fmt: skip
    marks = base.mark_bar(cornerRadiusEnd=3, height={"band": 0.72})
    # By this name styling.py finds them.
    words = base.mark_text(align="left", dx=6, fontSize=_TEXT).encode(text="text:N")
    return _finished(marks + words.properties(name="beside"), _BAR * len(rows) + 10)


def over_time(
    rows: Sequence[tuple[int, str, int]], since_ms: int, until_ms: int, by_day: bool
) -> Drawn:
    """Answers an hour or a day, stacked by person, in the time of the visitor's clock.

    Args:
        rows: (begin of the hour in ms, name, answers).
    """
    frame = pd.DataFrame(rows, columns=["at", "who", "n"])
    frame["at"] = pd.to_datetime(frame["at"], unit="ms", utc=True)
    domain = [pd.Timestamp(ms, unit="ms", tz="UTC").isoformat() for ms in (since_ms, until_ms)]
    unit: _Unit = "yearmonthdate" if by_day else "yearmonthdatehours"
    words = "day" if by_day else "hour"
    days = (until_ms - since_ms) / _DAY_MS
    if days <= 2:
        axis = alt.Axis(format="%H:%M", tickCount=alt.TimeIntervalStep(interval="hour", step=3))
    else:
        step = alt.TimeIntervalStep(interval="day", step=1 if days <= 10 else 3)
        axis = alt.Axis(format="%a %d %b", tickCount=step)
    chart = (
        alt.Chart(frame)
        .mark_bar()
        .encode(
            x=alt.X("at:T", timeUnit=unit, title=None, axis=axis, scale=alt.Scale(domain=domain)),
            y=alt.Y("sum(n):Q", title=f"answers a{'n' if words == 'hour' else ''} {words}"),
            color=alt.Color("who:N", title=None, legend=alt.Legend(orient="top", columns=8)),
            tooltip=[
                alt.Tooltip("who:N", title="person"),
                alt.Tooltip("at:T", timeUnit=unit, title=words, format="%a %d %b %H:%M"),
                alt.Tooltip("sum(n):Q", title="answers", format=","),
            ],
        )
    )
    return _finished(chart, 260)


def square(
    rows: Sequence[tuple[str, str, float | None, str, str]],
    names: Sequence[str],
    titles: tuple[str, str],
    domain: tuple[float, float],
) -> Drawn:
    """A matrix of colours with a number in each cell.

    Args:
        rows: (row, column, value that gives the colour, text in the cell, text to hover).
        names: of rows and columns, in order.
        titles: of the rows and of the columns.
    """
    frame = pd.DataFrame(rows, columns=["row", "column", "value", "text", "more"])
    middle = (domain[0] + domain[1]) / 2
    base = alt.Chart(frame).encode(
        x=alt.X("column:N", sort=list(names), title=titles[1],
                axis=alt.Axis(labelAngle=-35, labelLimit=140, labelOverlap=False, orient="top")),
        y=alt.Y("row:N", sort=list(names), title=titles[0], axis=alt.Axis(labelLimit=160)),
        tooltip=[alt.Tooltip("row:N", title=titles[0]), alt.Tooltip("column:N", title=titles[1]),
                 alt.Tooltip("more:N", title=" ")],
    )  # fmt: skip
    cells = base.mark_rect(cornerRadius=3).encode(
        color=alt.Color(
            "value:Q", scale=alt.Scale(scheme="blues", domain=list(domain), clamp=True), legend=None
        )
    )
    words = base.mark_text(fontSize=_TEXT).encode(
        text="text:N",
        color=alt.condition(f"datum.value > {middle}", alt.value("#ffffff"), alt.value("#10243e")),
    )
    return _finished(cells + words, 46 * len(names) + 90)


def calibration(
    rows: Sequence[tuple[str, float | None, float | None, float | None, int]],
) -> Drawn:
    """The share of others who agree, for each step of confidence, with its interval.

    Args:
        rows: (step in words, share, low, high, answers).
    """
    frame = pd.DataFrame(rows, columns=["step", "share", "low", "high", "n"])
    base = alt.Chart(frame).encode(
        x=alt.X("step:N", sort=None, title="confidence", axis=alt.Axis(labelAngle=0)),
        tooltip=[
            alt.Tooltip("step:N", title="confidence"),
            alt.Tooltip("share:Q", title="others agree", format=".1%"),
            alt.Tooltip("low:Q", title="from", format=".1%"),
            alt.Tooltip("high:Q", title="to", format=".1%"),
            alt.Tooltip("n:Q", title="answers", format=","),
        ],
    )
    scale = alt.Scale(domain=[0, 1])
    y = alt.Y(
        "share:Q", title="others who agree", scale=scale, axis=alt.Axis(format=".0%", tickCount=5)
    )
    bars_ = base.mark_rule(strokeWidth=2, color=_INK).encode(
        y=alt.Y("low:Q", scale=scale), y2="high:Q"
    )
    dots = base.mark_point(size=110, filled=True).encode(y=y)
    line = base.mark_line(strokeDash=[4, 4], opacity=0.6).encode(y=y)
    return _finished(line + bars_ + dots, 300)


def with_interval(rows: Sequence[tuple[str, float | None, float | None, float | None, int]],
                  titles: tuple[str, str]) -> Drawn:  # fmt: skip
    """A share with its interval for each person.

    Args:
        rows: (person, share, low, high, answers compared).
        titles: of the axis, and of the counts.
    """
    frame = pd.DataFrame(rows, columns=["who", "share", "low", "high", "n"])
    base = alt.Chart(frame).encode(
        y=alt.Y("who:N", sort=None, title=None, axis=alt.Axis(labelLimit=200)),
        tooltip=[
            alt.Tooltip("who:N", title="person"),
            alt.Tooltip("share:Q", title=titles[0], format=".1%"),
            alt.Tooltip("low:Q", title="from", format=".1%"),
            alt.Tooltip("high:Q", title="to", format=".1%"),
            alt.Tooltip("n:Q", title=titles[1], format=","),
        ],
    )
    scale = alt.Scale(domain=[0, 1])
    axis = alt.Axis(format=".0%", tickCount=5)
    rules = base.mark_rule(strokeWidth=2, color=_INK).encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    dots = base.mark_point(size=110, filled=True).encode(
        x=alt.X("share:Q", title=titles[0], scale=scale, axis=axis)
    )
    return _finished(rules + dots, _BAR * len(rows) + 60)


def funnel_rows(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The paper's funnel: what is left after each of its steps."""
    whole = sum(counts.values())
    answered = whole - counts["incomplete"]
    clear = answered - counts["cannot_tell"] - counts["broken"]
    agreed = clear - counts["tie"]
    return [
        ("Clips", whole),
        ("have all their answers", answered),
        ("and are clear and whole", clear),
        ("and most people agree", agreed),
        ("and are sure: a label", counts["label"]),
    ]
