"""Finding again the tracks that decisions are about, when other settings gave them other ids.

A decision names persons, a person is named after its founder track, and a track after its shot:
``lobby.s01e02-s000113-t01-p``. If the shot begins at frame 110 under another setting, all three
have other ids; yet the face is where it was. So each decision comes with anchors, boxes of tracks
at some of their frames::

    then    lobby.s01e02-s000113-t01   |----x----x----x----x----x----|     x: anchors
    now     lobby.s01e02-s000110-t00  |------------------------------|     covers them: it is that

Pure: records in, records out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from caer_build.boxes import iou
from caer_build.errors import CaerError
from caer_build.naming import PERSON_SUFFIX, person_id_of
from caer_build.records import Anchor, Override, TrackBox

MIN_IOU = 0.5
N_ANCHORS = 5


@dataclass(frozen=True)
class Placed:
    """What decisions mean for the tracks there are.

    Attributes:
        overrides: the decisions, those that were placed naming persons by present tracks; a
            deletion stands there once for every track it was found in.
        without_effect: a sentence for each that (or a part of which) could not be placed.
        deleted: the tracks that deletions were found in.
    """

    overrides: tuple[Override, ...]
    without_effect: tuple[str, ...]
    deleted: frozenset[str]


def spread(boxes: Sequence[TrackBox]) -> list[TrackBox]:
    """Five of a track's boxes (all of fewer), the middles of as many stretches of its time."""
    ordered = sorted(boxes, key=lambda box: box.frame)
    count = min(N_ANCHORS, len(ordered))
    return [ordered[int((i + 0.5) * len(ordered) / count)] for i in range(count)]


def place(
    overrides: Sequence[Override],
    anchors: Sequence[Anchor],
    tracks: Collection[str],
    boxes: Iterable[TrackBox],
    episodes: Collection[str],
) -> Placed:
    """Find the tracks that decisions are about.

    An anchor is on the track whose box in that frame overlaps it most, by an IoU of half at least.
    A decision without anchors, as earlier versions noted them, is about tracks by their ids.

    Args:
        overrides: decisions about persons, oldest first; those about others pass through.
        anchors: of these decisions.
        tracks: the ids of all tracks there are.
        boxes: of these tracks, at least in the frames of the anchors.
        episodes: that are there; what a decision says of others is left as it is.

    Raises:
        CaerError: if the episode of a deletion is there, but not one of its tracks.
    """
    present = _Present(anchors, tracks, boxes, episodes)
    placed: list[Override] = []
    without_effect: list[str] = []
    deleted: set[str] = set()
    for override in overrides:
        if override.action == "delete":
            found, missing = present.tracks_of(override)
            deleted |= found
            if missing:
                without_effect.append(
                    f"Decision {override.number} deletes {override.target}: where its tracks "
                    f"{', '.join(missing)} were, there is none any more."
                )
            targets = {person_id_of(track) for track in found}
            # By then's id only where nothing better is known: it may be another face's by now.
            if not present.is_anchored(override):
                targets.add(override.target)
            placed += [replace(override, target=target) for target in sorted(targets)]
            continue
        named = [override.target]
        if override.action == "merge" and override.value is not None:
            named.append(override.value)
        now = [present.person(override.number, each) for each in named]
        gone = [each for each, found_now in zip(named, now, strict=True) if found_now is None]
        if gone:
            without_effect.append(
                f"Decision {override.number} ({override.action} {override.target}) has no effect: "
                f"the face of {' and '.join(gone)} is not there any more."
            )
            continue
        value = now[1] if len(now) > 1 else override.value
        placed.append(replace(override, target=now[0] or override.target, value=value))
    return Placed(tuple(placed), tuple(without_effect), frozenset(deleted))


def _founder(person_id: str) -> str:
    return person_id.removesuffix(PERSON_SUFFIX)


def _episode_of(track_id: str) -> str:
    return track_id.rsplit("-", 2)[0]


class _Present:
    """The tracks there are, to be found by the anchors of decisions."""

    def __init__(
        self,
        anchors: Sequence[Anchor],
        tracks: Collection[str],
        boxes: Iterable[TrackBox],
        episodes: Collection[str],
    ) -> None:
        self._tracks = tracks
        self._episodes = episodes
        self._anchored = {(anchor.number, anchor.person_id) for anchor in anchors}
        self._own: dict[tuple[int, str], list[Anchor]] = defaultdict(list)
        for anchor in anchors:
            if anchor.episode_id in episodes:
                self._own[anchor.number, anchor.person_id].append(anchor)
        self._on = _matches(anchors, boxes)

    def is_anchored(self, deletion: Override) -> bool:
        """Whether the tracks of a deletion are to be found by where they were, not by ids."""
        away = _episode_of(_founder(deletion.target)) not in self._episodes
        return (deletion.number, deletion.target) in self._anchored and not away

    def _by_id(self, person_id: str) -> str | None:
        """The person by the id alone: theirs where the founder is there or its episode away."""
        founder = _founder(person_id)
        there = founder in self._tracks or _episode_of(founder) not in self._episodes
        return person_id if there else None

    def person(self, number: int, person_id: str) -> str | None:
        """How a person whom a decision names is called now; none: they are not there any more."""
        own = [a for a in self._own[number, person_id] if a.track_id == _founder(person_id)]
        if not own:
            return self._by_id(person_id)
        hits: dict[str, list[float]] = defaultdict(list)
        for anchor in own:
            if anchor in self._on:
                track, overlap = self._on[anchor]
                hits[track].append(overlap)
        if not hits:
            return None
        # The track that most anchors are on; of several the nearest, then by id.
        return person_id_of(min(hits, key=lambda t: (-len(hits[t]), -sum(hits[t]), t)))

    def tracks_of(self, deletion: Override) -> tuple[set[str], list[str]]:
        """The present tracks of a deletion, and the ids of those of then that are nowhere now.

        Raises:
            CaerError: if it should have some and has none.
        """
        number, person_id = deletion.number, deletion.target
        own = self._own[number, person_id]
        found = {self._on[anchor][0] for anchor in own if anchor in self._on}
        held = {anchor.track_id for anchor in own if anchor in self._on}
        missing = sorted({anchor.track_id for anchor in own} - held)
        if (number, person_id) not in self._anchored:
            found = {_founder(person_id)} & set(self._tracks)
            missing = [] if self._by_id(person_id) else [_founder(person_id)]
        if missing and not found:
            raise CaerError(
                f"Decision {number} deletes {person_id}, but where its tracks were "
                f"({', '.join(missing)}) there is no face any more, so nobody can say who that is.",
                "Build with the settings of then; or take the decision back with `caer person "
                "undo` and, if the person is still there, delete them again after the build.",
            )
        return found, missing


def _matches(
    anchors: Sequence[Anchor], boxes: Iterable[TrackBox]
) -> dict[Anchor, tuple[str, float]]:
    """The track that each anchor is on, and by which IoU; those on none are left out."""
    frames: dict[tuple[str, int], list[TrackBox]] = defaultdict(list)
    for box in boxes:
        frames[_episode_of(box.track_id), box.frame].append(box)
    found = {}
    for anchor in anchors:
        here = frames.get((anchor.episode_id, anchor.frame), [])
        if here:
            mine = np.array([(anchor.x1, anchor.y1, anchor.x2, anchor.y2)])
            overlaps = iou(mine, np.array([(b.x1, b.y1, b.x2, b.y2) for b in here]))[0]
            best = min(range(len(here)), key=lambda i: (-overlaps[i], here[i].track_id))
            if overlaps[best] >= MIN_IOU:
                found[anchor] = here[best].track_id, float(overlaps[best])
    return found
