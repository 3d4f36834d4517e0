"""``--set section.key=value`` on what a preset sets; everything that is wrong is said at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, get_type_hints

from caer_build.caernet.compute import Compute
from caer_build.errors import RecipeError

_FIXED = {
    ("architecture", "n_dims"): "--model decides it",
    ("architecture", "model"): "--model decides it",
    ("architecture", "n_classes"): "the data set decides it",
}


def assigned_compute(assignments: Sequence[str]) -> Compute:
    """How fast what is trained already is computed: ``compute.key=value`` each.

    Raises:
        RecipeError: naming every problem.
    """
    found: Compute = assigned({"compute": Compute()}, assignments)["compute"]
    return found


def assigned(sections: Mapping[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """The sections with the assignments applied.

    Args:
        sections: name -> frozen dataclass.
        assignments: ``section.key=value`` each, the value as TOML, a bare word being a string.

    Raises:
        RecipeError: naming every problem.
    """
    problems: list[str] = []
    values: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for text in assignments:
        try:
            name, key, value = _read(sections, text)
        except RecipeError as error:
            problems.append(error.message)
        else:
            values[name][key] = value
    changed: dict[str, Any] = {}
    for name, section in sections.items():
        try:
            changed[name] = replace(section, **values[name])
        except RecipeError as error:
            problems.append(f"{name}: {error.message}")
    if problems:
        raise RecipeError("The settings cannot be right:\n  " + "\n  ".join(problems))
    return changed


def _read(sections: Mapping[str, Any], text: str) -> tuple[str, str, Any]:
    """What an assignment says, of the type that its setting has."""
    from pydantic import TypeAdapter, ValidationError

    from caer_build.recipes import assignment

    name, key, value = assignment(text)
    if name not in sections:
        raise RecipeError(f"{name}.{key}: no such section; there are {', '.join(sections)}")
    kind = type(sections[name])
    known = [field.name for field in fields(kind) if (name, field.name) not in _FIXED]
    if (name, key) in _FIXED:
        raise RecipeError(f"{name}.{key}: cannot be set: {_FIXED[name, key]}")
    if key not in known:
        raise RecipeError(f"{name}.{key}: no such setting; there are {', '.join(known)}")
    try:
        typed = TypeAdapter(get_type_hints(kind)[key]).validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise RecipeError(f"{name}.{key}: {said}, found {value!r}") from error
    if isinstance(typed, float) and not math.isfinite(typed):
        raise RecipeError(f"{name}.{key}: expected a finite number, found {value!r}")
    return name, key, typed
