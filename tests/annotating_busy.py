"""A project in the middle of its work: people, weeks of answers, gold, repeats and ties.

What is said of each clip is drawn from the ten votes that people gave to a picture of FER+, so
agreement and confusions are those of people. Everything is written past the rules that guard the
work, in bulk; the database's own constraints hold all the same.
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from sqlalchemy import Table, insert, update

from caer_build.annotation import tables as t
from caer_build.annotation.database import Database
from caer_build.annotation.founding import found
from caer_build.annotation.office import Office
from caer_build.annotation.project import Face, FrozenClip, ProjectSettings
from tests.annotating import Clock, Project

NAMES = (
    "Maren Lindqvist", "Tomás Ferreira", "Aiko Tanaka", "Ruth Oyelaran", "Jonas Weber",
    "Priya Nair", "Lena Kovač", "Samuel Okafor",
)  # fmt: skip
HASTY = "Jonas Weber"
"""presses one key, and faster than the clips last"""
_COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "unknown")
_EMOTIONS = ("Neutral", "Happy", "Surprise", "Sad", "Anger", "Disgust", "Fear", None)
_REASONS = ("no sound", "the picture stands still", "the face is not in sight")
_DAY_MS = 24 * 3600 * 1000
_ROWS = 5000


@dataclass(frozen=True, slots=True)
class Said:
    """One answer before it is written."""

    clip: int
    person: int
    purpose: str
    slot: int | None
    shown_at: int
    answered_at: int
    emotion: str | None
    flag: str | None
    reason: str | None
    step: int | None
    revision: int = 1


def clip_of(number: int, has_audio: bool = True) -> FrozenClip:
    """A clip of two to six seconds, with a face that wanders."""
    random = Random(number)
    n_frames = random.randrange(50, 150)
    shot = f"lobby.s01e{number % 9 + 1:02d}-s{number * 40:06d}"
    left, top = random.uniform(60, 300), random.uniform(30, 90)
    boxes = tuple(
        (
            round(left + k * 0.4, 1),
            round(top, 1),
            round(left + 120 + k * 0.4, 1),
            round(top + 150, 1),
        )
        for k in range(n_frames)
    )
    return FrozenClip(
        clip_id=f"{shot}-t00-{number * 40:06d}",
        show="lobby",
        episode_id=f"lobby.s01e{number % 9 + 1:02d}",
        shot_id=shot,
        person_id=f"lobby.s01e01-s{number % 11:06d}-t00-p",
        source_sha256="0" * 64,
        start_frame=number * 40,
        end_frame=number * 40 + n_frames,
        length_ms=n_frames * 40,
        width=640,
        height=360,
        has_audio=has_audio,
        file_sha256="1" * 64,
        times_ms=tuple(range(0, n_frames * 40, 40)),
        faces=(Face(True, boxes),),
    )


def busy_project(
    database: Database,
    votes_csv: Path,
    *,
    n_clips: int = 300,
    n_people: int = 6,
    share_done: float = 0.75,
    seed: int = 1,
    now_ms: int = Clock().ms,
    **settings: object,
) -> Project:
    """A project with a manager, an adjudicator and ``n_people`` annotators at work.

    Args:
        votes_csv: ``ferplus_votes.csv``.
        share_done: of each annotator's answers.
        now_ms: around when the last of them are given.
    """
    wanted = ProjectSettings.model_validate(
        {"title": "Lobby, first season", "gold_share": 0.05} | settings
    )
    clips = [clip_of(k) for k in range(n_clips)]
    found(database, wanted, [(c, f"{k:018x}", k) for k, c in enumerate(clips)])
    clock = Clock(now_ms)
    project = Project(database, Office(database, clock), clock)
    random = Random(seed)
    shares = _shares(votes_csv, n_clips, random)
    n_gold = min(24, n_clips // 5)
    gold = {k: _likeliest(shares[k]) for k in random.sample(range(n_clips), n_gold)}
    practice = set(list(gold)[: n_gold // 2])
    _hire(project, n_people)
    said = list(_all_said(project, clips, shares, gold, practice, share_done, random))
    clock.ms = max(s.answered_at for s in said) + 60_000
    _write(project, clips, said, gold, practice)
    return project


def _shares(votes_csv: Path, n: int, random: Random) -> list[dict[str | None, int]]:
    """Of ``n`` pictures how many people saw each emotion (None: none of them)."""
    with votes_csv.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = []
    for row in random.choices(rows, k=n):
        counts = {e: int(row[c]) for e, c in zip(_EMOTIONS, _COLUMNS, strict=True) if int(row[c])}
        found.append(counts or {"Neutral": 1})
    return found


def _likeliest(counts: dict[str | None, int]) -> str:
    return max((n, e) for e, n in counts.items() if e is not None or len(counts) == 1)[1] or "Sad"


def _hire(project: Project, n_people: int) -> None:
    roles = ["manager", "adjudicator", *["annotator"] * n_people]
    extra = [f"Annotator {k}" for k in range(len(NAMES), n_people)]
    names = ["Dr. Ines Albrecht", "Yusuf Demir", *(*NAMES, *extra)[:n_people]]
    began = project.clock.ms - 10 * _DAY_MS
    with project.database.writing() as connection:
        for number, (role, name) in enumerate(zip(roles, names, strict=True), start=1):
            project.people.append(
                connection.execute(
                    insert(t.annotator)
                    .values(
                        alias=f"a{number:03d}", name=name, role=role, created_at=began,
                        qualified_at=began, consented_at=began, consent_sha256="2" * 64,
                        languages="German, English",
                    )
                    .returning(t.annotator.c.annotator_id)
                ).scalar_one()
            )  # fmt: skip
        _insert(connection, t.knows_show, [
            {"annotator_id": person, "show": "lobby", "knows": person % 2 == 0, "at": began}
            for person in project.people
        ])  # fmt: skip


def _all_said(  # noqa: PLR0917
    project: Project,
    clips: Sequence[FrozenClip],
    shares: Sequence[dict[str | None, int]],
    gold: dict[int, str],
    practice: set[int],
    share_done: float,
    random: Random,
) -> Iterator[Said]:
    annotators = project.people[2:]
    n_slots = project.office.settings.votes_per_clip
    todo: dict[int, list[tuple[int, str]]] = {p: [] for p in annotators}
    for clip in range(len(clips)):
        for person in random.sample(annotators, n_slots):
            todo[person].append((clip, "vote"))
    slots = Counter[int]()
    hasty = next((p for p, n in zip(annotators, NAMES, strict=False) if n == HASTY), None)
    for person in annotators:
        mine = {clip for clip, _ in todo[person]}
        work = todo[person][: round(len(todo[person]) * share_done)]
        unseen = [k for k in gold if k not in mine]
        for clip in unseen:
            at = 0 if clip in practice else random.randrange(len(work) + 1)
            work.insert(at, (clip, "practice" if clip in practice else "gold"))
        seen = [clip for clip, purpose in work[: len(work) // 2] if purpose == "vote"]
        for clip in random.sample(seen, len(seen) // 20):
            work.insert(random.randrange(len(work) * 2 // 3, len(work) + 1), (clip, "repeat"))
        now = (project.clock.ms // _DAY_MS - 8) * _DAY_MS + random.randrange(480, 700) * 60_000
        a_day = max(60_000, len(work) * 6500 // 7)
        until = now + round(a_day * random.uniform(0.7, 1.3))
        own: dict[int, str | None] = {}
        for clip, purpose in work:
            if now > until:
                now = (now // _DAY_MS + 1) * _DAY_MS + random.randrange(480, 700) * 60_000
                until = now + round(a_day * random.uniform(0.7, 1.3))
            said = _one_answer(clips[clip], clip, shares[clip], person, purpose, now,
                               person == hasty, own.get(clip), random)  # fmt: skip
            if purpose == "vote":
                slots[clip] += 1
                own[clip] = said.emotion
            slot = slots[clip] if purpose == "vote" else None
            said = _with(said, slot=slot)
            yield said
            if purpose == "vote" and said.emotion and random.random() < 0.02:
                later = said.answered_at + 9000
                yield _with(said, slot=slot, revision=2, answered_at=later,
                            emotion=_likeliest(shares[clip]))  # fmt: skip
                now = later
            # The next clip is there at once; now and then somebody looks away.
            now = said.answered_at + (random.randrange(60, 900) if random.random() < 0.97
                                      else random.randrange(60_000, 1_200_000))  # fmt: skip


def _one_answer(  # noqa: PLR0917
    clip: FrozenClip,
    number: int,
    counts: dict[str | None, int],
    person: int,
    purpose: str,
    now: int,
    is_hasty: bool,
    before: str | None,
    random: Random,
) -> Said:
    [emotion] = random.choices(list(counts), list(counts.values()))
    if before is not None and random.random() < 0.8:
        emotion = before
    share = counts.get(emotion, 1) / sum(counts.values())
    sure = min(4, max(0, round(4 * (0.3 + 0.65 * share + random.gauss(0, 0.15)))))
    took = round(clip.length_ms * random.choice((1, 1, 1, 2)) + random.lognormvariate(7.4, 0.5))
    if is_hasty:
        took, emotion, sure = round(clip.length_ms * random.uniform(0.3, 0.9)), "Neutral", 4
    flag, reason = None, None
    if random.random() < 0.008:
        emotion, flag, reason = None, "broken", random.choice(_REASONS)
    elif emotion is None:
        flag = "cannot_tell"
    return Said(
        number, person, purpose, None, now, now + took, emotion, flag, reason,
        None if emotion is None else sure,
    )  # fmt: skip


def _with(said: Said, **changes: Any) -> Said:
    values = {name: getattr(said, name) for name in Said.__slots__}
    return Said(**(values | changes))


def _write(
    project: Project,
    clips: Sequence[FrozenClip],
    said: Sequence[Said],
    gold: dict[int, str],
    practice: set[int],
) -> None:
    ids = [c.clip_id for c in clips]
    manager = project.people[0]
    held = [s for s in said if s.purpose == "vote" and s.revision == 1]
    with project.database.writing() as connection:
        for clip, emotion in gold.items():
            connection.execute(
                update(t.clip)
                .where(t.clip.c.clip_id == ids[clip])
                .values(gold_emotion=emotion, gold_reason="Everybody in the room agreed on it.",
                        gold_by=manager, is_practice=clip in practice)
            )  # fmt: skip
        take = update(t.slot)
        for row in (
            {"annotator_id": s.person, "ticket": f"t{n}", "leased_at": s.shown_at, "answered": True,
             "clip": ids[s.clip], "number": s.slot}
            for n, s in enumerate(held)
        ):  # fmt: skip
            where = (t.slot.c.clip_id == row.pop("clip")) & (t.slot.c.slot == row.pop("number"))
            connection.execute(take.where(where).values(row))
        for clip, n in Counter(s.clip for s in held).items():
            connection.execute(
                update(t.clip)
                .where(t.clip.c.clip_id == ids[clip])
                .values(n_open=t.clip.c.n_slots - n)
            )
        errands = [s for s in said if s.purpose != "vote"]
        _insert(connection, t.errand, [
            {"clip_id": ids[s.clip], "annotator_id": s.person, "purpose": s.purpose,
             "ticket": f"e{n}", "leased_at": s.shown_at, "answered": True}
            for n, s in enumerate(errands)
        ])  # fmt: skip
        in_order = sorted(said, key=lambda s: s.answered_at)
        _insert(connection, t.vote, [
            {"request_id": f"busy-{n:08d}", "clip_id": ids[s.clip], "annotator_id": s.person,
             "purpose": s.purpose, "slot": s.slot, "revision": s.revision, "emotion": s.emotion,
             "flag": s.flag, "reason": s.reason, "confidence_step": s.step, "confidence_steps": 5,
             "shown_at": s.shown_at, "answered_at": s.answered_at, "received_at": s.answered_at,
             "play_count": 1, "speed": 100, "audio_on": True}
            for n, s in enumerate(in_order)
        ])  # fmt: skip
        together: dict[int, list[int]] = defaultdict(list)
        for s in held:
            together[s.clip].append(s.person)
        pairs = Counter(p for who in together.values() for p in combinations(sorted(who), 2))
        _insert(connection, t.pair, [
            {"first": a, "second": b, "n_clips": n} for (a, b), n in pairs.items()
        ])  # fmt: skip


def _insert(connection: Any, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _ROWS):
        connection.execute(insert(table), list(rows[start : start + _ROWS]))
