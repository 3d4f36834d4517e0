"""Whether a clip can have been heard since it was given, by the server's own clock."""

from __future__ import annotations

from caer_build.annotation import tables as t
from caer_build.annotation.leasing import Desk
from caer_build.annotation.tickets import issued_ms

_SLACK_MS, _SLACK_SHARE = 250, 0.05
"""A player may call a clip over a few frames before its end, and its clock is not the server's."""


def given_ms(desk: Desk, ticket: str) -> int:
    """When the clip was given to this person; 0: that is not known.

    Tickets of earlier versions hold a random number in this place, mostly far beyond now.
    """
    given = issued_ms(ticket)
    return given if given <= desk.now_ms else 0


def may_be_heard(desk: Desk, clip: t.AnyRow, since_ms: int) -> bool:
    """Whether since then there was time for it."""
    least_ms = clip.length_ms * (1 - _SLACK_SHARE) - _SLACK_MS
    return bool(desk.now_ms - since_ms >= least_ms)
