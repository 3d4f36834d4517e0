"""An annotation project: its settings, and the clips that were frozen for it.

A project takes its clips from a workspace once. Each is copied (linked, where the disk can) to
``WORK/annotation/clips/<public id>.mp4`` and its source, span and boxes are recorded, so a later
build cannot put other pictures behind votes that were given.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import from_json
from sqlalchemy import Connection, insert, select, text, update

from caer_build.annotation import tables as t
from caer_build.errors import VoteError

STEP_WORDS: Mapping[int, tuple[str, ...]] = {
    5: (
        "I am guessing.",
        "More likely wrong than right, but nothing fits better.",
        "About as likely right as wrong.",
        "I am fairly sure.",
        "I am certain.",
    ),
    11: (
        "A pure guess.",
        "Hardly more than a guess.",
        "Very unsure.",
        "Unsure.",
        "Rather unsure.",
        "About as likely right as wrong.",
        "A little more sure than not.",
        "Rather sure.",
        "Sure.",
        "Very sure.",
        "Certain.",
    ),
}
_CHUNK = 500
_PROJECT = "project"
SECRET = "secret"
"""the setting that holds the project's key for signing"""


class ProjectSettings(BaseModel):
    """What holds for the whole project; set when it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str = Field("Emotions in clips", max_length=200, description="shown to annotators")
    votes_per_clip: int = Field(3, ge=1, le=25, description="different people a clip")
    confidence_steps: int = Field(5, description="5 or 11 steps of confidence")
    lease_s: int = Field(300, ge=30, le=86_400, description="a clip is kept for its annotator (s)")
    begun_share: float = Field(
        0.4, ge=0, le=1, description="share of clips that may be begun and not finished"
    )
    gold_share: float = Field(0.05, ge=0, le=0.5, description="share of gold clips mixed in")
    repeat_share: float = Field(0.03, ge=0, le=0.5, description="share of own clips shown again")
    repeat_after: int = Field(50, ge=1, description="answers between a clip and its repeat")
    practice_clips: int = Field(5, ge=0, le=50, description="gold clips of the qualification round")
    practice_share: float = Field(0.6, ge=0, le=1, description="share of them to get right")
    break_after_min: int = Field(45, ge=5, le=480, description="a break is suggested after (min)")
    seed: int = Field(0, ge=0, description="of every random choice")
    consent: str = Field(
        "Your answers are stored under a number, not under your name, and used for research. "
        "Some clips show people in distress. You may pass on any clip and stop at any time.",
        description="the text that annotators agree to; the lab's own",
    )

    def model_post_init(self, _context: Any) -> None:
        if self.confidence_steps not in STEP_WORDS:
            raise ValueError(f"expected 5 or 11 confidence steps, found {self.confidence_steps}")


@dataclass(frozen=True, slots=True)
class Face:
    """One face in a clip.

    Attributes:
        boxes: for each frame (x1, y1, x2, y2) in px of the clip's picture, or None.
    """

    is_target: bool
    boxes: tuple[tuple[float, float, float, float] | None, ...]


@dataclass(frozen=True, slots=True)
class FrozenClip:
    """A clip as a project knows it.

    Attributes:
        times_ms: when each frame is shown, from the clip's start.
    """

    clip_id: str
    show: str
    episode_id: str
    shot_id: str
    person_id: str | None
    source_sha256: str
    start_frame: int
    end_frame: int
    length_ms: int
    width: int
    height: int
    has_audio: bool
    file_sha256: str
    times_ms: tuple[int, ...]
    faces: tuple[Face, ...]

    def packed(self) -> bytes:
        """Times and boxes as they are stored: compressed JSON."""
        faces = [{"target": f.is_target, "boxes": f.boxes} for f in self.faces]
        return zlib.compress(json.dumps({"times_ms": self.times_ms, "faces": faces}).encode())


def unpacked(packed: bytes) -> dict[str, Any]:
    """The JSON of :meth:`FrozenClip.packed`; of a clip that was withdrawn, no frames and faces."""
    if not packed:
        return {"times_ms": [], "faces": []}
    found: dict[str, Any] = from_json(zlib.decompress(packed))
    return found


def save_settings(connection: Connection, settings: ProjectSettings) -> None:
    """Writes the settings of a new project.

    Raises:
        VoteError: if there is a project already.
    """
    if connection.scalar(select(t.setting.c.key).where(t.setting.c.key == _PROJECT)) is not None:
        raise VoteError("The database holds a project already.", "Give another one with --db.")
    connection.execute(insert(t.setting).values(key=_PROJECT, value=settings.model_dump_json()))


def load_settings(connection: Connection) -> ProjectSettings:
    """The project's settings.

    Raises:
        VoteError: if there is no project.
    """
    value = connection.scalar(select(t.setting.c.value).where(t.setting.c.key == _PROJECT))
    if value is None:
        raise VoteError("The database holds no project.", "Make one: caer annotate init WORK")
    return ProjectSettings.model_validate_json(value)


def add_clips(
    connection: Connection,
    clips: Sequence[tuple[FrozenClip, str, int]],
    votes_per_clip: int,
) -> None:
    """Adds clips with their open slots.

    Args:
        clips: each with its public id and its position in the random order.
    """
    rows = [
        {
            "clip_id": c.clip_id, "public_id": public_id, "position": position, "show": c.show,
            "episode_id": c.episode_id, "shot_id": c.shot_id, "person_id": c.person_id,
            "source_sha256": c.source_sha256, "start_frame": c.start_frame,
            "end_frame": c.end_frame, "length_ms": c.length_ms, "width": c.width,
            "height": c.height, "has_audio": c.has_audio, "file_sha256": c.file_sha256,
            "faces": c.packed(), "n_slots": votes_per_clip, "n_open": votes_per_clip,
        }
        for c, public_id, position in clips
    ]  # fmt: skip
    for start in range(0, len(rows), _CHUNK):
        connection.execute(insert(t.clip), rows[start : start + _CHUNK])
    slots = [
        {"clip_id": row["clip_id"], "slot": number}
        for row in rows
        for number in range(1, votes_per_clip + 1)
    ]
    for start in range(0, len(slots), _CHUNK):
        connection.execute(insert(t.slot), slots[start : start + _CHUNK])
    # PostgreSQL would else read all slots to find the few that are held, until it happens to look.
    # SQLite must not look now: that nobody holds any would keep it from its indexes ever after.
    if connection.dialect.name == "postgresql":
        for table in (t.clip, t.slot):
            connection.execute(text(f"ANALYZE {table.name}"))


def raise_votes(connection: Connection, clip_ids: Sequence[str], votes: int) -> int:
    """Lets clips take ``votes`` answers where they take fewer; how many clips that changed.

    Raises:
        VoteError: if the project has no such clip, or not any more.
    """
    changed = 0
    for clip_id in clip_ids:
        row = connection.execute(
            select(t.clip.c.n_slots)
            .where(t.clip.c.clip_id == clip_id, t.clip.c.withdrawn_at.is_(None))
            .with_for_update()
        ).first()
        if row is None:
            raise VoteError(f"The project has no clip {clip_id}.")
        new = range(row.n_slots + 1, votes + 1)
        if not new:
            continue
        # The clip first: the database refuses a slot that its clip does not need.
        connection.execute(
            update(t.clip)
            .where(t.clip.c.clip_id == clip_id)
            .values(n_slots=votes, n_open=t.clip.c.n_open + len(new))
        )
        connection.execute(insert(t.slot), [{"clip_id": clip_id, "slot": n} for n in new])
        changed += 1
    return changed
