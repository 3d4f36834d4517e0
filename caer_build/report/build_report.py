"""``caer report``: one HTML file that shows what a build came to.

The file needs nothing beside it but, for playing clips, the workspace's folder ``clips``. However
many episodes there are, its size is bounded by the numbers below.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from caer_build import __version__
from caer_build.records import REJECT_REASONS, Clip, Episode, Shot
from caer_build.report.contact_sheet import Face, faces_of
from caer_build.report.environment import environment
from caer_build.report.filmstrip import filmstrip
from caer_build.report.funnel import funnel
from caer_build.report.histograms import axis_marks, histogram
from caer_build.report.made_by import stage_facts
from caer_build.report.material import Material, gather
from caer_build.report.numbers import citation, episode_rows, headlines, length, named
from caer_build.report.palette import Standing
from caer_build.report.pictures import data_address
from caer_build.report.samples import Photographer, choose_kept, choose_rejected
from caer_build.report.thresholds import REASON_NAMES, THRESHOLDS, why
from caer_build.report.timeline_svg import Drawing, clock, draw
from caer_build.report.what_if import what_if
from caer_build.store import Workspace, write_atomically

MAX_TIMELINES = 24
MAX_BARS = 16_000
"""over all timelines; a 42-minute episode has about 3,000"""
MAX_PORTRAITS = 24
MAX_PERSONS = 300
CHARTED = tuple(t for t in THRESHOLDS if t.reason != "group")
"""A shot mostly is a group or is not: there is nothing to see in a histogram of that."""


@dataclass(frozen=True)
class Timeline:
    """One episode drawn in full."""

    episode: Episode
    drawing: Drawing
    film: str | None
    clips: tuple[tuple[Clip, str], ...]
    """every row and the sentence on its fate: what the drawing says, as a table"""


@dataclass(frozen=True)
class Portrait:
    """A person of the contact sheet."""

    standing: Standing
    n_clips: int
    faces: tuple[Face, ...]
    joined: tuple[tuple[str, str], ...]
    """who else turned out to be this person, and why"""


def write_report(workspace: Workspace, out: Path | None) -> Path:
    """Write the report of a workspace.

    Args:
        out: the HTML file, or a folder for it; by default the workspace, beside its clips.

    Raises:
        StoreError: if nothing was built there yet, or the file cannot be written.
    """
    place = (out or workspace.root).absolute()
    path = place / "report.html" if place.is_dir() else place
    material = gather(workspace)
    write_atomically(path, render(material, path.parent).encode("utf-8"))
    return path


def render(material: Material, beside: Path) -> str:
    """The report as HTML.

    Args:
        beside: the folder it will lie in; clips are linked relative to it.
    """
    m = material
    photographer = Photographer(m, beside)
    persons = [s.person.person_id for s in m.roll.standings]
    counts: Counter[str | None] = Counter(c.reject_reason for c in m.clips)
    rejected = [
        (r, counts[r], photographer.shoot(choose_rejected(m.clips, r, m.screening)))
        for r in REJECT_REASONS
        if counts[r]
    ]
    timelines = list(_timelines(m))
    return (
        environment(clock=clock, length_s=length, marks=axis_marks, named=named)
        .get_template("build.html.jinja")
        .render(
            m=m,
            version=__version__,
            made=time.strftime("%d %B %Y, %H:%M"),
            headlines=headlines(m),
            episode_rows=episode_rows(m),
            funnel=funnel(m.clips),
            reason_names=REASON_NAMES,
            timelines=timelines,
            portraits=_portraits(m),
            n_persons=len(persons),
            n_portraits=MAX_PORTRAITS,
            kept=photographer.shoot(choose_kept(m.clips, persons)),
            rejected=rejected,
            histograms=[h for t in CHARTED if (h := histogram(m.clips, t, m.screening))],
            trials=what_if(m.clips, m.shot_of, m.screening),
            stages=stage_facts(m),
            citation=citation(m.screening, m.clips, m.recipe.name, __version__),
        )
    )


def _timelines(m: Material) -> Iterator[Timeline]:
    """The first episodes, until there are as many bars as a browser draws gladly."""
    shots: dict[str, list[Shot]] = {}
    for shot in m.shots:
        shots.setdefault(shot.episode_id, []).append(shot)
    n_bars = 0
    for number, episode in enumerate(m.episodes):
        own_tracks = [t for t in m.tracks if t.episode_id == episode.episode_id]
        own_clips = [c for c in m.clips if c.episode_id == episode.episode_id]
        own_shots = sorted(shots.get(episode.episode_id, []), key=lambda s: s.start_frame)
        n_bars += len(own_shots) + len(own_tracks) + len(own_clips)
        if number == MAX_TIMELINES or (number > 0 and n_bars > MAX_BARS):
            return
        sentence = partial(_sentence, m)
        features = m.stored("scan", episode.episode_id, "features.zst")
        drawing = draw(
            episode=episode,
            shots=own_shots,
            tracks=own_tracks,
            clips=own_clips,
            roll=m.roll,
            say_why=sentence,
            with_film=features is not None,
        )
        film = filmstrip(features, own_shots, drawing.stretch) if features else None
        ordered = sorted(own_clips, key=lambda c: (c.start_frame, c.clip_id))
        yield Timeline(
            episode,
            drawing,
            data_address(film) if film else None,
            tuple((c, sentence(c)) for c in ordered),
        )


def _sentence(m: Material, clip: Clip) -> str:
    return why(clip, m.screening, m.decided.get(clip.clip_id))


def _portraits(m: Material) -> list[Portrait]:
    n_clips = Counter(c.person_id for c in m.clips if c.reject_reason is None)
    joined: dict[str, list[tuple[str, str]]] = {}
    for p in m.persons:
        if p.merged_into is not None:
            joined.setdefault(p.merged_into, []).append((p.person_id, p.merged_because or ""))
    shown = m.roll.standings[:MAX_PERSONS]
    faces = faces_of(m, shown[:MAX_PORTRAITS])
    return [
        Portrait(
            s,
            n_clips[s.person.person_id],
            tuple(faces.get(s.person.person_id, ())),
            tuple(joined.get(s.person.person_id, ())),
        )
        for s in shown
    ]
