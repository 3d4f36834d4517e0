"""Votes as Label Studio's JSON, and back.

A task is a clip and an annotation of it is a vote. Label Studio keeps little of what it imports
(no ids, no times, and only authors that it knows), but it keeps ``result`` as it is, so a vote
that was exported stands whole in the ``meta`` of its answer and comes back as it was. An
annotation that was made, or changed, in Label Studio has no such vote behind it: then its author
is ``completed_by``, its time ``created_at``, and what Label Studio does not measure is stored as
no play, normal speed and sound off.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, Any
from xml.sax.saxutils import quoteattr

from caer_build.annotation.vote_files import COLUMNS, Entry, entry
from caer_build.errors import SchemaError
from caer_build.records import EMOTIONS, Vote

_VOTE = "caer_vote"
_FLAGS = ("cannot_tell", "broken")
_PROMPTS = {"cannot_tell": "Cannot tell", "broken": "Broken clip"}
_ALSO = {"Angry": "Anger", **{shown: flag for flag, shown in _PROMPTS.items()}}
_MS = 1000


@dataclass(frozen=True, slots=True)
class Place:
    """What a project's annotations from Label Studio are read with.

    Attributes:
        clip_ids: of the clips, by the stem of their video's name.
        confidence_steps: how many stars a rating has.
    """

    clip_ids: Mapping[str, str]
    confidence_steps: int


def labeling_config(confidence_steps: int) -> str:
    """The labeling interface that the exported annotations fit, as Label Studio's XML."""
    choices = "".join(
        f"\n    <Choice value={quoteattr(_shown(answer))}/>" for answer in (*EMOTIONS, *_FLAGS)
    )
    return f"""<View>
  <Video name="clip" value="$video"/>
  <Choices name="answer" toName="clip" choice="single" required="true" showInline="true">{choices}
  </Choices>
  <Header value="How sure are you?"/>
  <Rating name="confidence" toName="clip" maxRating="{confidence_steps}"/>
  <Header value="What is broken?"/>
  <TextArea name="reason" toName="clip" maxSubmissions="1"/>
</View>
"""


def write_label_studio(file: IO[bytes], votes: Iterable[Vote], videos: Mapping[str, str]) -> None:
    """Writes tasks with annotations that a project of Label Studio can import.

    Args:
        votes: all of one clip after the other.
        videos: for each clip_id the address at which Label Studio finds it.
    """
    file.write(b"[")
    for number, (clip_id, its_votes) in enumerate(groupby(votes, lambda vote: vote.clip_id)):
        task = {
            "data": {"video": videos[clip_id], "clip_id": clip_id},
            "annotations": [_annotation(vote) for vote in its_votes],
        }
        file.write(b",\n" if number else b"\n")
        file.write(json.dumps(task, ensure_ascii=False).encode())
    file.write(b"\n]\n")


def read_label_studio(file: Path, place: Place) -> Iterator[Entry]:
    """Entries of a JSON export of Label Studio (the format called JSON, not JSON-MIN).

    Raises:
        SchemaError: if it is no such file.
    """
    try:
        tasks = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise SchemaError(f"{file} is no JSON: {error}.") from error
    if not isinstance(tasks, list):
        raise SchemaError(f"{file}: expected a list of tasks.", "Export as JSON, not JSON-MIN.")
    for number, task in enumerate(tasks, 1):
        where = f"task {number}"
        annotations = task.get("annotations") if isinstance(task, dict) else None
        if not isinstance(annotations, list) or not isinstance(task.get("data"), dict):
            yield Entry(where, None, "Expected a task with data and annotations.")
            continue
        for count, annotation in enumerate(annotations, 1):
            try:
                yield _read(f"{where}, annotation {count}", task["data"], annotation, place)
            except SchemaError as error:
                yield Entry(f"{where}, annotation {count}", None, error.message)


def _shown(answer: str) -> str:
    return _PROMPTS.get(answer, answer)


def _annotation(vote: Vote) -> dict[str, Any]:
    kept = {name: getattr(vote, name) for name in COLUMNS}
    answer = str(vote.emotion or vote.flag)
    results = [_result(vote, "answer", "choices", {"choices": [_shown(answer)]})]
    results[0]["meta"] = {_VOTE: kept}
    if vote.confidence_step is not None:
        stars = {"rating": vote.confidence_step + 1}
        results.append(_result(vote, "confidence", "rating", stars))
    if vote.reason is not None:
        results.append(_result(vote, "reason", "textarea", {"text": [vote.reason]}))
    return {
        "result": results,
        "lead_time": (vote.answered_at - vote.shown_at) / _MS,
        # Left out, Label Studio would take every annotation for ground truth.
        "ground_truth": False,
        "was_cancelled": False,
    }


def _result(vote: Vote, name: str, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": f"v{vote.vote_id}-{name}",
        "from_name": name,
        "to_name": "clip",
        "type": kind,
        "value": value,
    }


def _read(where: str, data: Mapping[str, Any], annotation: Any, place: Place) -> Entry:
    """One annotation.

    Raises:
        SchemaError: if it is no answer.
    """
    if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
        raise SchemaError("Expected an annotation with a result.")
    if annotation.get("was_cancelled"):
        raise SchemaError("It was skipped in Label Studio.")
    results = [r for r in annotation["result"] if isinstance(r, dict)]
    answer, stars, reason = _answer(results), _stars(results), _reason(results)
    for result in results:
        meta = result.get("meta")
        kept = meta.get(_VOTE) if isinstance(meta, dict) else None
        if isinstance(kept, dict) and _is_unchanged(kept, answer, stars, reason):
            return entry(where, kept, strict=True)
    steps = place.confidence_steps
    if stars is not None and not 1 <= stars <= steps:
        raise SchemaError(f"Expected a rating of 1 to {steps}, found {stars}.")
    clip_id, author = _clip_id(data, place), _author(annotation)
    answered_at = _time_ms(annotation)
    lead_s = annotation.get("lead_time")
    lead_ms = round(lead_s * _MS) if isinstance(lead_s, (int, float)) else 0
    is_flag = answer in _FLAGS
    return entry(
        where,
        {
            "vote_id": 0,
            "request_id": _request_id(annotation, clip_id, author, answered_at),
            "clip_id": clip_id,
            "annotator_id": author,
            "purpose": "vote",
            "revision": 1,
            "emotion": None if is_flag else answer,
            "flag": answer if is_flag else None,
            # A comment on an emotion has no place in a vote.
            "reason": reason if answer == "broken" else None,
            "confidence_step": None if is_flag or stars is None else stars - 1,
            "confidence_steps": steps,
            "shown_at": answered_at - lead_ms,
            "answered_at": answered_at,
            "received_at": answered_at,
            "play_count": 0,
            "speed": 100,
            "audio_on": False,
        },
        strict=True,
    )


def _is_unchanged(
    kept: Mapping[str, Any], answer: str, stars: int | None, reason: str | None
) -> bool:
    step = kept.get("confidence_step")
    same = (kept.get("emotion") or kept.get("flag")) == answer and kept.get("reason") == reason
    return same and step == (None if stars is None else stars - 1)


def _values(results: Iterable[Mapping[str, Any]], kind: str, key: str) -> list[Any]:
    found = []
    for result in results:
        value = result.get("value")
        if result.get("type") == kind and isinstance(value, dict) and key in value:
            found.append(value[key])
    return found


def _answer(results: Iterable[Mapping[str, Any]]) -> str:
    chosen = [
        c for cs in _values(results, "choices", "choices") if isinstance(cs, list) for c in cs
    ]
    known = {*EMOTIONS, *_FLAGS}
    answers = [_ALSO.get(c, c) for c in chosen if isinstance(c, str)]
    if len(answers) != 1 or answers[0] not in known:
        raise SchemaError(f"Expected one choice of {', '.join(sorted(known))}, found {chosen}.")
    return answers[0]


def _stars(results: Iterable[Mapping[str, Any]]) -> int | None:
    found = [s for s in _values(results, "rating", "rating") if isinstance(s, int)]
    return found[0] if len(found) == 1 else None


def _reason(results: Iterable[Mapping[str, Any]]) -> str | None:
    texts = _values(results, "textarea", "text")
    lines = [t for x in texts for t in (x if isinstance(x, list) else [x]) if isinstance(t, str)]
    return "\n".join(lines) or None


def _clip_id(data: Mapping[str, Any], place: Place) -> str:
    if isinstance(data.get("clip_id"), str):
        return str(data["clip_id"])
    # The last part of an address, whether a path or ``?d=`` names the file.
    names = [re.split(r"[/=\\]", value)[-1] for value in data.values() if isinstance(value, str)]
    found = [place.clip_ids[s] for s in (Path(n).stem for n in names) if s in place.clip_ids]
    if len(found) != 1:
        raise SchemaError("Its data names no clip of the project (clip_id, or the clip's file).")
    return found[0]


def _author(annotation: Mapping[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    if isinstance(by, bool) or not isinstance(by, (int, str)) or by == "":
        raise SchemaError("It does not say who made it (completed_by).")
    return f"label-studio-{by}" if isinstance(by, int) else by


def _time_ms(annotation: Mapping[str, Any]) -> int:
    text = annotation.get("created_at")
    try:
        made = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise SchemaError(f"Expected created_at as a time, found {text!r}.") from error
    if made.tzinfo is None:
        made = made.replace(tzinfo=UTC)
    return round(made.timestamp() * _MS)


def _request_id(annotation: Mapping[str, Any], clip_id: str, author: str, at: int) -> str:
    """The same whenever the annotation comes again; made of Label Studio's own id if it has one."""
    unique = annotation.get("unique_id")
    if isinstance(unique, str) and re.fullmatch(r"[\w-]{8,50}", unique):
        return f"ls-{unique}"
    made = json.dumps([annotation.get("id"), clip_id, author, at], ensure_ascii=True)
    return f"ls-{hashlib.sha256(made.encode()).hexdigest()[:40]}"
