"""What the guide says of settings, tables and models, made from the code that means it.

``python -m caer_build.handbook docs/build.md`` writes it between the markers of that file::

    <!-- made from the code: settings -->
    ...
    <!-- end -->
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from caer_build.arrow import schema
from caer_build.errors import CaerError
from caer_build.models.catalogue import ADDABLE, PACKAGED
from caer_build.pipeline import STAGES
from caer_build.recipes import Recipe, shipped
from caer_build.records import CountedVote, Item, ItemFace, Label, SplitAssignment, Still, Vote
from caer_build.stage import Artifact, Stage

_UNITS = {
    "s": "s",
    "seconds": "s",
    "px": "px",
    "frames": "frames",
    "count": "count",
    "bits": "bits",
    "degrees": "degrees",
    "grey levels": "grey levels",
    "kbit/s": "kbit/s",
    "medians": "medians",
    "share of the face's size": "share",
}
_UNIT_OF_SUFFIX = {"s": "s", "px": "px", "deg": "degrees", "share": "share", "frames": "frames"}
_COMMON_COLUMNS = {
    "episode_id": "the episode",
    "shot_id": "the shot",
    "track_id": "the face track",
    "person_id": "the person",
    "clip_id": "the clip",
    "show": "the show",
    "season": "from the file's name; null where it says none",
    "number": "of the episode, likewise",
    "source_name": "the file's name",
    "source_sha256": "the file's content, by which it is known",
    "frame_rate_num": "the headers' rate, numerator; never used to compute times",
    "frame_rate_den": "its denominator",
    "variable_rate": "frames do not all last equally long",
    "width": "px as displayed",
    "height": "px as displayed",
    "rotation": "degrees clockwise that the file asks for; already applied",
    "sample_aspect": "width / height of one stored pixel; already applied",
    "duration_s": "from the first frame's time to the last one's end (s)",
    "audio_codec": "of the chosen track; null without sound",
    "audio_rate": "samples per second",
    "audio_channels": "in the source",
    "audio_track": "stream index of the chosen track",
    "start_frame": "first frame, counted from 0 in the episode",
    "end_frame": "one past the last frame",
    "start_pts_s": "when the first frame is shown (s)",
    "end_pts_s": "when the last frame ends (s)",
    "frame": "counted from 0 in the episode",
    "n_frames": "end_frame - start_frame",
    "n_detections": "detections it is made of",
    "x1": "left edge, px of the displayed frame",
    "y1": "top edge",
    "x2": "right edge, exclusive",
    "y2": "bottom edge, exclusive",
    "interpolated": "no detection was made in this very frame",
    "is_target": "the face the clip is about",
    "founder_track_id": "the track that gave the person its id",
    "merged_because": "why; null for a person who stands",
    "model": "which recogniser, with its version",
    "transition_in": "start, cut, dissolve or fade",
    "face_height_px": "median height of the target's face (px)",
    "sharpness": "median over the target's detections; see detections",
    "file_sha256": "of that file",
    "emotion": "of the seven",
    "status": "see [labels](#labels)",
    "split": "train, validation or test",
    **dict.fromkeys(
        ("p_disgust", "p_fear", "p_happy", "p_neutral", "p_sad", "p_surprise"), "likewise"
    ),
}  # what a record's own docstring says of a column wins over this
_SPELLED_OUT = {
    "see `LANDMARK_VALUES`; empty where the detector gives none": "x and y of the right eye, left "
    "eye, nose, right and left mouth corner (right and left as the person means them), px of the "
    "displayed frame; empty where the detector gives none",
}


@dataclass(frozen=True)
class SettingEntry:
    """One setting as the guide shows it; all texts.

    Attributes:
        default: as TOML writes it; empty where it has none.
        allowed: a range such as ``[0, 1]`` or ``>= 1``, or the choices.
    """

    stage: str
    key: str
    default: str
    unit: str
    allowed: str
    meaning: str


def settings_of(stages: Sequence[Stage[Any]]) -> list[SettingEntry]:
    """Every setting of every stage, in the order of the code."""
    return [
        _entry(stage.name, key, info)
        for stage in stages
        for key, info in stage.settings.model_fields.items()
    ]


def _entry(stage: str, key: str, info: FieldInfo) -> SettingEntry:
    meaning = info.description or ""
    trailing = re.search(r"\s*\(([^()]*)\)$", meaning)
    unit = ""
    if trailing:
        last = trailing[1].rsplit(", ", 1)[-1]
        unit = _UNITS.get(trailing[1]) or _UNITS.get(last) or ""
        if trailing[1] in _UNITS or trailing[1].startswith("["):
            meaning = meaning[: trailing.start()]
    if not unit and _is_number(info):
        unit = _UNIT_OF_SUFFIX.get(key.rsplit("_", 1)[-1], "")
    return SettingEntry(stage, key, _toml(info.default), unit, _allowed(info), meaning)


def _is_number(info: FieldInfo) -> bool:
    return info.annotation in (int, float)


def _toml(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _allowed(info: FieldInfo) -> str:
    if get_origin(info.annotation) is Literal:
        return ", ".join(_toml(choice) for choice in get_args(info.annotation))
    if info.annotation is bool:
        return "true, false"
    bounds: dict[str, float] = {}
    for rule in info.metadata:
        for kind in ("ge", "gt", "le", "lt"):
            if getattr(rule, kind, None) is not None:
                bounds[kind] = getattr(rule, kind)
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        opening, closing = "[" if "ge" in bounds else "(", "]" if "le" in bounds else ")"
        return f"{opening}{low:g}, {high:g}{closing}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return " and ".join(f"{signs[kind]} {bound:g}" for kind, bound in bounds.items()) or "any text"


def recipe_as_toml(recipe: Recipe, stages: Sequence[Stage[Any]]) -> str:
    """A recipe with all its settings, each under what it means: a recipe file to begin from."""
    entries = settings_of(stages)
    lines = [
        f"# All settings of the recipe {recipe.name}. What equals its default can be left out."
    ]
    for stage in stages:
        lines += ["", f"[{stage.name}]"]
        values = recipe[stage.name].model_dump()
        for entry in (e for e in entries if e.stage == stage.name):
            value = _toml(values[entry.key])
            facts = [entry.unit, entry.allowed]
            if value != entry.default:
                facts.append(f"default {entry.default or 'none'}")
            note = f"{entry.meaning} ({'; '.join(fact for fact in facts if fact)})"
            lines += textwrap.wrap(note, 98, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{entry.key} = {value}" if value else f'# {entry.key} = ""')
    return "\n".join(lines) + "\n"


def recipe_titles() -> dict[str, str]:
    """Of every recipe that comes with the package the sentence it begins with."""
    folder = resources.files("pipelines")
    first = {
        name: (folder / f"{name}.toml").read_text("utf-8").split("\n", 1)[0] for name in shipped()
    }
    return {name: line.removeprefix("#").strip() for name, line in first.items()}


def settings_markdown(stages: Sequence[Stage[Any]]) -> Iterator[str]:
    """A table a stage."""
    entries = settings_of(stages)
    for stage in stages:
        rows = [
            [f"`{e.key}`", _code(e.default), e.unit, _code(e.allowed), e.meaning]
            for e in entries
            if e.stage == stage.name
        ]
        yield from (f"#### `[{stage.name}]`", "", *_about(stage.settings))
        yield from _table(["setting", "default", "unit", "allowed", "meaning"], rows)
        yield ""


def _about(settings: type[BaseModel]) -> Iterator[str]:
    """What the docstring of the settings says beyond its first line."""
    rest = inspect.cleandoc(settings.__doc__ or "").partition("\n\n")[2]
    if rest:
        yield from (*rest.splitlines(), "")


def published_tables(stages: Sequence[Stage[Any]]) -> list[tuple[Stage[Any], Artifact]]:
    """The tables that users find in ``WORK/tables``, with the stages that write them."""
    return [(s, a) for s in stages for a in s.writes if a.published and a.record is not None]


def tables_markdown(stages: Sequence[Stage[Any]]) -> Iterator[str]:
    """A table of columns for each published table."""
    for stage, artifact in published_tables(stages):
        title = f"`{artifact.name}.parquet` (from `{stage.name}`)"
        yield from _columns(title, artifact.record or dict)


_AFTER_THE_BUILD: tuple[tuple[str, type, str], ...] = (
    ("labels", Label, "caer label"),
    ("counted_votes", CountedVote, "caer label"),
    ("splits", SplitAssignment, "caer split"),
    ("stills", Still, "caer stills"),
    ("metadata/items", Item, "caer export"),
    ("metadata/faces", ItemFace, "caer export"),
)


def votes_markdown() -> Iterator[str]:
    """The columns of a file of votes."""
    return _columns("Columns of a file of votes", Vote)


def dataset_markdown() -> Iterator[str]:
    """A table of columns for each table that is made after the build."""
    for place, record, command in _AFTER_THE_BUILD:
        yield from _columns(f"`{place}.parquet` (from `{command}`)", record)


def _columns(title: str, record: type) -> Iterator[str]:
    said = _COMMON_COLUMNS | column_notes(record)
    rows = [
        [f"`{f.name}`", f"`{_plain(str(f.type))}`", "yes" if f.nullable else "",
         _SPELLED_OUT.get(said.get(f.name, ""), said.get(f.name, ""))]
        for f in schema(record)
    ]  # fmt: skip
    about = inspect.cleandoc(record.__doc__ or "").replace("``", "`")
    yield from (f"#### {title}", "", about, "")
    yield from _table(["column", "type", "null", "meaning"], rows)
    yield ""


def _plain(arrow_type: str) -> str:
    """An Arrow type in the words of numpy."""
    inner = re.sub(r"list<\w+: (\w+)>", r"list<\1>", arrow_type)
    return inner.replace("double", "float64").replace("<float>", "<float32>")


def column_notes(record: type) -> dict[str, str]:
    """What stands under each field of a record's source, on one line."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(record)))
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    notes: dict[str, str] = {}
    for field, after in pairwise(body):
        text = after.value if isinstance(after, ast.Expr) else None
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Constant)
        ):
            plain = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", " ".join(str(text.value).split()))
            notes[field.target.id] = plain.replace("``", "`")
    return notes


def models_markdown() -> Iterator[str]:
    """Models that come in packages, and those that users may add."""
    rows = [
        [m.name, m.purpose, f"`{m.setting}`", " or ".join(f"`{p}`" for p in m.packages),
         m.licence, f"<{m.source}>"]
        for m in PACKAGED
    ]  # fmt: skip
    rows += [
        [m.name, m.purpose, f"`{m.setting}`", f"`caer models add {m.published[0]}`",
         m.licence, f"<{m.source}>"]
        for m in ADDABLE
    ]  # fmt: skip
    return _table(["model", "purpose", "chosen by", "comes with", "licence", "source"], rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def fill(text: str) -> str:
    """A guide with what stands between its markers made anew.

    Raises:
        CaerError: if a marker names something that cannot be made, or has no end.
    """
    made = {
        "settings": lambda: settings_markdown(STAGES),
        "tables": lambda: tables_markdown(STAGES),
        "models": models_markdown,
        "dataset": dataset_markdown,
        "votes": votes_markdown,
    }
    parts = re.split(r"(<!-- made from the code: \w+ -->)\n", text)
    filled = [parts[0]]
    for marker, rest in zip(parts[1::2], parts[2::2], strict=True):
        name = marker.split()[-2]
        _, end, after = rest.partition("<!-- end -->")
        if name not in made or not end:
            raise CaerError(
                f"{marker}: expected one of {', '.join(made)}, and <!-- end --> after it.",
                "Correct the markers.",
            )
        body = "\n".join(made[name]()).strip()
        filled.append(f"{marker}\n\n{body}\n\n{end}{after}")
    return "".join(filled)


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        Path(argument).write_text(fill(Path(argument).read_text("utf-8")), encoding="utf-8")
