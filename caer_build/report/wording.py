"""Shots, tracks, clips and results in words, a line or two each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from caer_build import pipeline
from caer_build.records import Clip, Episode, FaceTrack, Override, Shot
from caer_build.report.material import Material
from caer_build.report.thresholds import THRESHOLDS, failing, relaxed, why
from caer_build.report.timeline_svg import time_in_shot
from caer_build.sources import printable
from caer_build.stages.screening import first_reason
from caer_build.units import owner_of

Sections = Mapping[str, Iterable[str]]
"""lines by the title under which they stand; those without lines are left out"""


def written(title: str, verdict: str, sections: Sections) -> str:
    """An explanation as plain text."""
    lines = [title, f"  {verdict}"]
    for name, body in sections.items():
        inside = [f"  {line}" for line in body]
        if inside:
            lines += ["", name, *inside]
    return "\n".join(lines)


def plural(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def span(start_frame: int, end_frame: int, start_s: float, end_s: float) -> str:
    """A span in frames, the last one named, and in seconds."""
    return (
        f"frames {start_frame} to {end_frame - 1} ({end_frame - start_frame}), "
        f"{start_s:.2f} to {end_s:.2f} s"
    )


def source_lines(m: Material, episode_id: str) -> list[str]:
    """The file behind an episode."""
    source = m.sources.get(episode_id)
    lines = []
    if source is not None:
        gone = "" if source.path.is_file() else " (no longer there)"
        lines.append(f"{printable(str(source.path))}{gone}")
        lines.append(f"sha256 {source.sha256}")
    episode = next((e for e in m.episodes if e.episode_id == episode_id), None)
    if episode is not None:
        lines += _episode_lines(episode)
    return lines


def _episode_lines(e: Episode) -> list[str]:
    sound = f"sound {e.audio_codec}" if e.audio_track is not None else "no sound"
    rate = f"{e.frame_rate_num / e.frame_rate_den:.5g} fps"
    varies = " (variable)" if e.variable_rate else ""
    size = f"{e.width}x{e.height}"
    lines = [f"{e.frame_count} frames, {e.duration_s:.2f} s, {size}, {rate}{varies}, {sound}"]
    if e.truncated:
        lines.append("The file breaks off or is damaged: what could be decoded was used.")
    return lines


def shot_line(shot: Shot) -> str:
    where = span(shot.start_frame, shot.end_frame, shot.start_pts_s, shot.end_pts_s)
    if shot.transition_in == "start":
        return f"{where}; the episode begins with it"
    if shot.transition_in == "cut":
        return f"{where}; entered by a cut (score {shot.boundary_score:.2f})"
    length = shot.transition_end_frame - shot.start_frame
    return (
        f"{where}; entered by a {shot.transition_in} over its first {plural(length, 'frame')} "
        f"(score {shot.boundary_score:.2f})"
    )


def track_line(m: Material, track: FaceTrack) -> str:
    shot = m.shot_of[track.shot_id]
    times = [time_in_shot(shot, f) for f in (track.start_frame, track.end_frame)]
    yaw = "head turn unknown" if track.yaw is None else f"head turned {track.yaw:.0f}°"
    return (
        f"{span(track.start_frame, track.end_frame, *times)}; "
        f"{plural(track.n_detections, 'detection')}, seen {100 * track.seen_share:.0f} % of it, "
        f"face {track.median_face_height:.0f} px high, sharpness {track.sharpness:.1f}, {yaw}"
    )


def person_line(m: Material, track_id: str) -> str:
    """Who a track is and how near it is to that person."""
    found = next((i for i in m.identities if i.track_id == track_id), None)
    if found is None:
        return "nobody: the person was deleted, or the build has not come that far"
    person = next((p for p in m.persons if p.person_id == found.person_id), None)
    name = f' "{person.name}"' if person is not None and person.name else ""
    return (
        f"{found.person_id}{name}, at a cosine distance of {found.distance:.3f} "
        "from that person's mean face"
    )


def identity_rules(m: Material) -> list[str]:
    """The settings that decide how near two tracks must be to be one person."""
    section = m.recipe["identities"]
    fields = type(section).model_fields
    return [
        f"identities.{name} = {getattr(section, name):g}: {field.description}"
        for name, field in fields.items()
        if "distance" in name
    ]


def clip_line(m: Material, clip: Clip) -> str:
    sentence = why(clip, m.screening, m.decided.get(clip.clip_id))
    return f"{clip.clip_id}: {plural(clip.n_frames, 'frame')}. {sentence}"


def score_lines(m: Material, clip: Clip) -> list[str]:
    """Every test of the screen in the order in which it is made, and whether the clip passes."""
    if clip.reject_reason == "person_deleted":
        return ["Its scores were deleted with the person."]
    settings, shot = m.screening, m.shot_of[clip.shot_id]
    counts = first_reason(clip, shot, settings)
    failed = {t.setting for t in failing(clip, settings)}
    outside = min(clip.end_frame, shot.end_frame) - max(clip.start_frame, shot.transition_end_frame)
    repeat = clip.repeat_of or "nothing"
    rows = [("transition", "outside transitions", f"{max(outside, 0)} frames", "at least 1")]
    verdicts = [outside > 0]
    for t in THRESHOLDS:
        if t.reason == "group":
            found = "none" if clip.track_id is None else "followed"
            rows.append(("no_face", "a face", found, "needed"))
            verdicts.append(clip.track_id is not None)
            needed = "nothing" if settings.drop_repeats else "anything"
            rows.append(("repeat", "repeats", repeat, needed))
            verdicts.append(clip.repeat_of is None or not settings.drop_repeats)
        if clip.track_id is None and t.reason.startswith("ambiguous"):
            continue
        limit = f"{t.demand} {t.write(t.limit(settings))}"
        rows.append((t.reason, t.name, t.write(t.score(clip)), limit))
        verdicts.append(t.setting not in failed)
    widths = [max(len(row[i]) for row in rows) for i in (1, 2)]
    lines, told = [], False
    for (reason, name, value, limit), passes in zip(rows, verdicts, strict=True):
        here = not passes and reason == counts and not told
        told |= here
        mark = "ok" if passes else "NO"
        word = "the reason" if clip.reject_reason == reason else "not the reason, decided by hand"
        tail = f"  <- {word}: {reason}" if here else ""
        lines.append(f"{mark}  {name:<{widths[0]}}  {value:<{widths[1]}}  {limit}{tail}")
    return lines


def change_lines(m: Material, clip: Clip) -> list[str]:
    """What would give a clip another fate."""
    work = m.workspace.root
    if clip.reject_reason == "person_deleted":
        return ["Nothing: a deletion is not undone by other settings."]
    lines = []
    if clip.reject_reason is None:
        if not failing(clip, m.screening):
            lines += _limits(clip)
        lines.append(f"By hand: caer clip reject {work} {clip.clip_id}")
        return lines
    if clip.reject_reason != "by_hand":
        changes = relaxed(clip, m.shot_of[clip.shot_id], m.screening)
        if changes is None:
            lines.append("No setting of the screen would keep it.")
        else:
            sets = " ".join(f"--set screening.{k}={_toml(v)}" for k, v in changes.items())
            lines.append(f"These settings would keep it: caer build EPISODES -o {work} {sets}")
    if clip.track_id is not None:
        lines.append(f"By hand: caer clip keep {work} {clip.clip_id}")
    return lines


def _limits(clip: Clip) -> list[str]:
    """How far each threshold could go before it rejects a clip that passes them all."""
    found = []
    for t in THRESHOLDS:
        score = t.score(clip)
        if t.reason == "group" or score is None or (t.unit == "share" and score >= 1):
            continue
        found.append(
            f"Rejected if screening.{t.setting} were {_stricter(t.demand)} {t.write(score)}"
        )
    return found


def _stricter(demand: str) -> str:
    return "above" if demand == "at least" else "below"


def _toml(value: float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def decision_lines(overrides: Sequence[Override]) -> list[str]:
    """What people decided, oldest first."""
    lines = []
    for o in overrides:
        value = f" {o.value}" if o.value else ""
        lines.append(f"{o.action} {o.target}{value}: {o.reason or 'no reason given'}")
    return lines


def result_lines(m: Material, episode_id: str) -> Iterator[str]:
    """The stage results behind an episode's rows."""
    source = m.sources.get(episode_id)
    if source is None:
        return
    for stage in pipeline.STAGES:
        result = m.results.get((stage.name, owner_of(stage, source)))
        if result is None:
            yield f"{stage.name:<11} not there"
            continue
        versions = ", ".join(result.manifest["versions"])
        yield (
            f"{stage.name:<11} {result.key}  version {result.manifest['version']}, "
            f"{result.manifest['seconds']:.1f} s" + (f"; {versions}" if versions else "")
        )
