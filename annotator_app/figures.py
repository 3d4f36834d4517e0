"""What the managers' pages count, kept for a while: a page that is looked at again soon shows the
same figures. Each count is one look at the database, so its figures fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from annotator_app.agreeing import AgreementFigures, worked_out_apart
from caer_build.annotation import adjudication, oversight, suspicion, working_time
from caer_build.annotation.office import Office
from caer_build.annotation.oversight import DAY_MS, HOUR_MS
from caer_build.annotation.standing import funnel

PACE_DAYS = 30
"""days whose hours are counted"""
PEOPLE_DAYS = 7
"""days of the hours that stand beside a person"""


def _project(office: Office) -> str:
    """What the figures of one project are kept under; passwords are hidden."""
    return repr(office.database.engine.url)


LIVE_S = 15
"""A page that is left open counts anew so often."""
_counted = st.cache_data(ttl=10, show_spinner=False, max_entries=100, hash_funcs={Office: _project})
_looked_through = st.cache_data(
    ttl=600, show_spinner=False, max_entries=4, hash_funcs={Office: _project}
)
"""for figures that every single vote is read for"""


@dataclass(frozen=True)
class ProgressFigures:
    """How far the project is.

    Attributes:
        funnel: clips by status.
        hours: of the last :data:`PACE_DAYS` days.
    """

    progress: oversight.Progress
    funnel: Mapping[str, int]
    people: list[oversight.Person]
    hours: list[oversight.HourOfWork]
    cannot_tell: list[oversight.Flagged]
    broken: list[oversight.Flagged]
    passed_on: list[oversight.PassedOn]
    stuck: list[oversight.Stuck]
    n_workers: int


@dataclass(frozen=True)
class PeopleFigures:
    """Everybody.

    Attributes:
        hours: worked in the last :data:`PEOPLE_DAYS` days, by annotator_id.
    """

    people: list[oversight.Person]
    signs: list[suspicion.Sign]
    hours: Mapping[int, float]


@_counted
def progress_figures(office: Office, midnight_ms: int, now_ms: int) -> ProgressFigures:
    """How far the project is.

    Args:
        midnight_ms: since when it is today.
    """
    with office.database.reading() as connection:
        return ProgressFigures(
            oversight.progress(connection),
            funnel(connection),
            oversight.people(connection, midnight_ms),
            oversight.by_hour(connection, now_ms - PACE_DAYS * DAY_MS),
            oversight.flagged(connection, "cannot_tell"),
            oversight.flagged(connection, "broken"),
            oversight.passed_on(connection),
            oversight.stuck(connection),
            oversight.n_workers(connection),
        )


@_counted
def people_figures(office: Office, midnight_ms: int, now_ms: int) -> PeopleFigures:
    """Everybody, and what stands out in their answers."""
    with office.database.reading() as connection:
        people = oversight.people(connection, midnight_ms)
        signs = suspicion.signs(connection)
        rows = working_time.worked(connection, now_ms - PEOPLE_DAYS * DAY_MS, now_ms + HOUR_MS)
    hours: dict[int, float] = {}
    for row in rows:
        hours[row.annotator_id] = hours.get(row.annotator_id, 0) + row.worked_ms / HOUR_MS
    return PeopleFigures(people, signs, hours)


@_counted
def hours_worked(
    office: Office, since_ms: int, until_ms: int, east_ms: int
) -> list[working_time.Worked]:
    """Working time in [since_ms, until_ms); see :func:`working_time.worked`."""
    with office.database.reading() as connection:
        return working_time.worked(connection, since_ms, until_ms, east_ms)


@_counted
def n_ties(office: Office) -> int:
    """How many ties nobody has decided, counted up to 100."""
    with office.database.reading() as connection:
        return adjudication.n_undecided(connection)


@_looked_through
def agreement_figures(office: Office) -> AgreementFigures:
    """Agreement of everybody with everybody, worked out in a process of its own."""
    return worked_out_apart(office.database.engine.url)
