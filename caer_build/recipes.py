"""Recipes: which settings each stage works with.

A recipe is a TOML file with one section a stage; what it leaves out has the stage's default.
Everything that is wrong with it is said at once.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from caer_build.errors import RecipeError
from caer_build.stage import Stage

DEFAULT = "caer"
_ONE_SETTING = (("clips", "min_frames"), ("screening", "min_frames"))
"""Of two stages that know nothing of each other, and have to agree: it is enough to set one."""
_LARGEST = 1e9
"""Of any number; most have a smaller bound of their own."""


@dataclass(frozen=True)
class Recipe:
    """Validated settings of every stage."""

    name: str
    sections: Mapping[str, BaseModel]

    def __getitem__(self, stage: str) -> BaseModel:
        return self.sections[stage]

    def as_dict(self) -> dict[str, Any]:
        """All settings, defaults included, as plain JSON values."""
        return {stage: s.model_dump(mode="json") for stage, s in self.sections.items()}


def shipped() -> list[str]:
    """The names of the recipes that come with the package."""
    files = resources.files("pipelines").iterdir()
    return sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml"))


def _read(name: str) -> str:
    path = Path(name)
    if path.suffix == ".toml" and path.is_file():
        return path.read_text(encoding="utf-8")
    if path.name.removesuffix(".toml") in shipped() and len(path.parts) == 1:
        inside = resources.files("pipelines") / f"{path.name.removesuffix('.toml')}.toml"
        return inside.read_text(encoding="utf-8")
    raise RecipeError(f"No recipe {name}{_instead(name, shipped())}.", "Or give a .toml file.")


def assignment(text: str) -> tuple[str, str, Any]:
    """``stage.key=value`` with the value as TOML, a bare word being a string."""
    target, equals, value = text.partition("=")
    stage, dot, key = target.strip().partition(".")
    if not (equals and dot and stage and key):
        raise RecipeError(f"--set expects stage.key=value, found {text!r}.")
    try:
        return stage, key, tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        return stage, key, value.strip()


def load(
    stages: Sequence[Stage[Any]], name: str = DEFAULT, assignments: Sequence[str] = ()
) -> Recipe:
    """Read a recipe and apply ``--set`` assignments to it.

    Args:
        stages: whose sections it may have.
        name: a .toml file, or the name of a recipe that comes with the package.
        assignments: ``stage.key=value`` each; they win over the file.

    Raises:
        RecipeError: naming every problem.
    """
    try:
        raw: dict[str, Any] = tomllib.loads(_read(name))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{name} is not TOML: {error}.") from error
    problems = []
    for text in assignments:
        try:
            section, key, value = assignment(text)
        except RecipeError as error:
            problems.append(error.message)
        else:
            raw.setdefault(section, {})[key] = value
    return validated(stages, Path(name).name.removesuffix(".toml"), raw, problems=problems)


def validated(
    stages: Sequence[Stage[Any]],
    name: str,
    raw: Mapping[str, Any],
    *,
    saved: bool = False,
    problems: Sequence[str] = (),
) -> Recipe:
    """A recipe from plain values, {stage: {setting: value}}.

    Args:
        problems: found before, to be said with the others.
        saved: by an earlier build, which may have allowed stages to disagree.

    Raises:
        RecipeError: naming every problem.
    """
    by_name = {stage.name: stage for stage in stages}
    problems = [
        *problems,
        *(
            f"[{section}]: no such stage{_instead(section, by_name)}"
            for section in sorted(raw.keys() - by_name.keys())
        ),
    ]
    if not saved:
        raw, disagreements = _agreed(raw, by_name)
        problems += disagreements
    sections: dict[str, BaseModel] = {}
    for stage_name, stage in by_name.items():
        try:
            sections[stage_name] = stage.settings.model_validate(raw.get(stage_name, {}))
        except ValidationError as error:
            problems += [_say(stage_name, stage.settings, e) for e in error.errors()]
        else:
            problems += _boundless(stage_name, sections[stage_name])
    if problems:
        raise RecipeError(f"The recipe {name} cannot be right:\n  " + "\n  ".join(problems))
    return Recipe(name, sections)


def _agreed(
    raw: Mapping[str, Any], stages: Mapping[str, Stage[Any]]
) -> tuple[dict[str, Any], list[str]]:
    """The values with the settings that are one set in both stages; and what is wrong with them."""
    agreed = dict(raw)
    places = [(s, k) for s, k in _ONE_SETTING if isinstance(raw.get(s, {}), dict) and s in stages]
    said = {(s, k): raw[s][k] for s, k in places if k in raw.get(s, {})}
    values = list(said.values())
    if any(value != values[0] for value in values):
        names = " and ".join(f"{s}.{k}" for s, k in said)
        return agreed, [f"{names}: expected the same, found {' and '.join(map(repr, values))}"]
    for s, k in places if said else ():
        agreed[s] = {**raw.get(s, {}), k: values[0]}
    return agreed, []


def _boundless(stage: str, settings: BaseModel) -> list[str]:
    return [
        f"{stage}.{key}: expected a number up to {_LARGEST:g}, found {value:g}"
        for key, value in settings
        if isinstance(value, int | float) and not (math.isfinite(value) and abs(value) <= _LARGEST)
    ]


def _say(stage: str, settings: type[BaseModel], error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{stage}.{where}: no such setting{_instead(where, settings.model_fields)}"
    if not where:
        # Of settings that do not go together.
        return f"{stage}: {error['msg'].removeprefix('Value error, ')}"
    wanted = error["msg"].removeprefix("Input should be ").split(", unable to parse")[0]
    return f"{stage}.{where}: expected {wanted}, found {error['input']!r}"


def _instead(given: str, known: Iterable[str]) -> str:
    """What was meant, if that can be guessed, and what there is."""
    names = list(known)
    near = get_close_matches(given, names, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"{meant}; there are {', '.join(names)}"
