"""Answers that nobody gave, so that the demo can go on to labels and a data set.

Three annotators are drawn who mostly agree: what they say has nothing to do with the faces.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from caer_build.records import EMOTIONS, Clip, Vote

_STEPS = 5
_AGREE = 0.8
_PEOPLE = ("invented-1", "invented-2", "invented-3")
_BEGIN_MS = 1_700_000_000_000
_WATCHING_MS = 6_000


def invented_votes(clips: Sequence[Clip], seed: int = 0) -> list[Vote]:
    """Three votes a clip; the same for the same clips.

    Args:
        clips: that are to be labelled; each gets one of the seven emotions in turn, which every
            annotator names four times out of five.
    """
    draw = Random(seed)
    votes: list[Vote] = []
    for number, clip in enumerate(clips):
        likely = EMOTIONS[number % len(EMOTIONS)]
        for who in _PEOPLE:
            agrees = draw.random() < _AGREE
            shown_at = _BEGIN_MS + len(votes) * _WATCHING_MS
            votes.append(
                Vote(
                    vote_id=len(votes) + 1,
                    request_id=f"invented-{len(votes):06d}",
                    clip_id=clip.clip_id,
                    annotator_id=who,
                    purpose="vote",
                    revision=1,
                    emotion=likely if agrees else draw.choice(EMOTIONS),
                    flag=None,
                    reason=None,
                    confidence_step=draw.randint(2 if agrees else 0, _STEPS - 1),
                    confidence_steps=_STEPS,
                    shown_at=shown_at,
                    answered_at=shown_at + _WATCHING_MS,
                    received_at=shown_at + _WATCHING_MS,
                    play_count=1,
                    speed=100,
                    audio_on=True,
                )
            )
    return votes
