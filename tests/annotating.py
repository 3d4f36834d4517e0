"""Small annotation projects with known people and clips, without media."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count

from sqlalchemy import insert

from caer_build.annotation import tables as t
from caer_build.annotation.answers import Answer
from caer_build.annotation.database import Database
from caer_build.annotation.founding import found
from caer_build.annotation.leasing import Lease
from caer_build.annotation.office import Office
from caer_build.annotation.project import Face, FrozenClip, ProjectSettings

_requests = count()


def frozen(number: int, shot: int | None = None, has_audio: bool = True) -> FrozenClip:
    """A clip of two frames of a 64x36 picture."""
    shot_id = f"lobby.s01e01-s{(number if shot is None else shot):06d}"
    return FrozenClip(
        clip_id=f"{shot_id}-t00-{number:06d}",
        show="lobby",
        episode_id="lobby.s01e01",
        shot_id=shot_id,
        person_id="lobby.s01e01-s000000-t00-p",
        source_sha256="0" * 64,
        start_frame=number,
        end_frame=number + 2,
        length_ms=80,
        width=64,
        height=36,
        has_audio=has_audio,
        file_sha256="1" * 64,
        times_ms=(0, 40),
        faces=(Face(True, ((1.0, 2.0, 11.0, 12.0), None)),),
    )


@dataclass
class Clock:
    """Time that stands still until it is moved."""

    ms: int = 1_700_000_000_000

    def __call__(self) -> int:
        return self.ms

    def pass_s(self, seconds: float) -> None:
        """Moves it."""
        self.ms += round(seconds * 1000)


@dataclass
class Project:
    """A project with people and clips."""

    database: Database
    office: Office
    clock: Clock
    people: list[int] = field(default_factory=list)

    def add_person(self, role: str = "annotator", qualified: bool = True) -> int:
        """A person who may begin at once."""
        number = len(self.people) + 1
        with self.database.writing() as connection:
            annotator_id: int = connection.execute(
                insert(t.annotator)
                .values(
                    alias=f"a{number:03d}", name=f"Person {number}", role=role,
                    created_at=self.clock(), qualified_at=self.clock() if qualified else None,
                )
                .returning(t.annotator.c.annotator_id)
            ).scalar_one()  # fmt: skip
        self.people.append(annotator_id)
        return annotator_id


def make_project(
    database: Database,
    n_clips: int = 10,
    n_people: int = 3,
    clips: Sequence[FrozenClip] | None = None,
    **settings: object,
) -> Project:
    """A project without gold, repeats or practice, unless ``settings`` ask for them."""
    plain: dict[str, object] = {"gold_share": 0.0, "repeat_share": 0.0}
    wanted = ProjectSettings.model_validate(plain | settings)
    all_clips = clips if clips is not None else [frozen(k) for k in range(n_clips)]
    placed = [(c, f"p{k:05d}", k) for k, c in enumerate(all_clips)]
    found(database, wanted, placed)
    clock = Clock()
    project = Project(database, Office(database, clock), clock)
    for _ in range(n_people):
        project.add_person()
    return project


def answer_to(lease: Lease, emotion: str | None = "Happy", **changes: object) -> Answer:
    """An answer as the page sends it, with a request id of its own."""
    usual: dict[str, object] = {
        "request_id": f"request-{next(_requests):06d}",
        "public_id": lease.public_id,
        "ticket": lease.ticket,
        "emotion": emotion,
        "flag": None,
        "reason": None,
        "confidence_step": None if emotion is None else 3,
        "shown_ms": 4000,
        "waited_ms": 0,
        "play_count": 1,
        "heard": True,
        "speed": 100,
        "audio_on": True,
    }
    return Answer(**(usual | changes))  # type: ignore[arg-type]
