"""What pages share: their head, doing what was asked for, and saying numbers and times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from caer_build.annotation.accounts import Account
from caer_build.annotation.consensus import Consensus
from caer_build.annotation.office import Office
from caer_build.errors import VoteError

_MINUTE_MS = 60_000
_DAY_MS = 24 * 3600 * 1000
_MARKS = re.compile(r"([\\`*_{}\[\]()<>#+.!|~:$&^=-])")
_SAY_LATER = "what_was_done"
CLIP_LINK = st.column_config.LinkColumn(display_text=r"clip=(\w+)", width="medium")
"""to ``/review?clip=…``"""
STATUS_WORDS = {
    "label": "Label",
    "tie": "Tie",
    "low_confidence": "Too unsure",
    "cannot_tell": "Cannot tell",
    "broken": "Broken",
    "incomplete": "Waiting for answers",
}


def act(office: Office, account: Account, work: Callable[[Connection], Any], done: str) -> None:
    """Does something in one transaction and draws the page anew; or says why it cannot be."""
    try:
        with office.database.writing() as connection:
            work(connection)
    except VoteError as error:
        office.refused(error, account.annotator_id)
        st.error(str(error), icon=":material/block:")
        return
    st.cache_data.clear()
    st.session_state[_SAY_LATER] = done
    st.rerun()


def begin(title: str) -> None:
    """The head of a page, and what :func:`act` did before the page was drawn anew."""
    st.title(title)
    done = st.session_state.pop(_SAY_LATER, None)
    if done:
        st.toast(done, icon=":material/check:")


def offset_ms() -> int:
    """How far the visitor's clock is east of UTC."""
    west_min = st.context.timezone_offset
    return 0 if west_min is None else -west_min * _MINUTE_MS


def clock_now(office: Office) -> tuple[int, int]:
    """Since when it is today here, and now; to the minute, so that figures which were counted
    before are found again. (ms, ms)"""
    now_ms = office.clock() // _MINUTE_MS * _MINUTE_MS
    return (now_ms + offset_ms()) // _DAY_MS * _DAY_MS - offset_ms(), now_ms


def utc_words() -> str:
    """The visitor's time zone, as UTC+02:00."""
    minutes = offset_ms() // _MINUTE_MS
    sign = "-" if minutes < 0 else "+"
    return f"UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def moment(ms: int | None) -> datetime | None:
    """A time as tables show it, in the visitor's zone."""
    if ms is None:
        return None
    return datetime.fromtimestamp((ms + offset_ms()) / 1000, UTC).replace(tzinfo=None)


def duration_words(days: float) -> str:
    """A length of time, roughly."""
    hours = days * 24
    if hours < 1:
        return "under an hour"
    if hours < 36:
        return f"{round(hours)} h"
    return f"{round(days)} days" if days < 90 else f"{round(days / 30.4)} months"


def share_words(part: int, whole: int) -> str:
    """A share, as 74.7 %."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def consensus_words(found: Consensus) -> str:
    """What a clip's answers come to."""
    if found.emotion is not None:
        return found.emotion
    return STATUS_WORDS[found.status]


def plain(text: str) -> str:
    """Somebody's words as they are, where a page would read marks in them."""
    return _MARKS.sub(r"\\\1", text)


def confidence_words(step: int | None, steps: int) -> str:
    """A confidence in [0, 1], as 0.75."""
    return "" if step is None else f"{step / (steps - 1):.2f}"


def answer_words(emotion: str | None, flag: str | None) -> str:
    """What was answered."""
    return emotion or STATUS_WORDS[str(flag)]
