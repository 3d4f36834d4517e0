"""``caer report``: one HTML file that shows what a build came to.

The file needs nothing beside it but, for playing clips, the workspace's folder ``clips``. However
many episodes there are, its size is bounded by the numbers below: the first ones are drawn at once,
the others lie packed in the page until they are opened.
"""

from __future__ import annotations

import base64
import gzip
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

MAX_TIMELINES = 1000
"""A 42-minute episode takes about 60 kB when it is packed."""
MAX_OPEN = 24
MAX_OPEN_BARS = 9_000
"""over the timelines that are drawn at once; a 42-minute episode has about 3,000"""
MAX_PORTRAITS = 24
MAX_PERSONS = 300
CHARTED = tuple(t for t in THRESHOLDS if t.reason != "group")
"""A shot mostly is a group or is not: there is nothing to see in a histogram of that."""


@dataclass(frozen=True)
class Drawn:
    """What is drawn of an episode, and said of it in a table."""

    number: int
    episode: Episode
    drawing: Drawing
    film: str | None
    clips: tuple[tuple[Clip, str], ...]
    """every row and the sentence on its fate: what the drawing says, as a table"""


@dataclass(frozen=True)
class Timeline:
    """One episode in the page: as HTML, or packed (gzip, base64) until somebody opens it."""

    episode: Episode
    n_clips: int
    n_kept: int
    html: Markup
    packed: str | None


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
    templates = environment(clock=clock, length_s=length, marks=axis_marks, named=named)
    timelines = list(_timelines(m, templates.get_template("timeline.html.jinja")))
    return templates.get_template("build.html.jinja").render(
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


def _timelines(m: Material, template: Template) -> Iterator[Timeline]:
    """Every episode; as HTML until there are as many bars as a browser draws gladly."""
    from markupsafe import Markup

    n_bars = 0
    for drawn in islice(_drawn(m), MAX_TIMELINES):
        n_bars += len(drawn.drawing.bars)
        html = template.render(t=drawn, roll=m.roll)
        is_open = drawn.number == 0 or (drawn.number < MAX_OPEN and n_bars <= MAX_OPEN_BARS)
        yield Timeline(
            drawn.episode,
            len(drawn.clips),
            sum(clip.reject_reason is None for clip, _ in drawn.clips),
            Markup(html if is_open else ""),
            None if is_open else _packed(html),
        )


def _packed(html: str) -> str:
    """As the script of the page unpacks it; the same bytes every time."""
    return base64.b64encode(gzip.compress(html.encode("utf-8"), mtime=0)).decode("ascii")


def _drawn(m: Material) -> Iterator[Drawn]:
    shots, tracks, clips = (_by_episode(rows) for rows in (m.shots, m.tracks, m.clips))
    for number, episode in enumerate(m.episodes):
        own_clips: list[Clip] = clips[episode.episode_id]
        own_shots: list[Shot] = sorted(shots[episode.episode_id], key=lambda s: s.start_frame)
        sentence = partial(_sentence, m)
        features = m.stored("scan", episode.episode_id, "features.zst")
        drawing = draw(
            episode=episode,
            shots=own_shots,
            tracks=tracks[episode.episode_id],
            clips=own_clips,
            roll=m.roll,
            say_why=sentence,
            with_film=features is not None,
        )
        film = filmstrip(features, own_shots, drawing.stretch) if features else None
        ordered = sorted(own_clips, key=lambda c: (c.start_frame, c.clip_id))
        yield Drawn(
            number,
            episode,
            drawing,
            data_address(film) if film else None,
            tuple((c, sentence(c)) for c in ordered),
        )


def _by_episode(rows: Sequence[Any]) -> dict[str, list[Any]]:
    found = defaultdict(list)
    for row in rows:
        found[row.episode_id].append(row)
    return found


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
