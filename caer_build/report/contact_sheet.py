"""The best faces of each person, from the crops that the scan stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from caer_build.arrays import read_piece
from caer_build.records import FaceCrop, FaceDetection, FaceTrack, TrackDetection
from caer_build.report.material import Material
from caer_build.report.palette import Standing
from caer_build.report.pictures import data_address, square

CROPS_A_PERSON = 6
CROP_PX = 112


@dataclass(frozen=True)
class Face:
    """A crop to show: of which track and frame."""

    track_id: str
    frame: int
    picture: str
    """a ``data:`` address"""


def quality(detection: FaceDetection) -> float:
    """How good a face is to look at: large, sharp, turned to the viewer; higher is better."""
    frontal = math.cos(math.radians(min(abs(detection.yaw or 0.0), 90.0)))
    sharp = min(1.0, detection.sharpness / 100)
    large = min(1.0, (detection.y2 - detection.y1) / 160)
    return detection.score * large * (0.2 + 0.8 * sharp) * (0.2 + 0.8 * frontal)


def best_tracks(tracks: Sequence[FaceTrack], count: int) -> list[FaceTrack]:
    """The tracks with the largest, sharpest faces, at most ``count``; ties by id."""
    return sorted(
        tracks,
        key=lambda t: (
            -min(1.0, t.median_face_height / 160) * (0.2 + min(0.8, t.sharpness / 125)),
            t.track_id,
        ),
    )[:count]


def best_of_parts(detections: Sequence[FaceDetection], count: int) -> list[FaceDetection]:
    """The best detection of each of ``count`` equal parts of a track, so that they differ."""
    ordered = sorted(detections, key=lambda d: (d.frame, d.index))
    count = min(count, len(ordered))
    edges = [len(ordered) * i // count for i in range(count + 1)] if count else [0]
    parts = [ordered[a:b] for a, b in pairwise(edges)]
    return [max(part, key=lambda d: (quality(d), -d.frame)) for part in parts]


def faces_of(material: Material, shown: Sequence[Standing]) -> dict[str, list[Face]]:
    """The crops to show of each person, by person_id; fewer where the scan's are not there."""
    own: dict[str, list[FaceTrack]] = {s.person.person_id: [] for s in shown}
    for track in material.tracks:
        person = material.roll.of_track.get(track.track_id)
        if person in own:
            own[person].append(track)
    chosen: dict[str, tuple[str, int]] = {}
    by_episode: dict[str, list[FaceTrack]] = {}
    for person, tracks in own.items():
        best = best_tracks(tracks, CROPS_A_PERSON)
        for rank, track in enumerate(best):
            share = CROPS_A_PERSON // len(best) + (rank < CROPS_A_PERSON % len(best))
            chosen[track.track_id] = (person, share)
            by_episode.setdefault(track.episode_id, []).append(track)
    faces: dict[str, list[Face]] = {person: [] for person in own}
    for episode, tracks in by_episode.items():
        shares = {t.track_id: chosen[t.track_id][1] for t in tracks}
        for face in _from_episode(material, episode, shares):
            faces[chosen[face.track_id][0]].append(face)
    return faces


def _from_episode(material: Material, episode: str, shares: Mapping[str, int]) -> list[Face]:
    file = material.stored("scan", episode, "crops.bin")
    if file is None:
        return []
    rows = material.stored_rows("scan", episode, FaceDetection)
    detections = {(d.frame, d.index): d for d in rows}
    crops = {(c.frame, c.index): c for c in material.stored_rows("scan", episode, FaceCrop)}
    members: dict[str, list[FaceDetection]] = {track: [] for track in shares}
    for m in material.stored_rows("tracks", episode, TrackDetection):
        if m.track_id in members and (m.frame, m.index) in crops:
            members[m.track_id].append(detections[m.frame, m.index])
    found = []
    for track, own in members.items():
        for detection in best_of_parts(own, shares[track]):
            crop = crops[detection.frame, detection.index]
            jpeg = read_piece(file, crop.offset, crop.length)
            found.append(Face(track, detection.frame, data_address(square(jpeg, CROP_PX))))
    return found
