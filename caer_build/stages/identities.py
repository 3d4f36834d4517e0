"""Identities: who the tracks are, within an episode and across a show.

::

    tracks of an episode --group_episode--> persons of the episode --group_show--> groups of tracks
    groups of tracks --naming--> persons, identities

Two tracks on screen together are two people, and so are all whom they are grouped with. Small,
blurred, turned or hardly seen faces join persons but never bridge two.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from caer_build.arrow import from_table
from caer_build.clustering import cluster
from caer_build.naming import apply_overrides, assign_names, known_persons
from caer_build.placing import place
from caer_build.records import FaceTrack, Identity, Person, TrackBox, TrackEmbedding
from caer_build.stage import Artifact, Context, Stage

Vector = npt.NDArray[np.float64]


class IdentitySettings(BaseModel):
    """When two tracks are one person.

    The distances are those of dlib-resnet: of two different faces of FER2013, one pair in 5,000
    is nearer than 0.30. For sface, 0.64 is what its authors recommend.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    episode_distance: float = Field(
        0.3,
        ge=0,
        le=2,
        description="tracks of an episode up to this mean cosine distance are one person ([0, 2])",
    )
    show_distance: float = Field(
        0.3,
        ge=0,
        le=2,
        description="persons of episodes up to this mean cosine distance are one person ([0, 2])",
    )
    constrained: bool = Field(
        True, description="whether two faces on screen together are always two persons"
    )
    sure_face_height_px: float = Field(
        40.0, ge=0, description="smaller faces join persons but found none beside others (px)"
    )
    sure_sharpness: float = Field(
        15.0, ge=0, description="likewise blurrier faces (variance of the Laplacian at 64x64 px)"
    )
    sure_yaw_deg: float = Field(
        45.0, ge=0, le=180, description="likewise heads turned further (median, degrees)"
    )
    sure_chips: int = Field(
        2, ge=1, description="likewise tracks with fewer embedded crops than this (count)"
    )


@dataclass(frozen=True)
class EpisodePerson:
    """One person of one episode, all that is needed of them to find them in others.

    Attributes:
        key: their first track.
        tracks: all their tracks, sorted.
        mean: (d,) weighted mean of the embeddings of their sure tracks (of all, if none is).
        weight: how many chips that mean was made of.
        sure: whether one of the tracks is.
        apart: keys of the persons of this episode who were on screen with them.
    """

    key: str
    tracks: tuple[str, ...]
    mean: Vector
    weight: float
    sure: bool
    apart: frozenset[str]


def together(tracks: Sequence[FaceTrack]) -> Iterator[tuple[str, str]]:
    """The pairs of tracks of one episode that share a frame."""
    showing: list[FaceTrack] = []
    for track in sorted(tracks, key=lambda t: (t.start_frame, t.end_frame, t.track_id)):
        showing = [other for other in showing if other.end_frame > track.start_frame]
        for other in showing:
            yield other.track_id, track.track_id
        showing.append(track)


def is_sure(track: FaceTrack, n_chips: int, settings: IdentitySettings) -> bool:
    """Whether a track shows its face well enough to found a person and to shape one."""
    return (
        track.median_face_height >= settings.sure_face_height_px
        and track.sharpness >= settings.sure_sharpness
        and (track.yaw is None or track.yaw <= settings.sure_yaw_deg)
        and n_chips >= settings.sure_chips
    )


def group_episode(
    tracks: Sequence[FaceTrack],
    embeddings: Mapping[str, TrackEmbedding],
    settings: IdentitySettings,
) -> list[EpisodePerson]:
    """The persons of one episode; every track is in exactly one.

    Args:
        tracks: of one episode, in any order.
        embeddings: by track id; a track without one is a person of its own.
    """
    n_values = max((len(e.embedding) for e in embeddings.values()), default=1)
    vectors: dict[str, Vector] = {}
    weights: dict[str, float] = {}
    sure: dict[str, bool] = {}
    for track in tracks:
        found = embeddings.get(track.track_id)
        vectors[track.track_id] = np.array(
            found.embedding if found else np.zeros(n_values), dtype=np.float64
        )
        n_chips = found.n_chips if found else 0
        weights[track.track_id] = float(n_chips)
        sure[track.track_id] = is_sure(track, n_chips, settings)
    keys = [track.track_id for track in tracks]
    pairs = list(together(tracks)) if settings.constrained else []
    groups = cluster(
        keys,
        np.array([vectors[key] for key in keys]).reshape(len(keys), n_values),
        np.array([weights[key] for key in keys]),
        np.array([sure[key] for key in keys], dtype=bool),
        apart=pairs,
        threshold=settings.episode_distance,
    )
    key_of = {track: group[0] for group in groups for track in group}
    apart: dict[str, set[str]] = {group[0]: set() for group in groups}
    for a, b in pairs:
        apart[key_of[a]].add(key_of[b])
        apart[key_of[b]].add(key_of[a])
    persons = []
    for group in groups:
        shaping = [track for track in group if sure[track]] or group
        shares = np.array([weights[track] for track in shaping])
        total = float(shares.sum())
        rows = np.array([vectors[track] for track in shaping])
        mean = shares @ rows / total if total > 0 else np.zeros(n_values)
        persons.append(
            EpisodePerson(
                group[0],
                tuple(group),
                mean,
                total,
                any(sure[track] for track in group),
                frozenset(apart[group[0]]),
            )
        )
    return persons


def group_show(
    episodes: Sequence[Sequence[EpisodePerson]], settings: IdentitySettings
) -> list[list[str]]:
    """The groups of tracks of one show that are one person each, from its episodes' persons."""
    persons = list(itertools.chain.from_iterable(episodes))
    by_key = {person.key: person for person in persons}
    # An episode in which nobody could be embedded knows no length of vectors: its means are [0].
    means = np.zeros((len(persons), max((len(person.mean) for person in persons), default=1)))
    for row, person in zip(means, persons, strict=True):
        row[: len(person.mean)] = person.mean
    groups = cluster(
        [person.key for person in persons],
        means,
        np.array([person.weight for person in persons]),
        np.array([person.sure for person in persons], dtype=bool),
        apart=[(person.key, other) for person in persons for other in sorted(person.apart)],
        threshold=settings.show_distance,
    )
    return [sorted(t for key in group for t in by_key[key].tracks) for group in groups]


def identity_rows(
    tracks: Sequence[FaceTrack],
    embeddings: Mapping[str, TrackEmbedding],
    person_of: Mapping[str, str],
    means: Mapping[str, Vector],
) -> list[Identity]:
    """Exactly one row a track.

    Args:
        tracks: of one episode or more.
        embeddings: by track id.
        person_of: of every track its person.
        means: of every person the mean, see :func:`person_means`.

    Returns:
        In the order of ``tracks``. A track without an embedding is at distance 0 from itself.
    """
    rows = []
    for track in tracks:
        person, found = person_of[track.track_id], embeddings.get(track.track_id)
        distance = 0.0
        if found is not None:
            mean = means[person]
            length = float(np.linalg.norm(mean)) or 1.0
            cosine = float(np.array(found.embedding, dtype=np.float64) @ mean) / length
            distance = round(min(2.0, max(0.0, 1.0 - cosine)), 6)
        rows.append(Identity(track.track_id, track.episode_id, person, distance))
    return rows


def person_means(
    episodes: Sequence[Sequence[EpisodePerson]], person_of: Mapping[str, str]
) -> dict[str, Vector]:
    """Of every person of a show the mean embedding, over all their episodes."""
    sums: dict[str, Vector] = {}
    for person in sorted(itertools.chain.from_iterable(episodes), key=lambda p: p.key):
        name = person_of[person.key]
        sums[name] = sums.get(name, np.zeros(1)) + person.weight * person.mean
    return sums


def run(context: Context[IdentitySettings]) -> None:
    show, settings = context.unit, context.settings
    tracks: list[FaceTrack] = []
    embeddings: dict[str, TrackEmbedding] = {}
    persons_of_episodes = []
    for episode in context.episodes:
        own = context.read("tracks", episode)
        found = {e.track_id: e for e in context.read("embeddings", episode)}
        persons_of_episodes.append(group_episode(own, found, settings))
        tracks += own
        embeddings |= found
    groups = group_show(persons_of_episodes, settings)
    tracks.sort(key=lambda t: (t.episode_id, t.start_frame, t.track_id))
    order = [t.track_id for t in tracks]
    placed = place(
        context.overrides, context.anchors, set(order), _anchored_boxes(context), context.episodes
    )
    known = known_persons(show, context.known_persons, placed.overrides, order)
    persons, person_of = assign_names(show, groups, order, known)
    means = person_means(persons_of_episodes, person_of)
    rows = identity_rows(tracks, embeddings, person_of, means)
    persons, rows = apply_overrides(persons, rows, placed.overrides)
    context.write("identities", rows)
    context.write("persons", persons)
    context.facts.update(warnings=list(placed.without_effect), deleted=sorted(placed.deleted))


def _anchored_boxes(context: Context[IdentitySettings]) -> list[TrackBox]:
    """The boxes of all tracks in the frames that decisions are anchored at; most often none."""
    import pyarrow.parquet as pq

    frames: dict[str, set[int]] = {}
    for anchor in context.anchors:
        frames.setdefault(anchor.episode_id, set()).add(anchor.frame)
    found: list[TrackBox] = []
    for episode, wanted in sorted(frames.items()):
        path = context.file("track_boxes", episode)
        table = pq.read_table(path, filters=[("frame", "in", wanted)])
        found += from_table(TrackBox, table)
    return found


STAGE: Stage[Any] = Stage(
    name="identities",
    version=1,
    settings=IdentitySettings,
    scope="show",
    reads=("tracks", "track_boxes", "embeddings"),
    writes=(
        Artifact("identities", Identity, published=True, per_episode=True),
        Artifact("persons", Person, published=True),
    ),
    run=run,
    obeys=("name", "merge", "delete"),
)
