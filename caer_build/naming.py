"""What persons are called: stable names for groups of tracks, and what people decided about them.

A person is named after the track that founded it: ``lobby.s01e02-s000113-t01-p``. Users know
persons by these ids, so a group keeps the id of the earliest known person whose founder is in it,
whatever is added to it later; a group that nobody knows yet is named after its earliest track::

    known   A, B          group {a, x}   -> A          (x came with a new episode)
                          group {a, b}   -> A; B is merged into A, and that is recorded
                          group {a}, {b} -> A, B again, should they part later
                          group {y, z}   -> Y

No id is ever reused: it says which track it means. Pure: records in, records out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from caer_build.errors import CaerError, SchemaError
from caer_build.records import Identity, Override, Person

PERSON_SUFFIX = "-p"
MERGED_BY_FACE = "their founding tracks were found to show one face"
MERGED_BY_HAND = "decided by hand"


def person_id_of(founder_track_id: str) -> str:
    """The id of the person that a track founded."""
    return founder_track_id + PERSON_SUFFIX


def _episode_of(track_id: str) -> str:
    """``lobby.s01e02-s000113-t01`` belongs to ``lobby.s01e02``."""
    return track_id.rsplit("-", 2)[0]


def known_persons(
    show: str, register: Sequence[Person], overrides: Sequence[Override], tracks: Iterable[str]
) -> list[Person]:
    """The register, and behind it everybody whom a decision names and it lacks.

    A deleted person is no longer in the tables that users see, but a decision still names it:
    so it is known again at every build, and stays deleted. Who was merged with a person of this
    show is of this show, too, even while their episode is away.

    Args:
        show: whose persons these are.
        register: the persons users have seen, oldest first.
        overrides: decisions, about any show.
        tracks: all tracks of this show.
    """
    there = set(tracks)
    persons = {person.person_id: person for person in register if person.show == show}

    def add(person_id: str | None) -> None:
        if person_id is not None and person_id not in persons:
            founder = person_id.removesuffix(PERSON_SUFFIX)
            persons[person_id] = Person(person_id, show, founder, None, None, None)

    for override in overrides:
        for person_id in (override.target, override.value):
            founder = (person_id or "").removesuffix(PERSON_SUFFIX)
            if founder in there and person_id == person_id_of(founder):
                add(person_id)
    episodes = {_episode_of(track) for track in there}
    merges = [o for o in overrides if o.action == "merge" and o.value is not None]
    # Merges may be chained over persons who are away: each round finds the next of a chain.
    for _ in merges:
        for pair in ((o.target, o.value or "") for o in merges):
            if any(person_id in persons for person_id in pair):
                for person_id in pair:
                    if _episode_of(person_id.removesuffix(PERSON_SUFFIX)) not in episodes:
                        add(person_id)
    return list(persons.values())


def assign_names(
    show: str, groups: Sequence[Sequence[str]], order: Sequence[str], known: Sequence[Person]
) -> tuple[list[Person], dict[str, str]]:
    """Names for groups of tracks.

    Args:
        show: whose tracks these are.
        groups: track ids; every track of ``order`` is in exactly one group.
        order: all tracks of the show, earliest first.
        known: persons known from before, oldest first, see :func:`known_persons`. Their names
            and merges are not read: those follow from the groups and from :func:`apply_overrides`.

    Returns:
        All persons, the known ones first and in their order, then the new ones by their founders;
        and of every track its person, who is never one that was merged. A known person whose
        founder has gone is kept as long as the founder's episode is absent, too.

    Raises:
        SchemaError: if the groups do not hold every track exactly once.
    """
    rank = {track: number for number, track in enumerate(order)}
    if sorted(track for group in groups for track in group) != sorted(rank):
        raise SchemaError(
            f"Expected each of the {len(rank)} tracks of {show} in exactly one group, found "
            f"{sum(len(group) for group in groups)} tracks in {len(groups)} groups."
        )
    episodes = {_episode_of(track) for track in order}
    age = {person.founder_track_id: number for number, person in enumerate(known)}
    rows = {
        person.founder_track_id: replace(person, name=None, merged_into=None, merged_because=None)
        for person in known
        if person.founder_track_id in rank or _episode_of(person.founder_track_id) not in episodes
    }
    person_of: dict[str, str] = {}
    for group in sorted(groups, key=lambda members: min(rank[track] for track in members)):
        founders = sorted((track for track in group if track in age), key=age.__getitem__)
        founder = founders[0] if founders else min(group, key=rank.__getitem__)
        person_id = rows[founder].person_id if founders else person_id_of(founder)
        if not founders:
            rows[founder] = Person(person_id, show, founder, None, None, None)
        for other in founders[1:]:
            rows[other] = replace(rows[other], merged_into=person_id, merged_because=MERGED_BY_FACE)
        person_of.update(dict.fromkeys(group, person_id))
    return list(rows.values()), person_of


def _path(person_id: str, merged: Mapping[str, str]) -> list[str]:
    """From a person over those they were merged into to the one who stands."""
    path = [person_id]
    while path[-1] in merged:
        path.append(merged[path[-1]])
    return path


def _standing(person_id: str, merged: Mapping[str, str]) -> str:
    return _path(person_id, merged)[-1]


def _merges(
    persons: Mapping[str, Person], overrides: Sequence[Override]
) -> tuple[dict[str, str], dict[str, Override]]:
    """Who goes into whom; and of those who go by hand, by which decision."""
    merged = {p.person_id: p.merged_into for p in persons.values() if p.merged_into is not None}
    # Of several decisions about one person the last counts.
    decided = {o.target: o for o in overrides if o.action == "merge" and o.target in persons}
    by_hand: dict[str, Override] = {}
    for override in sorted(decided.values(), key=lambda o: o.number):
        target, into = override.target, override.value
        if into is None or into not in persons:
            raise CaerError(
                f"Decision {override.number} merges {target} into {into}, who is not a person "
                f"of {persons[target].show}.",
                "See `caer person list` for the ids.",
            )
        # All whom the target was merged with are the same person, so they go along.
        stands, path = _standing(target, merged), _path(into, merged)
        if stands == path[-1]:
            if target not in path:
                continue
            # What was found by faces gives way to what was decided: the circle is opened there.
            by_face = [p for p in path[: path.index(target)] if p not in by_hand]
            if not by_face:
                raise CaerError(
                    f"Decision {override.number} merges {target} into {into}, but {into} was "
                    f"merged into {target}: {' -> '.join([*path, into])}.",
                    "Merge in one direction only.",
                )
            merged.pop(by_face[0])
        merged[stands] = into
        by_hand[stands] = override
    return merged, by_hand


def _names(
    persons: Mapping[str, Person], overrides: Sequence[Override], merged: Mapping[str, str]
) -> dict[str, str | None]:
    """What those who stand are called: by their own name, else by one of theirs who merged."""
    own: dict[str, str | None] = {}
    inherited: dict[str, str | None] = {}
    for override in overrides:
        if override.action == "name" and override.target in persons:
            stands = _standing(override.target, merged)
            (own if stands == override.target else inherited)[stands] = override.value
    return inherited | own


def standing_persons(persons: Sequence[Person]) -> dict[str, str]:
    """Of each person who stands for them: themselves, or whom they were merged into at last."""
    merged = {p.person_id: p.merged_into for p in persons if p.merged_into is not None}
    return {person.person_id: _standing(person.person_id, merged) for person in persons}


def check_merges(persons: Sequence[Person], overrides: Sequence[Override]) -> None:
    """Whether the merges decided by hand can be done, before the last of them is noted.

    Args:
        persons: of one show, as users see them.
        overrides: decisions, oldest first; those about persons who are not there are passed over.

    Raises:
        CaerError: if they run in a circle.
    """
    # Merges by hand are among the decisions: only those by faces are taken from the table.
    table = {
        p.person_id: p
        if p.merged_because == MERGED_BY_FACE
        else replace(p, merged_into=None, merged_because=None)
        for p in persons
    }
    _merges(table, [o for o in overrides if o.action != "merge" or o.value in table])


def deleted_persons(persons: Sequence[Person], overrides: Sequence[Override]) -> frozenset[str]:
    """The ids of all who were deleted, with all who were merged into them or they into.

    Args:
        persons: of one show, as :func:`assign_names` gives them.
        overrides: decisions, oldest first; those about others are ignored.

    Raises:
        CaerError: if merges decided by hand run in a circle or into nobody.
    """
    table = {person.person_id: person for person in persons}
    merged, _ = _merges(table, overrides)
    gone = {
        _standing(override.target, merged)
        for override in overrides
        if override.action == "delete" and override.target in table
    }
    return frozenset(person for person in table if _standing(person, merged) in gone)


def apply_overrides(
    persons: Sequence[Person], identities: Sequence[Identity], overrides: Sequence[Override]
) -> tuple[list[Person], list[Identity]]:
    """What users see after what they decided: names, merges, and nothing of who was deleted.

    A name given to a person who was merged goes to the one they turned out to be, unless that
    one has a name; later decisions win. Merges by hand may be chained; where they contradict one
    that was found by faces, the decision wins. Who was deleted is deleted whoever they were
    merged with. ``keep`` and ``reject``, and decisions about others, are ignored.

    Args:
        persons: of one show, as :func:`assign_names` gives them.
        identities: of its tracks.
        overrides: decisions, oldest first.

    Returns:
        The persons and identities, in the order given, without those deleted.

    Raises:
        CaerError: if merges decided by hand run in a circle or into nobody.
    """
    table = {person.person_id: person for person in persons}
    merged, by_hand = _merges(table, overrides)
    names = _names(table, overrides, merged)
    gone = deleted_persons(persons, overrides)
    shown = []
    for person in persons:
        into, because = merged.get(person.person_id), person.merged_because
        if person.person_id in by_hand:
            because = by_hand[person.person_id].reason or MERGED_BY_HAND
        shown.append(
            replace(
                person,
                name=names.get(person.person_id),
                merged_into=into,
                merged_because=because if into is not None else None,
            )
        )
    return (
        [person for person in shown if person.person_id not in gone],
        [
            replace(row, person_id=_standing(row.person_id, merged))
            for row in identities
            if row.person_id not in gone
        ],
    )
