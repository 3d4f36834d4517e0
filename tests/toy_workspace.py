"""Workspaces written by hand: tables with expected values, no video needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from caer_build import pipeline, recipes
from caer_build.arrow import to_table
from caer_build.records import Clip, Episode, FaceTrack, Identity, Person, Shot, TrackBox
from caer_build.stages.screening import ScreeningSettings
from caer_build.store import Workspace, write_json

RATE = 25
SCREEN = ScreeningSettings(
    min_frames=30,
    group_faces=2,
    group_share=0.5,
    min_face_px=40,
    min_face_share=0.07,
    min_sharpness=15,
    max_yaw=60,
    min_seen_share=0.6,
)
"""Spelt out, so that expected values stand when the defaults change."""


def episode(episode_id: str = "toy.s01e01", n_frames: int = 500, **changes: Any) -> Episode:
    values: dict[str, Any] = {
        "episode_id": episode_id,
        "show": "toy",
        "season": 1,
        "number": 1,
        "source_name": f"{episode_id}.mp4",
        "source_sha256": episode_id,
        "frame_count": n_frames,
        "frame_rate_num": RATE,
        "frame_rate_den": 1,
        "variable_rate": False,
        "width": 640,
        "height": 360,
        "rotation": 0,
        "sample_aspect": 1.0,
        "duration_s": n_frames / RATE,
        "audio_codec": "aac",
        "audio_rate": 48000,
        "audio_channels": 2,
        "audio_track": 1,
        "timestamps_repaired": False,
        "truncated": False,
    }
    return Episode(**{**values, **changes})


def shot(start: int, end: int, episode_id: str = "toy.s01e01", **changes: Any) -> Shot:
    values: dict[str, Any] = {
        "shot_id": f"{episode_id}-s{start:06d}",
        "episode_id": episode_id,
        "start_frame": start,
        "end_frame": end,
        "start_pts_s": start / RATE,
        "end_pts_s": end / RATE,
        "transition_in": "cut" if start else "start",
        "transition_end_frame": start,
        "boundary_score": 1.0 if start == 0 else 0.97,
    }
    return Shot(**{**values, **changes})


def track(of: Shot, number: int = 0, **changes: Any) -> FaceTrack:
    values: dict[str, Any] = {
        "track_id": f"{of.shot_id}-t{number:02d}",
        "episode_id": of.episode_id,
        "shot_id": of.shot_id,
        "start_frame": of.start_frame,
        "end_frame": of.end_frame,
        "n_detections": 10,
        "seen_share": 1.0,
        "median_face_height": 90.0,
        "yaw": 10.0,
        "sharpness": 80.0,
        "score": 0.9,
    }
    return FaceTrack(**{**values, **changes})


def clip(of: Shot, target: FaceTrack | None = None, **changes: Any) -> Clip:
    """The whole shot as one clip; good enough to be kept where it has a target."""
    values: dict[str, Any] = {
        "clip_id": of.shot_id if target is None else f"{target.track_id}-{of.start_frame:06d}",
        "episode_id": of.episode_id,
        "shot_id": of.shot_id,
        "track_id": None if target is None else target.track_id,
        "person_id": None,
        "start_frame": of.start_frame,
        "end_frame": of.end_frame,
        "start_pts_s": of.start_pts_s,
        "end_pts_s": of.end_pts_s,
        "n_frames": of.end_frame - of.start_frame,
        "seen_share": None if target is None else 1.0,
        "face_height_px": None if target is None else 90.0,
        "face_height_share": None if target is None else 0.25,
        "sharpness": None if target is None else 80.0,
        "yaw": None if target is None else 10.0,
        "n_faces": 0.0 if target is None else 1.0,
        "group_share": 0.0,
        "repeat_of": None,
        "reject_reason": "no_face" if target is None else None,
        "file": None,
        "file_sha256": None,
    }
    return Clip(**{**values, **changes})


@dataclass
class Toy:
    """Tables to be written as a workspace."""

    episodes: list[Episode] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    tracks: list[FaceTrack] = field(default_factory=list)
    boxes: list[TrackBox] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    persons: list[Person] = field(default_factory=list)
    clips: list[Clip] = field(default_factory=list)
    sources: dict[str, Path] = field(default_factory=dict)

    def write(self, root: Path, recipe: str = "quick", failed: Sequence[str] = ()) -> Workspace:
        """Write it.

        Args:
            failed: episodes that have no rows, because their first stage failed.
        """
        workspace = Workspace.create(root)
        screen = [f"screening.{k}={json.dumps(v)}" for k, v in SCREEN.model_dump().items()]
        settings = recipes.load(pipeline.STAGES, recipe, screen)
        write_json(
            root / pipeline.RECIPE,
            {"name": settings.name, "until": None, "settings": settings.as_dict()},
        )
        ids = sorted({*(e.episode_id for e in self.episodes), *failed})
        gone = Path("/nowhere")
        entries = [
            {
                "episode_id": e,
                "show": "toy",
                "season": 1,
                "number": n,
                "sha256": e,
                "path": str(self.sources.get(e, gone / f"{e}.mp4")),
                "size": 1,
                "modified_ns": 1,
            }
            for n, e in enumerate(ids)
        ]
        (root / "sources.json").write_text(json.dumps(entries))
        for name in failed:
            workspace.record_failure(
                "ingest",
                name,
                {
                    "unit": name,
                    "stage": "ingest",
                    "error": "ProbeError",
                    "message": f"{name}.mp4 is empty (0 bytes).",
                    "remedy": "Copy or download it again.",
                },
            )
        workspace.tables.mkdir()
        for record, rows in (
            (Episode, self.episodes),
            (Shot, self.shots),
            (FaceTrack, self.tracks),
            (TrackBox, self.boxes),
            (Identity, self.identities),
            (Person, self.persons),
            (Clip, self.clips),
        ):
            named: Any = record
            table = to_table(record, rows)
            pq.write_table(table, workspace.tables / f"{named.table}.parquet")
        return workspace


def add_episode(toy: Toy, episode_id: str, n_shots: int, person: str | None = None) -> None:
    """An episode of shots of 50 frames, each with one face of the same person and one kept clip."""
    toy.episodes.append(episode(episode_id, 50 * n_shots))
    for number in range(n_shots):
        one = shot(50 * number, 50 * number + 50, episode_id)
        face = track(one)
        toy.shots.append(one)
        toy.tracks.append(face)
        who = person or f"toy-{toy.tracks[0].track_id}"
        toy.identities.append(Identity(face.track_id, episode_id, who, 0.1))
        if who not in {p.person_id for p in toy.persons}:
            toy.persons.append(Person(who, "toy", face.track_id, None, None, None))
        toy.clips.append(clip(one, face, person_id=who))
