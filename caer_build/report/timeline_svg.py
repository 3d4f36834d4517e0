"""The timeline of an episode as bars: where each lies, how it looks, what it says.

::

    shots    [######|~~::::::::|#########]     ~ a gradual transition
    faces      =A=====   =B=====               one row for each face on screen at a time
    clips      [ok]      [no]                  one row for each clip at a time

Places are per cent of the episode's duration, so that the drawing can be stretched in the browser
without distorting heights or letters.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from caer_build.records import Clip, Episode, FaceTrack, Shot
from caer_build.report.palette import Roll
from caer_build.report.thresholds import REASON_NAMES, SHORT_NAMES

ROW_PX = 15
BAR_PX = 12
SHOT_PX = 14
RULER_PX = 16
FILM_PX = 42
GAP_PX = 7
MAX_ROWS = 12
"""Of more faces or clips than this at one time the last row says how many there are."""
SECONDS_A_SCREEN = 120.0
"""Longer episodes are wider than the screen, and scroll."""
_SCREEN_PX = 800
_LETTER_PX = 6.5
"""What fits on a bar is reckoned for a screen and letters of this width."""


@dataclass(frozen=True)
class Bar:
    """One rectangle: x and width in per cent, y and height in px."""

    x: float
    width: float
    y: float
    height: float
    css: str
    tip: str
    letter: str = ""


@dataclass(frozen=True)
class Tick:
    """A mark of the ruler, at x per cent."""

    x: float
    text: str


@dataclass(frozen=True)
class Lane:
    """The name of a band of rows, at y px."""

    name: str
    y: float


@dataclass(frozen=True)
class Drawing:
    """Everything the template needs to draw one episode."""

    height: float
    stretch: float
    """how many screens wide it is drawn"""
    film_y: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    lanes: tuple[Lane, ...]


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    whole = int(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def rows_of(spans: Sequence[tuple[float, float]], max_rows: int = MAX_ROWS) -> list[int]:
    """A row for each span such that spans of one row do not overlap; spans come by start.

    What finds no room in ``max_rows`` goes to the row after them, where spans may overlap.
    """
    ends: list[float] = []
    rows = []
    for start, end in spans:
        free = next((i for i, e in enumerate(ends) if e <= start + 1e-9), None)
        if free is None:
            free = len(ends)
            if free == max_rows:
                rows.append(free)
                continue
            ends.append(end)
        ends[free] = max(ends[free], end)
        rows.append(free)
    return rows


def ruler(duration_s: float, wanted: int) -> list[tuple[float, str]]:
    """Round times from 0 to the end, about ``wanted`` of them: (seconds, text)."""
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
    step = next((s for s in steps if duration_s / s <= wanted), steps[-1])
    return [(t, clock(t)) for t in range(0, math.ceil(duration_s), step)]


def time_in_shot(shot: Shot, frame: int) -> float:
    """When a frame of a shot appears, seconds; exact where the rate is constant in the shot."""
    share = (frame - shot.start_frame) / (shot.end_frame - shot.start_frame)
    return shot.start_pts_s + share * (shot.end_pts_s - shot.start_pts_s)


def draw(
    *,
    episode: Episode,
    shots: Sequence[Shot],
    tracks: Sequence[FaceTrack],
    clips: Sequence[Clip],
    roll: Roll,
    say_why: Callable[[Clip], str],
    with_film: bool = True,
) -> Drawing:
    """Lay out one episode.

    Args:
        shots, tracks, clips: of this episode; the shots in order.
        roll: letters and colours of persons.
        say_why: the sentence on a clip's fate.
        with_film: leave room for a strip of pictures.
    """
    origin = shots[0].start_pts_s if shots else 0.0
    total = max(episode.duration_s, 1e-6)
    by_id = {s.shot_id: s for s in shots}

    def across(start_s: float, end_s: float) -> tuple[float, float]:
        x = 100 * (start_s - origin) / total
        return round(x, 4), round(max(100 * (end_s - origin) / total - x, 0.0), 4)

    def fitting(text: str, start_s: float, end_s: float) -> str:
        room_px = (end_s - start_s) / total * _SCREEN_PX * stretch
        return text if _LETTER_PX * len(text) + 4 <= room_px else ""

    stretch = max(1.0, round(total / SECONDS_A_SCREEN, 2))
    lanes = [Lane("pictures", RULER_PX + FILM_PX / 2)] if with_film else []
    y = RULER_PX + GAP_PX + (FILM_PX if with_film else 0)
    lanes.append(Lane("shots", y + SHOT_PX / 2))
    bars = _shot_bars(shots, y, across)
    y += SHOT_PX + GAP_PX

    timed = sorted(
        ((_track_span(t, by_id), t) for t in tracks), key=lambda pair: (pair[0], pair[1].track_id)
    )
    rows = rows_of([span for span, _ in timed])
    beyond: list[tuple[float, float, str]] = []
    for ((start, end), track), row in zip(timed, rows, strict=True):
        mark = roll.mark(track.track_id)
        tip = (
            f"{track.track_id}\n{mark.text}\n{clock(start - origin)}-{clock(end - origin)}, "
            f"face {track.median_face_height:.0f} px, seen {100 * track.seen_share:.0f} %"
        )
        if row == MAX_ROWS:
            beyond.append((start, end, f"{track.track_id}, {mark.text}"))
            continue
        letter = fitting(mark.letter, start, end)
        bars.append(Bar(*across(start, end), y + row * ROW_PX, BAR_PX, mark.css, tip, letter))
    bars += _more_bars(beyond, y + MAX_ROWS * ROW_PX, "face", across)
    lanes.append(Lane("faces", y + BAR_PX / 2))
    y += (max(rows, default=0) + 1) * ROW_PX + GAP_PX

    ordered = sorted(clips, key=lambda c: (c.start_pts_s, c.clip_id))
    rows = rows_of([(c.start_pts_s, c.end_pts_s) for c in ordered])
    beyond = []
    for clip, row in zip(ordered, rows, strict=True):
        kept = clip.reject_reason is None
        fate = "kept" if kept else REASON_NAMES[str(clip.reject_reason)]
        if row == MAX_ROWS:
            beyond.append((clip.start_pts_s, clip.end_pts_s, f"{clip.clip_id}: {fate}"))
            continue
        tip = f"{clip.clip_id}\n{clip.n_frames} frames: {fate}\n{say_why(clip)}"
        word = "✓" if kept else SHORT_NAMES[str(clip.reject_reason)]
        letter = fitting(word, clip.start_pts_s, clip.end_pts_s)
        place = across(clip.start_pts_s, clip.end_pts_s)
        css = "kept" if kept else ("none" if clip.track_id is None else "rejected")
        bars.append(Bar(*place, y + row * ROW_PX, BAR_PX, css, tip, letter))
    bars += _more_bars(beyond, y + MAX_ROWS * ROW_PX, "clip", across)
    lanes.append(Lane("clips", y + BAR_PX / 2))
    y += (max(rows, default=0) + 1) * ROW_PX

    ticks = tuple(
        Tick(round(100 * t / total, 4), text) for t, text in ruler(total, round(13 * stretch))
    )
    return Drawing(y, stretch, RULER_PX, tuple(bars), ticks, tuple(lanes))


def _track_span(track: FaceTrack, shots: Mapping[str, Shot]) -> tuple[float, float]:
    shot = shots[track.shot_id]
    return time_in_shot(shot, track.start_frame), time_in_shot(shot, track.end_frame)


def _more_bars(
    beyond: Sequence[tuple[float, float, str]],
    y: float,
    thing: str,
    across: Callable[[float, float], tuple[float, float]],
) -> list[Bar]:
    """One bar for each run of spans that found no row: how many there are, and which."""
    runs: list[tuple[float, float, list[str]]] = []
    for start, end, text in beyond:
        if runs and start < runs[-1][1]:
            first, last, texts = runs[-1]
            runs[-1] = (first, max(last, end), [*texts, text])
        else:
            runs.append((start, end, [text]))
    bars = []
    for start, end, texts in runs:
        tip = "\n".join([f"{len(texts)} more {thing}{'s' if len(texts) > 1 else ''}:", *texts])
        bars.append(Bar(*across(start, end), y, BAR_PX, "more", tip, f"+{len(texts)} more"))
    return bars


def _shot_bars(
    shots: Sequence[Shot], y: float, across: Callable[[float, float], tuple[float, float]]
) -> list[Bar]:
    bars = []
    for number, shot in enumerate(shots):
        length = shot.end_frame - shot.start_frame
        came = "the episode begins" if shot.transition_in == "start" else shot.transition_in
        tip = (
            f"{shot.shot_id}\nframes {shot.start_frame}-{shot.end_frame - 1} ({length}), "
            f"{shot.end_pts_s - shot.start_pts_s:.1f} s\nentered by: {came} "
            f"(score {shot.boundary_score:.2f})"
        )
        css = "shot even" if number % 2 == 0 else "shot odd"
        bars.append(Bar(*across(shot.start_pts_s, shot.end_pts_s), y, SHOT_PX, css, tip))
        if shot.transition_end_frame > shot.start_frame:
            end_s = time_in_shot(shot, shot.transition_end_frame)
            frames = shot.transition_end_frame - shot.start_frame
            tip = f"{shot.transition_in} into {shot.shot_id}\n{frames} frames"
            bars.append(Bar(*across(shot.start_pts_s, end_s), y, SHOT_PX, "gradual", tip))
    return bars
