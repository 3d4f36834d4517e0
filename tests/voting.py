"""Votes as records, without a database."""

from __future__ import annotations

from itertools import count

from caer_build.records import Vote

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
