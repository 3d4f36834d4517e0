"""Splits: no leak whatever the clips, near the ratio, and what stands does not move."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import hypothesis
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.dataset.grouping import (
    STRICTEST_FIRST,
    By,
    Example,
    bonds,
    group_ids,
    sharing_frames,
)
from caer_build.dataset.splits import RATIO, SplitPlan, split
from caer_build.errors import SplitError
from caer_build.records import EMOTIONS, SPLITS


def a_show(show: str, n_episodes: int, n_people: int, n_clips: int) -> list[Example]:
    """Clips of a cast with stars and extras; one in ten times two of them share a shot."""
    mixer = random.Random(show)
    weights = [1 / (k + 1) for k in range(n_people)]
    found = []
    for number in range(n_clips):
        episode = f"{show}.s01e{mixer.randrange(n_episodes):02d}"
        start = number * 200
        pair = mixer.random() < 0.1
        cast = mixer.choices(range(n_people), weights, k=2 if pair else 1)
        people = frozenset(f"{show}-p{k}" for k in cast)
        for nth, person in enumerate(sorted(people)):
            found.append(
                Example(
                    f"{episode}-{start:06d}-{nth}", mixer.choice(EMOTIONS), show, episode, person,
                    people, start, start + 90,
                )
            )  # fmt: skip
    return found


def many_shows(n: int, n_clips: int = 60) -> list[Example]:
    return [e for k in range(n) for e in a_show(f"show{k:02d}", 3, 8, n_clips)]


def splits_of(plan: SplitPlan) -> dict[str, str]:
    return {row.clip_id: str(row.split) for row in plan.assignments if row.split is not None}


def assert_no_leak(examples: Sequence[Example], plan: SplitPlan, by: By) -> None:
    where = splits_of(plan)
    assert {row.clip_id for row in plan.assignments} == {e.clip_id for e in examples}
    found: dict[object, set[str]] = defaultdict(set)
    # A clip that was left out because it shares frames with two groups makes them no one group.
    there = [example for example in examples if example.clip_id in where]
    for clip_id, group in group_ids(there, by).items():
        found[group].add(where[clip_id])
    targets = {e.person_id for e in examples if e.clip_id in where}
    for example in examples:
        if by == "person" and example.clip_id in where:
            for person in example.people & targets:
                found[person].add(where[example.clip_id])
    assert all(len(places) == 1 for places in found.values())
    for one in examples:
        for other in examples:
            overlap = (
                one.episode_id == other.episode_id
                and one.start_frame < other.end_frame
                and other.start_frame < one.end_frame
            )
            if overlap and one.clip_id in where and other.clip_id in where:
                assert where[one.clip_id] == where[other.clip_id]


Row: TypeAlias = "tuple[int, int, set[int], int, int, str]"
_EXAMPLES = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 3), st.sets(st.integers(0, 6), min_size=1, max_size=3),
        st.integers(0, 30), st.integers(1, 6), st.sampled_from(EMOTIONS),
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def drawn(rows: Sequence[Row]) -> list[Example]:
    return [
        Example(
            f"c{k:03d}", emotion, f"s{show}", f"s{show}e{episode}", f"s{show}p{min(cast)}",
            frozenset(f"s{show}p{p}" for p in cast), start, start + length,
        )
        for k, (show, episode, cast, start, length, emotion) in enumerate(rows)
    ]  # fmt: skip


@pytest.mark.parametrize("by", STRICTEST_FIRST)
@given(rows=_EXAMPLES, seed=st.integers(0, 3))
@settings(max_examples=60)
def test_nothing_stands_in_two_splits(by: By, rows: list[Row], seed: int) -> None:
    examples = drawn(rows)
    plan = split(examples, by, seed=seed)
    assert_no_leak(examples, plan, by)
    if by != "person":
        assert plan.left_out == []
    shuffled = random.Random(seed).sample(examples, len(examples))
    assert split(shuffled, by, seed=seed) == plan


@pytest.mark.parametrize("by", STRICTEST_FIRST)
@given(rows=_EXAMPLES, more=_EXAMPLES)
@settings(max_examples=60)
def test_clips_that_stand_do_not_move(by: By, rows: list[Row], more: list[Row]) -> None:
    first = drawn(rows)
    before = splits_of(split(first, by))
    # Other episodes of the same shows, with the same people: who is who does not change.
    added = [
        replace(e, clip_id=f"x{e.clip_id}", episode_id=f"x{e.episode_id}") for e in drawn(more)
    ]
    plan = split([*first, *added], by, earlier=before)
    after = splits_of(plan)
    assert {clip_id: after.get(clip_id) for clip_id in before} == before
    assert_no_leak([*first, *added], plan, by)


@pytest.mark.parametrize("by", STRICTEST_FIRST)
@given(rows=_EXAMPLES, late=st.sets(st.integers(0, 39)))
@hypothesis.example(rows=[*[(0, 0, {0}, 0, 1, "Anger")] * 6, (0, 0, {0}, 0, 2, "Anger"),
               (0, 0, {0}, 1, 1, "Anger"), (0, 0, {0}, 0, 1, "Anger")], late={0, 6})  # fmt: skip
@settings(max_examples=100)
def test_clips_that_are_labelled_later_move_none_of_their_episode(
    by: By, rows: list[Row], late: set[int]
) -> None:
    examples = drawn(rows)
    first = [e for k, e in enumerate(examples) if k not in late]
    before = splits_of(split(first, by)) if first else {}
    plan = split(examples, by, earlier=before)
    after = splits_of(plan)
    assert {clip_id: after.get(clip_id) for clip_id in before} == before
    assert_no_leak(examples, plan, by)


def test_with_shows_enough_the_strictest_meets_the_ratio() -> None:
    examples = many_shows(30)
    plan = split(examples)
    assert (plan.by, plan.complaints) == ("show", ())
    emotions = {e.clip_id: e.emotion for e in examples}
    whole = Counter(emotions.values())
    for name, share in zip(SPLITS, RATIO, strict=True):
        assert plan.shares[name] == pytest.approx(share, abs=0.02)
        there = Counter(emotions[c] for c, where in splits_of(plan).items() if where == name)
        for emotion in EMOTIONS:
            assert there[emotion] / whole[emotion] == pytest.approx(share, abs=0.06)


def test_one_show_is_split_by_person_and_few_clips_are_lost() -> None:
    examples = a_show("friends", 10, 60, 2000)
    plan = split(examples)
    assert (plan.by, plan.complaints) == ("person", ())
    assert 0 < len(plan.left_out) < 0.08 * len(examples)
    assert {row.left_out_because for row in plan.left_out} == {
        "shows people, or shares frames with clips, of another split"
    }


def test_where_no_group_meets_the_ratio_it_says_by_how_much() -> None:
    plan = split(a_show("duet", 4, 2, 100), "person")
    assert plan.complaints
    said = " ".join(plan.complaints)
    assert said == (
        "validation has 0.0% of the clips instead of 10.0%: there are 2 persons, and duet-p0 alone "
        "has 74.0%"
    )
    assert split(a_show("duet", 40, 2, 100)).by == "episode"


def of_people(cast: str, n_episodes: int = 1, length: int = 10) -> list[Example]:
    """A clip a letter, of the person of that letter; clips of a person share frames with each
    other if they are longer than 10 frames and follow one another."""
    return [
        Example(f"c{k:02d}", "Sad", "s", f"e{k * n_episodes // len(cast)}", who, frozenset(who),
                10 * k + 10 * ord(who), 10 * k + 10 * ord(who) + length)
        for k, who in enumerate(cast)
    ]  # fmt: skip


def test_where_no_way_meets_the_ratio_the_strictest_that_fills_all_splits_is_taken() -> None:
    # By clip it comes to the same groups, and as near.
    plan = split(of_people("aaaabbbccc", length=11))
    assert plan.by == "person"
    assert [(t.by, t.taken, t.n_left_out) for t in plan.tried] == [
        ("show", False, 0), ("person", True, 0), ("episode", False, 0), ("clip", False, 0),
    ]  # fmt: skip
    show, person, _, clip = plan.tried
    assert show.why == "train has 100.0% of the clips instead of 70.0%: there is only one show"
    short = "train has 40.0% of the clips instead of 70.0%: there are 3 "
    assert person.why == (
        "none meets the ratio; the strictest that leaves no split empty: "
        f"{short}persons, and a alone has 40.0%"
    )
    assert clip.why == f"{short}groups of clips that share frames, and c00 alone has 40.0%"
    assert person.shares == plan.shares


def test_a_way_that_leaves_a_split_empty_is_only_taken_if_all_do() -> None:
    plan = split(of_people("aabb"))
    assert plan.by == "clip"
    assert plan.tried[-1].why.startswith("none meets the ratio; the strictest that leaves no ")
    two = split(of_people("ab"))
    assert (two.by, two.tried[1].taken) == ("person", True)
    assert two.tried[1].why.startswith("all leave a split empty; the nearest to the ratio: ")
    whole = split(of_people("ab"), ratio=(0.5, 0, 0.5))
    assert (whole.by, whole.complaints) == ("person", ())
    assert whole.tried[1].why == "the strictest that meets the ratio"
    assert whole.tried[3].why == "meets the ratio, and is less strict"


def test_sizes_count_as_much_as_emotions() -> None:
    """Twelve persons with 25 clips of seven emotions, as the two real episodes have them: by the
    mixture alone a split of one clip is as good as one of two."""
    cast = "aaaabbbbccccdddeeefghijkl"
    examples = [
        replace(e, emotion=EMOTIONS[k % len(EMOTIONS)]) for k, e in enumerate(of_people(cast))
    ]
    for seed in range(10):
        assert split(examples, seed=seed).by == "person"


def test_a_chain_of_overlapping_clips_is_one() -> None:
    spans = {"a": (0, 40), "b": (30, 60), "c": (50, 55), "d": (60, 90)}
    examples = [
        Example(name, "Sad", "s", "e", name, frozenset(name), *span) for name, span in spans.items()
    ]
    assert sharing_frames(examples) == {"a": "a", "b": "a", "c": "a", "d": "d"}
    assert bonds(examples, group_ids(examples, "person"))["c"] == {"a", "b", "c"}


@pytest.mark.parametrize("by", ["person", "clip"])
def test_a_bridge_takes_no_neighbour_with_it(by: By) -> None:
    spans = {"a": (0, 10), "bridge": (5, 25), "beside": (12, 18), "d": (20, 30)}
    examples = [
        Example(name, "Sad", "s", "e", name, frozenset({name}), *span)
        for name, span in spans.items()
    ]
    plan = split(examples, by, earlier={"a": "train", "d": "test"})
    assert [row.clip_id for row in plan.left_out] == ["bridge"]
    assert_no_leak(examples, plan, by)


def test_the_seed_decides_among_equals() -> None:
    examples = many_shows(20)
    assert splits_of(split(examples, seed=0)) != splits_of(split(examples, seed=1))


@pytest.mark.parametrize("ratio", [(0.7, 0.3), (0.8, 0.1, 0.2), (1.2, -0.1, -0.1)])
def test_a_ratio_that_is_none_is_refused(ratio: tuple[float, ...]) -> None:
    with pytest.raises(SplitError, match="sum to one"):
        split(many_shows(1), ratio=ratio)
    with pytest.raises(SplitError, match="no labelled clip"):
        split([])


def test_two_persons_who_turn_out_to_be_one_stand_where_most_of_them_stood() -> None:
    examples = [
        Example(f"c{k}", "Sad", "s", f"e{k}", f"p{k}", frozenset({f"p{k}"}), 0, 9)
        for k in range(10)
    ]
    earlier = {f"c{k}": "train" if k < 7 else "test" for k in range(10)}
    one = replace(examples[9], person_id="p0", people=frozenset({"p0"}))
    more = replace(examples[1], person_id="p0", people=frozenset({"p0"}))
    plan = split([examples[0], more, *examples[2:9], one], "person", earlier=earlier)
    (left,) = plan.left_out
    assert (left.clip_id, left.left_out_because) == (
        "c9",
        "its group had clips in two splits before",
    )
