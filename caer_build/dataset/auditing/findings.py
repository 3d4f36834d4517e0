"""What an audit finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeAlias

Severity: TypeAlias = Literal["leak", "fault", "note"]
"""leak: what is measured on test is not what it seems to be; fault: an item that cannot be used as
it is; note: good to know"""
SHOWN = 5
"""examples that are kept of a finding"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing that was found, however often.

    Attributes:
        kind: a word by which programs know it, such as ``near_duplicate``.
        n: how often.
        message: a sentence without its full stop.
        examples: the first few, in words.
    """

    kind: str
    severity: Severity
    n: int
    message: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Audit:
    """What was found in a data set.

    Attributes:
        layout: which layout it has.
        counts: items by split and emotion; "none" where it does not say.
        findings: leaks, then faults, then notes.
    """

    layout: str
    n_items: int
    counts: Mapping[str, Mapping[str, int]]
    findings: tuple[Finding, ...]

    @property
    def leaks(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "leak"]


def found(
    kind: str, severity: Severity, message: str, examples: Iterable[str], n: int | None = None
) -> list[Finding]:
    """A finding, if there is one.

    Args:
        message: with ``{n}`` for how often.
        examples: the first few are kept.
        n: how often; None: as often as there are examples.
    """
    left = iter(examples)
    shown = tuple(islice(left, SHOWN))
    if n is None:
        n = len(shown) + sum(1 for _ in left)
    return [Finding(kind, severity, n, message.format(n=n), shown)] if n else []


def gravest_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Leaks, faults, notes; each in the order given."""
    order = ("leak", "fault", "note")
    return tuple(sorted(findings, key=lambda finding: order.index(finding.severity)))
