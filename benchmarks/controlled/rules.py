"""What the experiment must show, and what must not show in it: written down before it was run.

What attention, fusion and hiding are worth is nobody's rule: it is reported, whatever its sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.controlled.setting import CHANCE
from benchmarks.reporting import Row

Figures = dict[str, float]
"""of one system, by metric"""


@dataclass(frozen=True)
class Rule:
    """Something that must be so.

    Attributes:
        system: whose figures it is about.
        holds: whether they are as they must be.
    """

    name: str
    system: str
    holds: Callable[[Figures], bool]


def _gains(of: Figures) -> bool:
    return of["difference.low"] > 0


def _gains_nothing(of: Figures) -> bool:
    return of["difference.low"] <= 0


def _is_at_chance(of: Figures) -> bool:
    return of["accuracy.low"] <= CHANCE <= of["accuracy.high"]


def _is_well_above_chance(of: Figures) -> bool:
    return of["accuracy.low"] > 2 * CHANCE


_EVERYWHERE = "cue everywhere: context"
RULES = (
    Rule("required: both above face", "both - face", _gains),
    Rule("required: both above context", "both - context", _gains),
    Rule("null: a cue that says nothing adds nothing", "cue says nothing: both - face",
         _gains_nothing),
    Rule("null: a mask alone is at chance", "mask only: context", _is_at_chance),
    Rule("null: a frozen cue is at chance", "motion frozen: context", _is_at_chance),
    Rule("null: a cue everywhere is found", _EVERYWHERE, _is_well_above_chance),
    Rule("null: of a cue everywhere attention has nothing",
         f"{_EVERYWHERE} - {_EVERYWHERE}, no attention", _gains_nothing),
)  # fmt: skip


def verdicts(figures: Sequence[Row]) -> Iterator[Row]:
    """Whether the rules hold, 1 or 0, of those whose figures are there."""
    systems: dict[str, Figures] = {}
    for row in figures:
        systems.setdefault(row.system, {})[row.metric] = row.value
    for rule in RULES:
        if rule.system in systems:
            passed = float(rule.holds(systems[rule.system]))
            yield Row(figures[0].set, rule.name, "passed", passed)
