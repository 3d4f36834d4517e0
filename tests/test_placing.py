"""Decisions find their tracks by where the faces were, whatever the tracks are called now."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caer_build.errors import CaerError
from caer_build.naming import person_id_of
from caer_build.placing import Placed, place, spread
from caer_build.records import Anchor, Override, TrackBox

LEFT, RIGHT = 0.0, 500.0


def boxes(track: str, first: int, last: int, x: float = LEFT) -> list[TrackBox]:
    """A face 100 px wide that stands still from one frame to another, the last one left out."""
    return [TrackBox(track, f, x, 0.0, x + 100, 100.0, False) for f in range(first, last)]


def anchors(number: int, person: str, there: list[TrackBox]) -> list[Anchor]:
    return [
        Anchor(number, person, b.track_id, b.track_id[0], b.frame, b.x1, b.y1, b.x2, b.y2)
        for b in spread(there)
    ]


def decision(number: int, action: str, target: str, value: str | None = None) -> Override:
    return Override(number, action, target, value, None)  # type: ignore[arg-type]


def placed(rows: list[Override], notes: list[Anchor], now: list[TrackBox], *away: str) -> Placed:
    episodes = {"e", "f"} - set(away)
    return place(rows, notes, {b.track_id for b in now}, now, episodes)


OLD = boxes("e-s10-t00", 10, 50)
OLD_PERSON = person_id_of("e-s10-t00")
NAMED = decision(0, "name", OLD_PERSON, "Ann")
DELETED = decision(0, "delete", OLD_PERSON)


def test_anchors_are_spread_over_a_track() -> None:
    assert [b.frame for b in spread(boxes("t", 0, 50))] == [5, 15, 25, 35, 45]
    assert [b.frame for b in spread(boxes("t", 7, 10))] == [7, 8, 9]
    assert spread([]) == []


def test_a_name_goes_to_the_track_that_is_there_now() -> None:
    now = boxes("e-s07-t00", 7, 50) + boxes("e-s07-t01", 7, 50, RIGHT)
    found = placed([NAMED], anchors(0, OLD_PERSON, OLD), now)
    assert found.overrides == (decision(0, "name", "e-s07-t00-p", "Ann"),)
    assert found.without_effect == ()


def test_a_track_of_the_same_id_that_shows_another_face_is_not_meant() -> None:
    now = boxes("e-s10-t01", 10, 50) + boxes("e-s10-t00", 10, 50, RIGHT)
    for row in (NAMED, DELETED):
        found = placed([row], anchors(0, OLD_PERSON, OLD), now)
        assert [o.target for o in found.overrides] == ["e-s10-t01-p"]


def test_both_persons_of_a_merge_are_found() -> None:
    other = boxes("e-s60-t00", 60, 90)
    notes = anchors(0, OLD_PERSON, OLD) + anchors(0, "e-s60-t00-p", other)
    now = boxes("e-s07-t00", 7, 50) + boxes("e-s58-t00", 58, 90)
    found = placed([decision(0, "merge", OLD_PERSON, "e-s60-t00-p")], notes, now)
    assert found.overrides == (decision(0, "merge", "e-s07-t00-p", "e-s58-t00-p"),)
    half = placed([decision(0, "merge", OLD_PERSON, "e-s60-t00-p")], notes, now[:43])
    assert half.overrides == ()
    assert "e-s60-t00-p" in half.without_effect[0]


def test_a_deletion_is_found_in_every_piece_of_its_tracks() -> None:
    """A cut found in the middle of a track makes two of it: both are deleted."""
    now = boxes("e-s10-t00", 10, 30) + boxes("e-s30-t00", 30, 50) + boxes("e-s30-t01", 30, 50, 250)
    found = placed([DELETED], anchors(0, OLD_PERSON, OLD), now)
    assert found.deleted == {"e-s10-t00", "e-s30-t00"}
    assert {o.target for o in found.overrides} == {"e-s10-t00-p", "e-s30-t00-p"}


def test_a_deletion_that_is_found_nowhere_is_an_error() -> None:
    with pytest.raises(CaerError, match="e-s10-t00") as caught:
        placed([DELETED], anchors(0, OLD_PERSON, OLD), boxes("e-s10-t00", 10, 50, RIGHT))
    assert "undo" in caught.value.remedy


def test_a_deletion_found_in_part_says_what_it_did_not_find() -> None:
    notes = anchors(0, OLD_PERSON, OLD + boxes("e-s90-t00", 90, 99)[:0])
    notes += [
        Anchor(0, OLD_PERSON, "e-s90-t00", "e", 95, RIGHT, 0.0, RIGHT + 100, 100.0),
    ]
    found = placed([DELETED], notes, OLD)
    assert found.deleted == {"e-s10-t00"}
    assert "e-s90-t00" in found.without_effect[0]


def test_a_name_that_is_found_nowhere_is_said_and_left_out() -> None:
    found = placed([NAMED], anchors(0, OLD_PERSON, OLD), boxes("e-s10-t00", 10, 50, RIGHT))
    assert found.overrides == ()
    assert OLD_PERSON in found.without_effect[0]


def test_what_is_away_is_left_as_it_is() -> None:
    notes = anchors(0, OLD_PERSON, OLD)
    for row in (NAMED, DELETED):
        found = placed([row], notes, boxes("f-s10-t00", 10, 50), "e")
        assert found == Placed((row,), (), frozenset())


def test_without_anchors_ids_count() -> None:
    assert placed([NAMED, DELETED], [], OLD).overrides == (NAMED, DELETED)
    moved = boxes("e-s07-t00", 7, 50)
    assert placed([NAMED], [], moved).overrides == ()
    with pytest.raises(CaerError, match="Decision 0"):
        placed([DELETED], [], moved)


@given(
    shift=st.integers(-5, 5),
    nudge=st.floats(-20, 20),
    new_id=st.sampled_from(["e-s10-t00", "e-s10-t01", "e-s07-t00"]),
    crowd=st.lists(st.integers(1, 8), unique=True, max_size=5),
    random=st.randoms(use_true_random=False),
)
def test_whatever_it_is_called_the_face_is_found(
    shift: int, nudge: float, new_id: str, crowd: list[int], random: object
) -> None:
    """Others stand elsewhere, one of them under the old id; the order of rows is of no account."""
    now = boxes(new_id, 10 + shift, 50 + shift, nudge)
    names = [t for t in ("e-s10-t00", *(f"e-s10-t{n:02d}" for n in range(2, 7))) if t != new_id]
    for name, place_number in zip(names, crowd, strict=False):
        now += boxes(name, 10, 50, 200.0 * place_number)
    random.shuffle(now)  # type: ignore[attr-defined]
    notes = anchors(0, OLD_PERSON, OLD)
    assert placed([NAMED], notes, now).overrides[0].target == person_id_of(new_id)
    assert placed([DELETED], notes, now).deleted == {new_id}
