"""A finished workspace as large as CAER, with small pictures: every clip of its own, none real."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from caer_build import pipeline, recipes
from caer_build.arrow import schema, to_table
from caer_build.dataset.ballots import Ballot
from caer_build.dataset.labels import counted_votes, facts_about, make_labels
from caer_build.dataset.splitting import split_workspace
from caer_build.records import (
    EMOTIONS,
    Clip,
    ClipBox,
    CountedVote,
    Cut,
    Episode,
    Identity,
    Label,
)
from caer_build.store import Workspace, sha256_of, write_json
from caer_build.tables import save

RATE, N_FRAMES, WIDTH, HEIGHT = 25, 84, 96, 64
_FACE = (30.0, 10.0, 62.0, 50.0)
_CLIPS_AN_EPISODE = 165
_CLIPS_A_PERSON = 11
_ANNOTATORS = 6


@dataclass(frozen=True)
class Answer:
    """One answer of an annotator, as the rules look at it."""

    annotator_id: str
    emotion: str
    confidence_step: int
    confidence_steps: int = 5
    flag: None = None


def synthetic_workspace(cache: Path, n_clips: int) -> Workspace:
    """A workspace of that many kept clips of 84 frames, labelled, and split by show.

    A show has one episode of 165 clips, a person 11 of them, a clip one face. Made once.
    """
    root = cache / f"synthetic-{n_clips}-clips"
    if (root / "done").exists():
        return Workspace.open(root)
    shutil.rmtree(root, ignore_errors=True)
    workspace = Workspace.create(root)
    recipe = recipes.load(pipeline.STAGES, "quick", [])
    saved = {"name": recipe.name, "until": None, "settings": recipe.as_dict()}
    write_json(root / pipeline.RECIPE, saved)
    workspace.clips.mkdir()
    with ProcessPoolExecutor() as pool:
        clips = list(pool.map(partial(_make_clip, workspace), range(n_clips), chunksize=64))
    _write_tables(workspace, clips)
    ballots = list(_ballots(clips))
    facts = facts_about(workspace, ballots, rule="paper", adjudicated=False)
    save(workspace, CountedVote, counted_votes(ballots), facts)
    save(workspace, Label, make_labels(ballots), facts)
    split_workspace(workspace, "show")
    (root / "done").touch()
    return workspace


def _make_clip(workspace: Workspace, number: int) -> Clip:
    episode, place = divmod(number, _CLIPS_AN_EPISODE)
    episode_id, start = f"show{episode:03d}.s01e01", place * (N_FRAMES + 16)
    shot_id = f"{episode_id}-s{start:06d}"
    clip_id = f"{shot_id}-t00-{start:06d}"
    file = workspace.clips / f"{clip_id}.mp4"
    file.write_bytes(_encoded(number))
    person = f"{episode_id}-p{place // _CLIPS_A_PERSON:02d}"
    return Clip(
        clip_id, episode_id, shot_id, f"{shot_id}-t00", person, start, start + N_FRAMES,
        start / RATE, (start + N_FRAMES) / RATE, N_FRAMES, 1.0, 40.0, 0.6, 50.0, 5.0, 1.0, 0.0,
        None, None, f"clips/{file.name}", sha256_of(file),
    )  # fmt: skip


def _encoded(number: int) -> bytes:
    """A texture that drifts: no two frames, and no two clips, look the same."""
    import av
    import cv2

    noise = np.random.default_rng(number).integers(0, 256, (8, 24, 3), np.uint8)
    wide = cv2.resize(noise, (3 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", container_options={"fflags": "+bitexact"}) as target:
        stream = target.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"preset": "ultrafast", "bf": "0", "flags": "+bitexact"}
        stream.codec_context.thread_count = 1
        for index in range(N_FRAMES):
            picture = np.ascontiguousarray(wide[:, 2 * index : 2 * index + WIDTH])
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
    return buffer.getvalue()


def _write_tables(workspace: Workspace, clips: list[Clip]) -> None:
    workspace.tables.mkdir()
    episode_ids = sorted({clip.episode_id for clip in clips})
    rows: dict[type, Iterator[Any]] = {
        Clip: iter(clips),
        Episode: map(_episode, episode_ids),
        Identity: (Identity(f"{c.track_id}", c.episode_id, f"{c.person_id}", 0.1) for c in clips),
        Cut: map(_cut, clips),
    }
    for record, some in rows.items():
        named: Any = record
        pq.write_table(to_table(record, some), workspace.tables / f"{named.table}.parquet")
    boxes = workspace.tables / f"{ClipBox.table}.parquet"
    with pq.ParquetWriter(boxes, schema(ClipBox), compression="zstd") as writer:
        for episode_id in episode_ids:
            mine = [clip for clip in clips if clip.episode_id == episode_id]
            faces = [
                ClipBox(clip.clip_id, frame, f"{clip.track_id}", True, *_FACE, frame % 5 != 0)
                for clip in mine
                for frame in range(N_FRAMES)
            ]
            writer.write_table(to_table(ClipBox, faces))


def _episode(episode_id: str) -> Episode:
    n_frames = _CLIPS_AN_EPISODE * (N_FRAMES + 16)
    return Episode(
        episode_id, episode_id.split(".", maxsplit=1)[0], 1, 1, f"{episode_id}.mp4", episode_id,
        n_frames, RATE, 1, False, WIDTH, HEIGHT, 0, 1.0, n_frames / RATE, None, None, None, None,
        False, False,
    )  # fmt: skip


def _cut(clip: Clip) -> Cut:
    last_s = clip.end_pts_s - 1 / RATE
    return Cut(
        clip.clip_id, clip.episode_id, clip.start_frame, clip.end_frame, clip.start_frame,
        clip.end_frame, clip.start_pts_s, last_s, clip.end_pts_s, None, f"{clip.file_sha256}",
    )  # fmt: skip


def _ballots(clips: list[Clip]) -> Iterator[Ballot]:
    """Three answers a clip that agree, sure enough to be kept."""
    choice = random.Random(0)
    for number, clip in enumerate(sorted(clips, key=lambda c: c.clip_id)):
        emotion = choice.choice(EMOTIONS)
        people = (f"p{(number + k) % _ANNOTATORS}" for k in range(3))
        said = tuple(sorted((Answer(who, emotion, 3) for who in people), key=_author))
        yield Ballot(clip.clip_id, said, None, 3)


def _author(answer: Answer) -> str:
    return answer.annotator_id
