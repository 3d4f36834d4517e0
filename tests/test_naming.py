"""Names of persons: stable whatever is added, and as people decided."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caer_build.errors import CaerError, SchemaError
from caer_build.naming import (
    apply_overrides,
    assign_names,
    deleted_persons,
    known_persons,
    person_id_of,
)
from caer_build.records import Identity, Override, Person


def name(track: str) -> str:
    """Tracks of these tests are letters: ``a`` is the track e-s0-a."""
    return f"e-s0-{track}"


def person(track: str) -> str:
    return person_id_of(name(track))


def known(tracks: str) -> list[Person]:
    return [Person(person(t), "show", name(t), None, None, None) for t in tracks]


def named(groups: str, register: str = "") -> tuple[dict[str, str], list[tuple[str, str | None]]]:
    """Track letter -> person letter, and the persons as (letter, merged into)."""
    words = groups.split()
    order = [name(t) for t in sorted("".join(words))]
    persons, person_of = assign_names(
        "show", [[name(t) for t in word] for word in words], order, known(register)
    )
    letter = {person(chr(c)): chr(c) for c in range(ord("a"), ord("z") + 1)}
    rows = [
        (letter[p.person_id], letter[p.merged_into] if p.merged_into else None) for p in persons
    ]
    return {track[-1]: letter[p] for track, p in person_of.items()}, rows


def decisions(*rows: tuple[str, str, str | None]) -> list[Override]:
    """Overrides about persons, given as letters; the value of a name is taken as it is."""
    return [
        Override(
            number,
            action,
            person(target),
            person(value) if action == "merge" and value else value,
            None,
        )
        for number, (action, target, value) in enumerate(rows)
    ]


def shown(
    persons: str, *rows: tuple[str, str, str | None], merged: dict[str, str] | None = None
) -> tuple[dict[str, str], dict[str, str | None]]:
    """What users see: track letter -> person letter, and person letter -> name.

    Every person has one track of their own letter; ``merged`` says who was merged by faces.
    """
    merged = merged or {}
    table = [
        Person(person(t), "show", name(t), None, person(merged[t]), "faces") if t in merged else p
        for t, p in zip(persons, known(persons), strict=True)
    ]
    identities = [Identity(name(t), "e", person(merged.get(t, t)), 0.0) for t in persons]
    seen, ids = apply_overrides(table, identities, decisions(*rows))
    return {i.track_id[-1]: i.person_id[-3] for i in ids}, {p.person_id[-3]: p.name for p in seen}


# --- names of groups


def test_new_groups_are_named_after_their_earliest_tracks() -> None:
    assert person("a") == "e-s0-a-p"
    tracks, persons = named("ca db")
    assert tracks == {"a": "a", "c": "a", "b": "b", "d": "b"}
    assert persons == [("a", None), ("b", None)]


def test_an_earlier_track_found_later_renames_nobody() -> None:
    tracks, persons = named("acd b", register="c")
    assert tracks == {"a": "c", "c": "c", "d": "c", "b": "b"}
    assert persons == [("c", None), ("b", None)]


def test_of_two_known_persons_the_older_stands() -> None:
    tracks, persons = named("abc", register="cb")
    assert set(tracks.values()) == {"c"}
    assert persons == [("c", None), ("b", "c")]


def test_persons_who_part_again_have_their_names_back() -> None:
    merged = [Person(person("b"), "show", name("b"), "Bo", person("a"), "faces")]
    persons, person_of = assign_names(
        "show", [[name("a")], [name("b")]], [name("a"), name("b")], known("a") + merged
    )
    assert person_of[name("b")] == person("b")
    assert [p.merged_into for p in persons] == [None, None]


def test_a_founder_that_is_gone_is_kept_only_while_its_episode_is_absent() -> None:
    away = Person("other-s0-a-p", "show", "other-s0-a", None, None, None)
    persons, _ = assign_names("show", [[name("a")]], [name("a")], [away, *known("z")])
    assert [p.person_id for p in persons] == ["other-s0-a-p", person("a")]


@pytest.mark.parametrize("groups", [[["e-s0-a"]], [["e-s0-a"], ["e-s0-a", "e-s0-b"]], [["x"]]])
def test_groups_must_hold_every_track_once(groups: list[list[str]]) -> None:
    with pytest.raises(SchemaError, match="exactly one group"):
        assign_names("show", groups, ["e-s0-a", "e-s0-b"], [])


Partition = list[tuple[int, int]]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), min_size=1, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_no_episode_added_later_renames_anybody(episodes: list[Partition]) -> None:
    """Episodes come one by one, with numbers in any order; who a track shows never changes."""
    face_of: dict[str, int] = {}
    register: list[Person] = []
    seen: dict[str, str] = {}
    for number, tracks in enumerate(episodes):
        for place, face in tracks:
            face_of[f"e{(number * 3) % 4}-s{place:02d}-t{number}{place}"] = face
        order = sorted(face_of)
        groups = [[t for t in order if face_of[t] == face] for face in set(face_of.values())]
        register, person_of = assign_names("show", groups, order, register)
        assert set(person_of) == set(face_of)
        assert {t: person_of[t] for t in seen} == seen
        assert all(p.person_id == person_id_of(p.founder_track_id) for p in register)
        assert len({p.person_id for p in register}) == len(register)
        assert len(set(person_of.values())) == len(groups)
        seen = person_of


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), min_size=8, max_size=8), min_size=2, max_size=4),
)
def test_known_persons_are_never_forgotten_nor_merged_ones_used(builds: list[list[int]]) -> None:
    """The same eight tracks, grouped otherwise at every build."""
    order = [name(t) for t in "abcdefgh"]
    register: list[Person] = []
    for faces in builds:
        groups = [
            [t for t, face in zip(order, faces, strict=True) if face == one] for one in set(faces)
        ]
        before = [p.person_id for p in register]
        register, person_of = assign_names("show", groups, order, register)
        assert [p.person_id for p in register[: len(before)]] == before
        merged = {p.person_id for p in register if p.merged_into is not None}
        standing = {p.person_id for p in register} - merged
        assert set(person_of.values()) == standing
        assert all((p.merged_into is None) == (p.merged_because is None) for p in register)
        for group in groups:
            assert len({person_of[t] for t in group}) == 1


# --- decisions


def test_a_person_gets_a_name_and_the_last_one_counts() -> None:
    _, names = shown("ab", ("name", "a", "Ann"), ("name", "a", "Anna"))
    assert names == {"a": "Anna", "b": None}


def test_merges_are_chained() -> None:
    tracks, _ = shown("abc", ("merge", "a", "b"), ("merge", "b", "c"))
    assert tracks == {"a": "c", "b": "c", "c": "c"}
    tracks, _ = shown("abc", ("merge", "b", "c"), ("merge", "a", "b"))
    assert tracks == {"a": "c", "b": "c", "c": "c"}


def test_the_last_merge_of_a_person_counts() -> None:
    tracks, _ = shown("abc", ("merge", "a", "b"), ("merge", "a", "c"))
    assert tracks == {"a": "c", "b": "b", "c": "c"}


def test_a_merge_is_recorded_with_its_reason() -> None:
    rows = [Override(0, "merge", person("b"), person("a"), "the same coat")]
    persons, _ = apply_overrides(known("ab"), [], rows)
    assert (persons[1].merged_into, persons[1].merged_because) == (person("a"), "the same coat")
    assert persons[0].merged_because is None


@pytest.mark.parametrize(
    "rows",
    [
        [("merge", "a", "a")],
        [("merge", "a", "b"), ("merge", "b", "a")],
        [("merge", "a", "b"), ("merge", "b", "c"), ("merge", "c", "a")],
        [("merge", "a", "z")],
        [("merge", "a", None)],
    ],
)
def test_circles_and_merges_into_nobody_are_refused(
    rows: list[tuple[str, str, str | None]],
) -> None:
    with pytest.raises(CaerError, match="Decision"):
        shown("abc", *rows)


def test_a_decision_counts_more_than_a_merge_by_faces() -> None:
    # Faces merged b into a; people say it is b who stands, or that both are c.
    tracks, _ = shown("ab", ("merge", "a", "b"), merged={"b": "a"})
    assert tracks == {"a": "b", "b": "b"}
    tracks, _ = shown("abc", ("merge", "b", "c"), merged={"b": "a"})
    assert tracks == {"a": "c", "b": "c", "c": "c"}
    tracks, _ = shown("abc", ("merge", "b", "c"), merged={"b": "a", "c": "a"})
    assert tracks == {"a": "a", "b": "a", "c": "a"}


def test_a_merged_persons_name_goes_along_unless_there_is_one() -> None:
    assert shown("ab", ("name", "a", "Ann"), ("merge", "a", "b"))[1]["b"] == "Ann"
    rows = (("name", "b", "Bo"), ("name", "a", "Ann"), ("merge", "a", "b"))
    assert shown("ab", *rows)[1] == {"a": None, "b": "Bo"}


def test_nothing_of_a_deleted_person_is_shown() -> None:
    tracks, names = shown("abc", ("name", "b", "Bo"), ("delete", "b", None))
    assert tracks == {"a": "a", "c": "c"}
    assert names == {"a": None, "c": None}


def test_deleting_one_of_a_merged_pair_deletes_both() -> None:
    for target in "ab":
        for rows in (
            (("merge", "a", "b"), ("delete", target, None)),
            (("delete", target, None), ("merge", "a", "b")),
        ):
            assert shown("abc", *rows) == ({"c": "c"}, {"c": None})
            assert deleted_persons(known("abc"), decisions(*rows)) == {person("a"), person("b")}
    assert shown("ab", ("delete", "b", None), merged={"b": "a"}) == ({}, {})


def test_decisions_about_clips_and_others_are_ignored() -> None:
    rows = [
        Override(0, "keep", "e-s0-a-000000", None, None),
        Override(1, "name", "other-s0-a-p", "Zoe", None),
        Override(2, "delete", "other-s0-a-p", None, None),
    ]
    persons, identities = apply_overrides(known("a"), [], rows)
    assert (persons, identities) == (known("a"), [])


def test_a_person_named_only_in_a_decision_is_known_by_their_track() -> None:
    rows = [
        *decisions(("delete", "b", None), ("merge", "c", "a")),
        Override(9, "keep", "x", None, None),
    ]
    found = known_persons("show", known("a"), rows, [name("a"), name("b")])
    assert found == known("ab")
    away = Person("x-p", "elsewhere", "x", None, None, None)
    assert known_persons("show", [away], [], [name("a")]) == []


def test_a_deleted_person_stays_deleted_at_the_next_build() -> None:
    rows = decisions(("delete", "b", None))
    groups, order = [[name("a")], [name("b"), name("0")]], [name(t) for t in "0ab"]
    visible: list[Person] = []
    for _ in range(3):
        register = known_persons("show", visible, rows, order)
        persons, person_of = assign_names("show", groups, order, register)
        identities = [Identity(t, "e", p, 0.0) for t, p in person_of.items()]
        visible, left = apply_overrides(persons, identities, rows)
        assert [row.track_id for row in left] == [name("a")]
        assert [p.person_id for p in visible] == [person("a")]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["name", "merge", "delete"]),
            st.sampled_from("abcde"),
            st.sampled_from("abcde"),
        ),
        max_size=7,
    ),
    st.dictionaries(st.sampled_from("bcde"), st.just("a"), max_size=2),
)
def test_decisions_leave_every_track_with_one_who_stands_or_nobody(
    rows: list[tuple[str, str, str]], merged: dict[str, str]
) -> None:
    table = [
        Person(person(t), "show", name(t), None, person("a"), "faces") if t in merged else p
        for t, p in zip("abcde", known("abcde"), strict=True)
    ]
    identities = [Identity(name(t), "e", person(merged.get(t, t)), 0.0) for t in "abcde"]
    overrides = decisions(*rows)
    try:
        persons, left = apply_overrides(table, identities, overrides)
    except CaerError:
        assert any(action == "merge" for action, _, _ in rows)
        return
    standing = {p.person_id for p in persons if p.merged_into is None}
    assert {row.person_id for row in left} <= standing
    gone = deleted_persons(table, overrides)
    assert {p.person_id for p in persons} == {p.person_id for p in table} - gone
    assert len(left) == sum(row.person_id not in gone for row in identities)
    targets = {person(target) for action, target, _ in rows if action == "delete"}
    assert targets <= gone


def test_who_was_merged_with_somebody_whose_episode_is_away_is_no_obstacle() -> None:
    """Deleted together, neither is in the register; then an episode is away."""
    away = [person_id_of(f"other-s0-{letter}") for letter in "yz"]
    rows = [
        Override(0, "merge", person("a"), away[0], None),
        Override(1, "merge", away[0], away[1], None),
        Override(2, "delete", away[1], None, None),
    ]
    order = [name("a"), name("b")]
    table = known_persons("show", [], rows, order)
    assert {p.person_id for p in table} == {person("a"), *away}
    persons, person_of = assign_names("show", [[t] for t in order], order, table)
    identities = [Identity(t, "e", person_of[t], 0.0) for t in order]
    _, ids = apply_overrides(persons, identities, rows)
    assert [i.track_id for i in ids] == [name("b")]
