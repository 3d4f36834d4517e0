"""``caer explain``: everything that led to an episode, shot, track, clip or person, in words."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from caer_build.errors import CaerError
from caer_build.records import Clip, FaceTrack, Person, Shot
from caer_build.report.clip_labels import after_the_build
from caer_build.report.funnel import funnel
from caer_build.report.material import Material, gather
from caer_build.report.thresholds import REASON_NAMES, why
from caer_build.report.wording import (
    Sections,
    change_lines,
    clip_line,
    decision_lines,
    identity_rules,
    person_line,
    plural,
    result_lines,
    score_lines,
    shot_line,
    source_lines,
    track_line,
    written,
)
from caer_build.store import Workspace

_N_MATCHES = 5


def explain(workspace: Workspace, id_: str) -> str:
    """Everything known about an id of the workspace, as plain text.

    Args:
        id_: of an episode, shot, track, clip or person.

    Raises:
        CaerError: if there is no such id; it names those that look like it.
        StoreError: if nothing was built there yet.
    """
    m = gather(workspace)
    shot = m.shot_of.get(id_)
    track = next((t for t in m.tracks if t.track_id == id_), None)
    clip = next((c for c in m.clips if c.clip_id == id_), None)
    person = next((p for p in m.persons if p.person_id == id_), None)
    # A shot without a face has a row of the same id among the clips: both are told.
    if shot is not None:
        return written(*_of_shot(m, shot))
    if clip is not None:
        return written(*_of_clip(m, clip))
    if track is not None:
        return written(*_of_track(m, track))
    if person is not None:
        return written(*_of_person(m, person))
    if id_ in m.sources or any(e.episode_id == id_ for e in m.episodes):
        return written(*_of_episode(m, id_))
    raise CaerError(f"Nothing in {workspace.root} is called {id_}.", _suggestion(m, id_))


def _suggestion(m: Material, id_: str) -> str:
    known = [
        *m.sources,
        *(s.shot_id for s in m.shots),
        *(t.track_id for t in m.tracks),
        *(c.clip_id for c in m.clips),
        *(p.person_id for p in m.persons),
    ]
    named = [p.person_id for p in m.persons if p.name and p.name.lower() == id_.lower()]
    begins = [k for k in known if id_ and k.startswith(id_)]
    near = [*named, *begins[:_N_MATCHES], *get_close_matches(id_, known, _N_MATCHES)]
    if not near:
        return "Ids stand in the tables, in the report, and in the names of clips."
    return f"Did you mean {', '.join(list(dict.fromkeys(near))[:_N_MATCHES])}?"


def _fate(clip: Clip) -> str:
    return "kept" if clip.reject_reason is None else f"rejected ({clip.reject_reason})"


def _decided(m: Material, *targets: str | None) -> list[str]:
    ids = {t for t in targets if t is not None}
    return decision_lines([o for o in m.overrides if o.target in ids or o.value in ids])


def _of_clip(m: Material, clip: Clip) -> tuple[str, str, Sections]:
    track = next((t for t in m.tracks if t.track_id == clip.track_id), None)
    shot = m.shot_of[clip.shot_id]
    others = [t for t in m.tracks if t.shot_id == clip.shot_id and t.track_id != clip.track_id]
    frames = f"frames {clip.start_frame} to {clip.end_frame - 1} ({clip.n_frames})"
    sections: dict[str, Iterable[str]] = {
        "Span": [f"{frames}, {clip.start_pts_s:.2f} to {clip.end_pts_s:.2f} s"],
        "File": [f"{clip.file} (sha256 {clip.file_sha256})"] if clip.file else [],
        "The screen": score_lines(m, clip),
        "What would change it": change_lines(m, clip),
        "Decisions by hand": _decided(m, clip.clip_id, clip.person_id),
        "Target": [] if track is None else [track.track_id, track_line(m, track)],
        "Person": [] if track is None else [person_line(m, track.track_id)],
        "Other faces in the shot": [f"{t.track_id}: {track_line(m, t)}" for t in others],
        **after_the_build(m.workspace, clip.clip_id),
        "Shot": [shot.shot_id, shot_line(shot)],
        "Source": source_lines(m, clip.episode_id),
        "Results it came from": result_lines(m, clip.episode_id),
    }
    verdict = why(clip, m.screening, m.decided.get(clip.clip_id))
    return f"Clip {clip.clip_id}: {_fate(clip)}", verdict, sections


def _of_shot(m: Material, shot: Shot) -> tuple[str, str, Sections]:
    tracks = [t for t in m.tracks if t.shot_id == shot.shot_id]
    clips = [c for c in m.clips if c.shot_id == shot.shot_id]
    faceless = next((c for c in clips if c.clip_id == shot.shot_id), None)
    n_kept = sum(c.reject_reason is None for c in clips)
    sections: dict[str, Iterable[str]] = {
        "Span": [shot_line(shot)],
        "Faces": (
            f"{t.track_id}: {track_line(m, t)}; {person_line(m, t.track_id)}" for t in tracks
        ),
        "Clips": (clip_line(m, c) for c in clips),
        "The screen": [] if faceless is None else score_lines(m, faceless),
        "Decisions by hand": _decided(m, *(c.clip_id for c in clips)),
        "Source": source_lines(m, shot.episode_id),
        "Results it came from": result_lines(m, shot.episode_id),
    }
    verdict = (
        f"{plural(len(tracks), 'face')} followed, {plural(len(clips), 'candidate')}, {n_kept} kept."
    )
    return f"Shot {shot.shot_id}", verdict, sections


def _of_track(m: Material, track: FaceTrack) -> tuple[str, str, Sections]:
    shot = m.shot_of[track.shot_id]
    clips = [c for c in m.clips if c.track_id == track.track_id]
    together = [
        t.track_id
        for t in m.tracks
        if t.shot_id == track.shot_id
        and t.track_id != track.track_id
        and min(t.end_frame, track.end_frame) > max(t.start_frame, track.start_frame)
    ]
    sections: dict[str, Iterable[str]] = {
        "Span and looks": [track_line(m, track)],
        "Person": [person_line(m, track.track_id), *identity_rules(m)],
        "On screen with (so other persons)": together,
        "Clips": (clip_line(m, c) for c in clips),
        "Shot": [shot.shot_id, shot_line(shot)],
        "Source": source_lines(m, track.episode_id),
        "Results it came from": result_lines(m, track.episode_id),
    }
    n_kept = sum(c.reject_reason is None for c in clips)
    return f"Face track {track.track_id}", f"{plural(len(clips), 'clip')}, {n_kept} kept.", sections


def _of_person(m: Material, person: Person) -> tuple[str, str, Sections]:
    work = m.workspace.root
    name = f' "{person.name}"' if person.name else ""
    if person.merged_into is not None:
        verdict = f"Turned out to be {person.merged_into}: {person.merged_because or 'no reason'}."
        decisions = {"Decisions by hand": _decided(m, person.person_id)}
        return f"Person {person.person_id}{name}", verdict, decisions
    distances = {i.track_id: i.distance for i in m.identities if i.person_id == person.person_id}
    tracks = [t for t in m.tracks if t.track_id in distances]
    clips = [c for c in m.clips if c.person_id == person.person_id]
    joined = [p for p in m.persons if p.merged_into == person.person_id]
    sections: dict[str, Iterable[str]] = {
        "Named after": [f"the face track {person.founder_track_id}"],
        "Tracks (cosine distance to the mean face)": (
            f"{distances[t.track_id]:.3f}  {t.track_id}: {track_line(m, t)}" for t in tracks
        ),
        "Rules": identity_rules(m),
        "Joined with": (f"{p.person_id}: {p.merged_because or 'no reason'}" for p in joined),
        "Clips": (clip_line(m, c) for c in clips),
        "Decisions by hand": _decided(m, person.person_id),
        "What you can do": [
            f"caer person name {work} {person.person_id} NAME",
            f"caer person merge {work} {person.person_id} OTHER",
            f"caer person delete {work} {person.person_id}",
        ],
    }
    n_kept = sum(c.reject_reason is None for c in clips)
    n_episodes = len({t.episode_id for t in tracks})
    verdict = (
        f"{plural(len(tracks), 'track')} in {plural(n_episodes, 'episode')}, "
        f"{plural(n_kept, 'clip')} kept of {len(clips)}."
    )
    return f"Person {person.person_id}{name}", verdict, sections


def _of_episode(m: Material, episode_id: str) -> tuple[str, str, Sections]:
    clips = [c for c in m.clips if c.episode_id == episode_id]
    shots = [s for s in m.shots if s.episode_id == episode_id]
    n_tracks = sum(t.episode_id == episode_id for t in m.tracks)
    persons = {i.person_id for i in m.identities if i.episode_id == episode_id}
    counted = funnel(clips)
    gradual = sum(s.transition_end_frame > s.start_frame for s in shots)
    source = m.sources.get(episode_id)
    units = {episode_id, source.show if source is not None else episode_id}
    failures = [f for f in m.failures if f.unit in units]
    sections: dict[str, Iterable[str]] = {
        "What failed": (f"{f.stage}: {f.message} {f.remedy}" for f in failures),
        "Source": source_lines(m, episode_id),
        "Found": [
            f"{plural(len(shots), 'shot')}, {gradual} entered gradually",
            f"{plural(n_tracks, 'face track')} of {plural(len(persons), 'person')}",
            f"{plural(counted.n_candidates, 'candidate')}",
        ],
        "The funnel": [
            *(
                f"-{s.n_taken:<5} {REASON_NAMES[s.reason]} ({s.reason}), {s.n_left} left"
                for s in counted.steps
                if s.n_taken
            ),
            f" {counted.n_kept:<5} kept",
        ],
        "Results": result_lines(m, episode_id),
    }
    verdict = (
        f"{counted.n_kept} of {plural(counted.n_candidates, 'candidate')} kept."
        if not failures
        else f"It failed at {failures[0].stage}: the tables have not everything of it, or nothing."
    )
    return f"Episode {episode_id}", verdict, sections
