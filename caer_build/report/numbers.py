"""The headline numbers of a build, and those of each episode."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from caer_build.records import Clip
from caer_build.report.material import Material
from caer_build.stages.screening import ScreeningSettings


@dataclass(frozen=True)
class Headline:
    """One big number, what it counts, and a remark."""

    value: str
    name: str
    remark: str = ""


@dataclass(frozen=True)
class EpisodeRow:
    """One episode in numbers."""

    episode_id: str
    seconds: float
    size: str
    rate: str
    n_shots: int
    n_gradual: int
    n_tracks: int
    n_persons: int
    n_candidates: int
    n_kept: int
    remarks: tuple[str, ...]


def length(seconds: float) -> str:
    """A duration in the unit that suits it."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def named(number: int, thing: str) -> str:
    """The thing in singular or plural, without its number."""
    return thing if number == 1 else thing + "s"


@dataclass(frozen=True)
class Footage:
    """What clips show: a shot of two people gives a clip of each, with the same pictures."""

    distinct_s: float
    """seconds of the episodes that are in any clip, each counted once"""
    n_sharing: int
    """clips of which a picture is in another clip, too"""


def footage(clips: Sequence[Clip]) -> Footage:
    """Measure the union of the clips' spans."""
    own: defaultdict[str, list[Clip]] = defaultdict(list)
    for clip in clips:
        own[clip.episode_id].append(clip)
    distinct_s, sharing = 0.0, set()
    for of_one in own.values():
        # The clip that reaches furthest of those before tells of every overlap.
        furthest: Clip | None = None
        for clip in sorted(of_one, key=lambda c: (c.start_frame, c.end_frame)):
            if furthest is not None and clip.start_frame < furthest.end_frame:
                sharing |= {clip.clip_id, furthest.clip_id}
                distinct_s += max(0.0, clip.end_pts_s - furthest.end_pts_s)
            else:
                distinct_s += clip.end_pts_s - clip.start_pts_s
            if furthest is None or clip.end_frame > furthest.end_frame:
                furthest = clip
    return Footage(distinct_s, len(sharing))


def headlines(material: Material) -> list[Headline]:
    """The numbers at the head of the report."""
    kept = [c for c in material.clips if c.reject_reason is None]
    source_s = sum(e.duration_s for e in material.episodes)
    clips_s = sum(c.end_pts_s - c.start_pts_s for c in kept)
    frames = sum(c.n_frames for c in kept)
    n_gradual = sum(s.transition_end_frame > s.start_frame for s in material.shots)
    n_with_clips = len({c.person_id for c in kept if c.person_id is not None})
    average = f"{frames / len(kept):.0f}" if kept else "-"
    shown = footage(kept)
    share = f"{100 * shown.distinct_s / source_s:.0f} %" if source_s else ""
    of_source, sharing = f"{share} of the footage" if share else "", ""
    if shown.n_sharing:
        of_source = f"{length(shown.distinct_s)} of distinct footage ({share})"
        sharing = f"; {shown.n_sharing:,} share their picture with another"
    n_episodes, n_shots, n_tracks, n_persons = (
        len(material.episodes),
        len(material.shots),
        len(material.tracks),
        len(material.roll.standings),
    )
    candidates = f"of {len(material.clips):,} {named(len(material.clips), 'candidate')}"
    return [
        Headline(f"{n_episodes:,}", named(n_episodes, "episode"), length(source_s)),
        Headline(f"{n_shots:,}", named(n_shots, "shot"), f"{n_gradual:,} entered gradually"),
        Headline(f"{n_tracks:,}", named(n_tracks, "face track")),
        Headline(f"{n_persons:,}", named(n_persons, "person"), f"{n_with_clips:,} with clips"),
        Headline(f"{len(kept):,}", named(len(kept), "clip") + " kept", candidates + sharing),
        Headline(length(clips_s), "of clips", of_source),
        Headline(average, "frames a clip", "on average"),
    ]


def episode_rows(material: Material) -> list[EpisodeRow]:
    """A row for each episode, in order of ids."""
    shots = Counter(s.episode_id for s in material.shots)
    gradual = Counter(
        s.episode_id for s in material.shots if s.transition_end_frame > s.start_frame
    )
    tracks = Counter(t.episode_id for t in material.tracks)
    persons = Counter(e for e, _ in {(i.episode_id, i.person_id) for i in material.identities})
    candidates = Counter(c.episode_id for c in material.clips)
    kept = Counter(c.episode_id for c in material.clips if c.reject_reason is None)
    rows = []
    for e in material.episodes:
        remarks = []
        if e.truncated:
            remarks.append("breaks off or is damaged: what could be decoded was used")
        if e.variable_rate:
            remarks.append("variable frame rate")
        if e.audio_track is None:
            remarks.append("no sound")
        rows.append(
            EpisodeRow(
                episode_id=e.episode_id,
                seconds=e.duration_s,
                size=f"{e.width}×{e.height}",
                rate=f"{e.frame_rate_num / e.frame_rate_den:.5g} fps",
                n_shots=shots[e.episode_id],
                n_gradual=gradual[e.episode_id],
                n_tracks=tracks[e.episode_id],
                n_persons=persons[e.episode_id],
                n_candidates=candidates[e.episode_id],
                n_kept=kept[e.episode_id],
                remarks=tuple(remarks),
            )
        )
    return rows


def citation(settings: ScreeningSettings, clips: Sequence[Clip], recipe: str, version: str) -> str:
    """The screen in a sentence that can stand in a paper."""
    s = settings
    n_kept = sum(c.reject_reason is None for c in clips)
    repeats = " and show no footage seen earlier in the show" if s.drop_repeats else ""
    return (
        f"We kept {n_kept:,} of {len(clips):,} candidate clips (caer-build {version}, recipe "
        f"{recipe}): those that have at least {s.min_frames} frames within one shot{repeats}; come "
        f"from shots of which less than {100 * s.group_share:g} % shows more than "
        f"{s.group_faces} faces of comparable size; and whose target face has a median height of "
        f"at least {s.min_face_px:g} px and {100 * s.min_face_share:g} % of the picture's, a "
        f"median sharpness (variance of the Laplacian at 64×64 px) of at least "
        f"{s.min_sharpness:g}, a median head turn of at most {s.max_yaw:g}°, and is detected "
        f"in at least {100 * s.min_seen_share:g} % of the clip."
    )
