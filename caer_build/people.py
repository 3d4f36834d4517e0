"""Who is in a workspace, and what a person at the terminal decides about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from caer_build import overrides, pipeline, placing, sources
from caer_build.errors import CaerError, ModelMissing, StoreError
from caer_build.naming import check_merges, standing_persons
from caer_build.publishing import published_persons, published_rows
from caer_build.records import Anchor, Clip, FaceTrack, Identity, Override, Person, TrackBox
from caer_build.store import Workspace
from caer_build.tables import read_published


@dataclass(frozen=True)
class Entry:
    """A line of the roll."""

    person_id: str
    name: str | None
    n_tracks: int
    n_clips: int
    note: str


def roll(workspace: Workspace) -> list[Entry]:
    """The persons of a workspace, those with most clips first."""
    tracks = Counter(i.person_id for i in read_published(workspace, Identity))
    kept = [c for c in read_published(workspace, Clip) if c.reject_reason is None]
    clips = Counter(c.person_id for c in kept)
    entries = [
        Entry(
            p.person_id,
            p.name,
            tracks[p.person_id],
            clips[p.person_id],
            f"merged into {p.merged_into}: {p.merged_because}" if p.merged_into else "",
        )
        for p in published_persons(workspace)
    ]
    return sorted(entries, key=lambda e: (-e.n_clips, -e.n_tracks, e.person_id))


def without_effect(workspace: Workspace) -> list[str]:
    """The decisions whose persons the last build did not find, each as a sentence."""
    if not any(o.action in overrides.ABOUT_PERSONS for o in overrides.load(workspace)):
        return []
    try:
        results = pipeline.current_results(workspace, sources.register(workspace).sources)
    except (ModelMissing, StoreError):
        # Who cannot build here cannot know what the last build found.
        return []
    return pipeline.warnings_of(results)


def decide(
    workspace: Workspace, action: str, person: str, value: str | None, reason: str | None
) -> Override | None:
    """Note a decision about a person, and where the faces are that it is about.

    Returns:
        The decision; None: it was decided already, and nothing is noted twice.

    Raises:
        CaerError: if there is no such person, or a merge would run in a circle, or across shows.
    """
    persons = {p.person_id: p for p in published_persons(workspace)}
    named = [person, *([value] if action == "merge" and value is not None else [])]
    for each in named:
        if each not in persons:
            raise CaerError(
                f"No person {each} in {workspace.root}.", "See `caer person list` for their ids."
            )
    if overrides.in_force(overrides.load(workspace), action, person, value):
        return None
    if action == "merge":
        _check_merge(workspace, persons[person], persons[named[-1]], list(persons.values()))
    number = overrides.next_number(overrides.load(workspace))
    if action == "delete":
        anchors = _anchors_of_all(workspace, number, person, list(persons.values()))
        # It shows everybody's face; `caer report` writes it again without this person.
        (workspace.root / "report.html").unlink(missing_ok=True)
    else:
        founders = {persons[each].founder_track_id: each for each in named}
        anchors = _anchors(workspace, number, founders)
    overrides.add_anchors(workspace, anchors)
    return overrides.add(workspace, action, person, value, reason)


def _check_merge(
    workspace: Workspace, person: Person, into: Person, persons: Sequence[Person]
) -> None:
    if person == into:
        raise CaerError("A person cannot be merged into itself.", "Name two different persons.")
    if person.show != into.show:
        raise CaerError(
            f"{person.person_id} is of {person.show}, {into.person_id} of {into.show}.",
            "Merge persons of one show; persons of two shows are never one.",
        )
    past = overrides.load(workspace)
    number = overrides.next_number(past)
    new = Override(number, "merge", person.person_id, into.person_id, None)
    check_merges([p for p in persons if p.show == person.show], [*past, new])


def _anchors_of_all(
    workspace: Workspace, number: int, person: str, persons: Sequence[Person]
) -> list[Anchor]:
    """Of every track of a person, and of those who are merged with them."""
    stands = standing_persons(persons)
    all_of_them = {p for p, s in stands.items() if s == stands[person]}
    tracks = {
        i.track_id: person
        for i in read_published(workspace, Identity)
        if i.person_id in all_of_them
    }
    # A founder whose episode is away has no row; harmless, as it has no boxes either.
    founders = {p.founder_track_id: person for p in persons if p.person_id in all_of_them}
    return _anchors(workspace, number, founders | tracks)


def _anchors(workspace: Workspace, number: int, tracks: dict[str, str]) -> list[Anchor]:
    """Anchors of tracks; ``tracks`` says of each whom they are noted for."""
    found = [t for t in read_published(workspace, FaceTrack) if t.track_id in tracks]
    boxes = _boxes_of(workspace, [t.track_id for t in found])
    return [
        Anchor(
            number, tracks[t.track_id], t.track_id, t.episode_id, b.frame, b.x1, b.y1, b.x2, b.y2
        )
        for t in found
        for b in placing.spread([b for b in boxes if b.track_id == t.track_id])
    ]


def _boxes_of(workspace: Workspace, tracks: Iterable[str]) -> list[TrackBox]:
    return published_rows(workspace, TrackBox, "track_id", tracks)
