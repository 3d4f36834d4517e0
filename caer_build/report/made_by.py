"""Which settings and versions made a build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caer_build import pipeline
from caer_build.report.material import Material


@dataclass(frozen=True)
class Setting:
    """One setting of a stage."""

    name: str
    value: str
    default: str
    is_changed: bool
    description: str


@dataclass(frozen=True)
class StageFacts:
    """A stage: what it was told, what it was made of, and how long it took."""

    name: str
    version: int
    settings: tuple[Setting, ...]
    versions: tuple[str, ...]
    n_units: int
    seconds: float


def stage_facts(material: Material) -> list[StageFacts]:
    """The facts of all stages, in order."""
    found = []
    for stage in pipeline.STAGES:
        section = material.recipe[stage.name]
        manifests = [
            r.manifest for (name, _), r in sorted(material.results.items()) if name == stage.name
        ]
        settings = []
        for name, field in type(section).model_fields.items():
            value = getattr(section, name)
            default = field.get_default(call_default_factory=True, validated_data={})
            text = field.description or ""
            settings.append(Setting(name, _plain(value), _plain(default), value != default, text))
        found.append(
            StageFacts(
                name=stage.name,
                version=stage.version,
                settings=tuple(settings),
                versions=tuple(sorted({v for m in manifests for v in m["versions"]})),
                n_units=len(manifests),
                seconds=sum(m["seconds"] for m in manifests),
            )
        )
    return found


def _plain(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)
