"""Agreement with oneself and with gold, and what confidence says; expected values by hand."""

from __future__ import annotations

import numpy as np
import pytest

from caer_build.annotation.agreement import confusion, gold_agreement, self_agreement
from caer_build.annotation.calibration import calibration
from caer_build.annotation.ratings import emotion_ratings
from caer_build.annotation.reliability import krippendorff_alpha
from caer_build.annotation.revisions import latest
from caer_build.errors import SchemaError
from caer_build.records import EMOTIONS, Vote
from tests.voting import vote


def test_the_newest_revision_stands() -> None:
    first, second = vote("c1", "ann", "Sad"), vote("c1", "ann", "Fear", revision=2)
    gold = vote("c1", "ann", "Anger", purpose="gold")
    assert latest([second, first, gold]) == [second, gold]


def test_only_emotions_that_count_are_rated() -> None:
    votes = [
        vote("c1", "ann", "Sad"),
        vote("c1", "ann", "Fear", revision=2),
        vote("c1", "bob", "cannot_tell"),
        vote("c1", "cy", "Fear"),
        vote("c1", "dee", "Sad", purpose="adjudication"),
        vote("c2", "ann", "Sad", purpose="repeat"),
    ]
    rated = emotion_ratings(votes)
    assert (rated.clips, rated.annotators) == (("c1",), ("ann", "cy"))
    assert rated.categories == EMOTIONS
    assert confusion(rated).counts[EMOTIONS.index("Fear"), EMOTIONS.index("Fear")] == 2
    assert emotion_ratings([]).counts().shape == (0, len(EMOTIONS))
    assert krippendorff_alpha(emotion_ratings([])).value is None


def test_self_agreement() -> None:
    def twice(clip: str, who: str, first: str, again: str) -> list[Vote]:
        return [vote(clip, who, first), vote(clip, who, again, purpose="repeat")]

    votes = [
        *twice("c1", "ann", "Sad", "Sad"),
        *twice("c2", "ann", "Sad", "Fear"),
        *twice("c3", "ann", "cannot_tell", "cannot_tell"),
        *twice("c1", "bob", "Happy", "Happy"),
        vote("c4", "cy", "Happy"),
        vote("c5", "ann", "Sad", purpose="repeat"),  # there is no first answer to hold it against
        vote("c2", "ann", "Fear", revision=2),  # she changed her mind at once
    ]
    found = self_agreement(votes)
    assert (found.overall.value, found.overall.n_clips) == (1.0, 3)
    assert found.n_compared == {"ann": 3, "bob": 1, "cy": 0}
    assert "One clip" in str(found.by_annotator["bob"].reason)
    assert found.by_annotator["cy"].value is None
    assert "second time" in str(found.by_annotator["cy"].reason)
    assert self_agreement(votes[:-1]).by_annotator["ann"].value == pytest.approx(2 / 3)


def test_gold_agreement() -> None:
    votes = [
        vote("g1", "ann", "Sad", purpose="gold"),
        vote("g2", "ann", "cannot_tell", purpose="gold"),
        vote("g3", "ann", "Sad", purpose="practice"),
        vote("g1", "bob", "Fear", purpose="gold"),
        vote("g9", "bob", "Fear", purpose="gold"),  # gold no more
        vote("c1", "cy"),
    ]
    found = gold_agreement(votes, {"g1": "Sad", "g2": "Fear", "g3": "Sad"})
    assert found.overall.value == pytest.approx(1 / 3)
    assert found.n_compared == {"ann": 2, "bob": 1, "cy": 0}
    assert found.by_annotator["ann"].value == 0.5
    assert found.by_annotator["bob"].value == 0.0
    assert "No gold clip" in str(found.by_annotator["cy"].reason)


def test_calibration_by_hand() -> None:
    votes = [
        vote("c1", "ann", "Sad", confidence_step=4),
        vote("c1", "bob", "Sad", confidence_step=4),
        vote("c1", "cy", "Fear", confidence_step=0),
        vote("c2", "ann", "Happy", confidence_step=4),
        vote("c2", "bob", "Happy", confidence_step=1),
        vote("c2", "cy", "cannot_tell"),
        vote("c3", "ann", "Anger", confidence_step=2),  # nobody else
        vote("c3", "bob", "Anger", confidence_step=1, confidence_steps=3),
    ]
    steps = calibration(votes)
    assert [(s.steps, s.step) for s in steps] == [
        *((3, k) for k in range(3)),
        *((5, k) for k in range(5)),
    ]
    by_step = {s.step: s for s in steps if s.steps == 5}
    counts = {k: (s.n_answers, s.n_agreeing, s.n_others) for k, s in by_step.items()}
    assert counts == {0: (1, 0, 2), 1: (1, 1, 1), 2: (1, 1, 1), 3: (0, 0, 0), 4: (3, 3, 5)}
    assert by_step[4].agreement.value == pytest.approx(3 / 5)
    assert by_step[3].agreement.reason == "Nobody chose it."
    alone = calibration([vote("c1", "ann")])
    assert alone[3].agreement.reason == "Nobody else answered these clips."
    assert calibration([]) == []


def test_the_surer_agree_more_often_when_confidence_means_something() -> None:
    random = np.random.default_rng(0)
    votes = []
    for clip in range(600):
        for who in range(3):
            step = int(random.integers(5))
            right = random.random() < 0.4 + 0.14 * step
            said = "Sad" if right else EMOTIONS[int(random.integers(7))]
            votes.append(vote(f"c{clip}", f"a{who}", said, confidence_step=step))
    shares = [s.agreement for s in calibration(votes)]
    assert all(s.reason is None and s.n_clips > 200 for s in shares)
    values = [s.value for s in shares if s.value is not None]
    assert values == sorted(values)


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": "fun"},
        {"request_id": "x"},
        {"revision": 0},
        {"flag": "cannot_tell"},
        {"emotion": "Joy"},
        {"reason": "nice"},
        {"confidence_step": None},
        {"confidence_step": 5},
        {"confidence_steps": 1},
        {"shown_at": -1},
        {"answered_at": 0},
    ],
)
def test_a_vote_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(SchemaError, match="Vote: expected"):
        vote("c1", "ann", **changes)


def test_a_broken_clip_needs_a_reason() -> None:
    with pytest.raises(SchemaError, match="a reason"):
        vote("c1", "ann", "broken", reason="")
