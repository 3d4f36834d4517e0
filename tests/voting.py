"""Votes as records, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from caer_build.records import EMOTIONS, Clip, Vote

_numbers = count(1)


def vote(clip: str, who: str, said: str | None = "Happy", **changes: object) -> Vote:
    """A vote with a request id of its own; ``said`` is an emotion, "cannot_tell" or "broken"."""
    number = next(_numbers)
    flag = said if said in ("cannot_tell", "broken") else None
    values: dict[str, object] = {
        "vote_id": number,
        "request_id": f"request-{number:06d}",
        "clip_id": clip,
        "annotator_id": who,
        "purpose": "vote",
        "revision": 1,
        "emotion": None if flag else said,
        "flag": flag,
        "reason": "no picture" if flag == "broken" else None,
        "confidence_step": None if flag else 3,
        "confidence_steps": 5,
        "shown_at": 1_700_000_000_000 + number,
        "answered_at": 1_700_000_004_000 + number,
        "received_at": 1_700_000_004_100 + number,
        "play_count": 1,
        "speed": 100,
        "audio_on": True,
    }
    return Vote(**values | changes)  # type: ignore[arg-type]


def votes_for(clips: Sequence[Clip]) -> list[Vote]:
    """Three answers a clip: most agree; every fifth is a tie, every seventh is unsure."""
    votes = []
    for number, clip in enumerate(clips):
        agreed, second, third = (EMOTIONS[(number + k) % len(EMOTIONS)] for k in range(3))
        said = [agreed, third if number % 5 == 4 else agreed, second]
        step = 1 if number % 7 == 6 else 3
        votes += [vote(clip.clip_id, f"p{k}", e, confidence_step=step) for k, e in enumerate(said)]
    return votes
