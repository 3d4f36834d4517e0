"""Who is who: groups of face tracks against the truth, and what an embedding costs.

The tracks are made as the build makes them, but in the true shots: what is measured here is
who they are, not where shots begin.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reporting import Row
from caer_build.models import dlib_resnet, face_detectors, face_embedders
from caer_build.records import FaceDetection, FaceTrack, Shot, TrackEmbedding
from caer_build.stages import identities, scan, tracks
from caer_build.stages.embeddings import (
    EmbeddingSettings,
    chip_of,
    choose_chips,
    track_embedding,
)

PROTOCOL = """Tracks of the true shots of both lobby episodes (detector, tracks and crops as in the
build). B-cubed over the single-person shots of both episodes together: each shot counts once, by
its longest track; a shot without a track is a person of its own. cannot_link_violations: pairs
of tracks that share a frame and a person, over all tracks. persons_across: share of the people
of the first episode's single-person shots who are found again in the second, of those who are
there. A suffix to b_cubed_f: both of our thresholds moved by that much. The peers cluster the same
tracks on the same chips, at our threshold or at the one that their method states.
ms_per_chip: one thread, median of 40 chips."""

EPISODES = ("lobby.s01e01", "lobby.s01e02")
DLIB_DISTANCE = 0.6
"""Below this Euclidean distance dlib's descriptors are one person, says their author."""
Groups = Mapping[str, Hashable]


def b_cubed(found: Sequence[Hashable], truth: Sequence[Hashable]) -> tuple[float, float, float]:
    """B-cubed precision, recall and F of a clustering (Bagga & Baldwin 1998).

    Of every item, the share of its found group that shares its label, and the share of its
    label that is in its group; both averaged over items; F is their harmonic mean.

    Args:
        found: the group of every item.
        truth: its label.
    """
    if len(found) != len(truth) or not found:
        raise ValueError(f"expected as many groups as labels, found {len(found)}, {len(truth)}")
    both = Counter(zip(found, truth, strict=True))
    groups, labels = Counter(found), Counter(truth)
    n = len(found)
    precision = sum(count * count / groups[group] for (group, _), count in both.items()) / n
    recall = sum(count * count / labels[label] for (_, label), count in both.items()) / n
    return precision, recall, 2 * precision * recall / (precision + recall)


def violations(all_tracks: Sequence[FaceTrack], person_of: Groups) -> int:
    """How many pairs of tracks that share a frame of an episode share a person too."""
    by_episode = defaultdict(list)
    for track in all_tracks:
        by_episode[track.episode_id].append(track)
    return sum(
        person_of[a] == person_of[b]
        for one in by_episode.values()
        for a, b in identities.together(one)
    )


@dataclass(frozen=True)
class Material:
    """Everything that is clustered, and the truth about it.

    Attributes:
        tracks: of all episodes.
        chips: of every track its aligned chips, (n, 150, 150, 3) RGB.
        people: of every single-person shot its person.
    """

    tracks: list[FaceTrack]
    chips: dict[str, Any]
    people: dict[str, str]

    def main_tracks(self) -> dict[str, str | None]:
        """Of every single-person shot its longest track."""
        best: dict[str, str | None] = dict.fromkeys(self.people)
        for track in sorted(self.tracks, key=lambda t: (t.n_detections, t.track_id)):
            if track.shot_id in best:
                best[track.shot_id] = track.track_id
        return best


def data_folder() -> Path:
    """Where the test episodes are: CAER_TEST_DATA, else beside the repository."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    return Path(os.environ.get("CAER_TEST_DATA", beside))


def _shots(episode: str, truth: Mapping[str, Any], pts_s: Sequence[float]) -> list[Shot]:
    return [
        Shot(
            f"{episode}-s{shot['start']:06d}",
            episode,
            shot["start"],
            shot["stop"],
            pts_s[shot["start"]],
            pts_s[shot["stop"] - 1],
            "cut",
            shot["start"],
            1.0,
        )
        for shot in truth["shots"]
    ]


def gather(folder: Path, settings: EmbeddingSettings) -> Material:
    """Detects, tracks and crops both episodes, as the build does."""
    from caer_build.frames import Timeline
    from caer_build.media.decode import Decoder
    from caer_build.media.probe import read_headers

    all_tracks: list[FaceTrack] = []
    chips, people = {}, {}
    detector = face_detectors.load("auto", None, scan.ScanSettings().detect_width)
    for episode in EPISODES:
        path = folder / "episodes" / f"{episode}.mp4"
        truth = json.loads(path.with_suffix(".truth.json").read_text())
        pts_s: list[float] = []
        detections: list[FaceDetection] = []
        crops: dict[tuple[int, int], Any] = {}
        due_s = 0.0
        with Decoder(path, read_headers(path)) as decoder:
            for frame in decoder:
                pts_s.append(frame.pts_s)
                if frame.pts_s < due_s:
                    continue
                due_s = frame.pts_s + 0.2 - 1e-3
                picture = frame.bgr_full()
                faces = detector.detect(picture)
                rows, cut = scan.faces_of(episode, frame.ordinal, picture, faces, 92)
                detections += rows
                crops.update({(crop.frame, crop.index): (crop, data) for crop, data in cut})
        shots = _shots(episode, truth, pts_s)
        timeline = Timeline(np.array(pts_s), pts_s[-1] + 0.04)
        made, _, members = tracks.build_tracks(shots, detections, timeline, tracks.TrackSettings())
        all_tracks += made
        by_place = {(d.frame, d.index): d for d in detections}
        of_track = defaultdict(list)
        for member in members:
            of_track[member.track_id].append(by_place[member.frame, member.index])
        for track_id, own in of_track.items():
            chosen = [own[at] for at in choose_chips(own, settings)]
            found = [(crops[d.frame, d.index], d) for d in chosen]
            chips[track_id] = np.stack([chip_of(data, c, d) for (c, data), d in found])
        for shot, row in zip(truth["shots"], shots, strict=True):
            if shot["kind"] == "single":
                people[row.shot_id] = shot["people"][0]
    return Material(all_tracks, chips, people)


def ours(
    material: Material,
    embeddings: Mapping[str, TrackEmbedding],
    settings: identities.IdentitySettings,
) -> Groups:
    """Our groups: inside each episode, then across them."""
    episodes = [
        identities.group_episode(
            [t for t in material.tracks if t.episode_id == episode], embeddings, settings
        )
        for episode in EPISODES
    ]
    groups = identities.group_show(episodes, settings)
    return {track_id: number for number, group in enumerate(groups) for track_id in group}


def _peers(
    material: Material,
    embeddings: Mapping[str, TrackEmbedding],
    raw: Mapping[str, Any],
    limit: float,
) -> dict[str, Groups]:
    """Clusterings without constraints, over all tracks at once."""
    from sklearn.cluster import HDBSCAN, AgglomerativeClustering

    ids = [track.track_id for track in material.tracks if track.track_id in embeddings]
    unit = np.array([embeddings[i].embedding for i in ids])
    package = f"scikit-learn {importlib.metadata.version('scikit-learn')}"

    def tree(metric: str, distance: float) -> Any:
        return AgglomerativeClustering(
            n_clusters=None, metric=metric, linkage="average", distance_threshold=distance
        )

    found = {
        f"{package} agglomerative": tree("cosine", limit).fit_predict(unit),
        f"{package} agglomerative, dlib's descriptors and distance": tree(
            "euclidean", DLIB_DISTANCE
        ).fit_predict(np.array([raw[i] for i in ids])),
        f"{package} HDBSCAN": HDBSCAN(min_cluster_size=2, copy=True).fit_predict(unit),
    }
    # HDBSCAN calls whom it is not sure about noise: each is a person of their own.
    return {
        system: {i: int(label) if label >= 0 else i for i, label in zip(ids, labels, strict=True)}
        for system, labels in found.items()
    }


def score(material: Material, person_of: Groups) -> dict[str, float]:
    """B-cubed over the single-person shots, and the violations over all tracks."""
    main = material.main_tracks()
    found = [person_of[track] if track else shot for shot, track in main.items()]
    precision, recall, f = b_cubed(found, [material.people[shot] for shot in main])
    seen: list[dict[str, set[Hashable]]] = [{}, {}]
    for shot, group in zip(main, found, strict=True):
        seen[not shot.startswith(EPISODES[0])].setdefault(material.people[shot], set()).add(group)
    back = [name for name in seen[0] if name in seen[1]]
    again = sum(bool(seen[0][name] & seen[1][name]) for name in back)
    return {
        "b_cubed_f": f,
        "b_cubed_precision": precision,
        "b_cubed_recall": recall,
        "cannot_link_violations": violations(material.tracks, person_of),
        "persons_across": again / len(back),
    }


def _ms_per_chip(embed: Any, chips: Any) -> float:
    seconds = []
    for chip in chips:
        begin = time.perf_counter()
        embed(chip)
        seconds.append(time.perf_counter() - begin)
    return 1000 * float(np.median(seconds))


def _cost(chips: Any) -> list[Row]:
    import dlib

    embedder = face_embedders.load("dlib-resnet", None, threads=1)
    path = str(dlib_resnet.weights_file(dlib_resnet.WEIGHTS_FILE))
    theirs = dlib.face_recognition_model_v1(path)
    peer = f"dlib-bin {importlib.metadata.version('dlib-bin')}"
    return [
        Row(
            "lobby",
            "ours",
            "ms_per_chip",
            _ms_per_chip(lambda c: embedder.embed(c[None]), chips),
            "ms",
        ),
        Row(
            "lobby", peer, "ms_per_chip", _ms_per_chip(theirs.compute_face_descriptor, chips), "ms"
        ),
    ]


def run() -> list[Row]:
    embedding_settings = EmbeddingSettings()
    settings = identities.IdentitySettings()
    material = gather(data_folder(), embedding_settings)
    embedder = dlib_resnet.DlibResnet(threads=1)
    embeddings = {
        track: track_embedding(track, embedder.version, embedder.embed(chips))
        for track, chips in material.chips.items()
    }
    raw = {track: embedder.descriptors(c).mean(axis=0) for track, c in material.chips.items()}
    systems = {"ours": ours(material, embeddings, settings)}
    systems |= _peers(material, embeddings, raw, settings.show_distance)
    rows = [
        Row("lobby", system, metric, value, "pairs" if metric == "cannot_link_violations" else "")
        for system, groups in systems.items()
        for metric, value in score(material, groups).items()
    ]
    for step in (-0.1, -0.05, 0.05, 0.1):
        moved = settings.model_copy(
            update={
                "episode_distance": settings.episode_distance + step,
                "show_distance": settings.show_distance + step,
            }
        )
        f = score(material, ours(material, embeddings, moved))["b_cubed_f"]
        rows.append(Row("lobby", "ours", f"b_cubed_f.{step:+.2f}", f))
    return rows + _cost(np.concatenate(list(material.chips.values()))[:40])
