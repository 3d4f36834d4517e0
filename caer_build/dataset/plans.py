"""How well a split came out, and which of several ways to split is taken. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from caer_build.dataset.grouping import By
from caer_build.records import SPLITS, Split, SplitAssignment

TOLERANCE = 0.05
"""a ratio is met when each split's share is this near to it,"""
MOST_LEFT_OUT = 0.1
"""and no larger share of the clips is left out"""
GROUPS: Mapping[By, str] = {
    "show": "show",
    "person": "person",
    "episode": "episode",
    "clip": "group of clips that share frames",
}
"""what a group is called"""


@dataclass(frozen=True, slots=True)
class Tried:
    """A way to split that was tried, and what came of it.

    Attributes:
        shares: of each split, of the clips that were not left out, [0, 1].
        n_left_out: clips.
        taken: whether it is the way of the plan.
        why: it was taken, or was not.
    """

    by: By
    shares: Mapping[Split, float]
    n_left_out: int
    taken: bool
    why: str


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """A split, and how well it came out.

    Attributes:
        by: what was kept together.
        assignments: one a labelled clip, by clip_id.
        shares: of each split, of the clips that were not left out, [0, 1].
        n_groups: of each split.
        complaints: sentences on where it falls short; empty if the ratio is met.
        tried: all ways, the strictest first; empty if one was asked for.
    """

    by: By
    assignments: tuple[SplitAssignment, ...]
    shares: Mapping[Split, float]
    n_groups: Mapping[Split, int]
    complaints: tuple[str, ...]
    tried: tuple[Tried, ...] = ()

    @property
    def left_out(self) -> list[SplitAssignment]:
        return [row for row in self.assignments if row.split is None]


def taken(plans: Sequence[SplitPlan], ratio: Sequence[float]) -> SplitPlan:
    """The plan to take of those of all ways, the strictest first."""
    meeting = [plan for plan in plans if not plan.complaints]
    filling = [plan for plan in plans if _fills(plan, ratio)]
    if meeting:
        best, why = meeting[0], "the strictest that meets the ratio"
    elif filling:
        best, why = filling[0], "none meets the ratio; the strictest that leaves no split empty"
    else:
        best = min(plans, key=lambda plan: _distance(plan, ratio))
        why = "all leave a split empty; the nearest to the ratio"

    def tried(plan: SplitPlan) -> Tried:
        short = "; ".join(plan.complaints)
        if plan is best:
            reason = f"{why}: {short}" if short else why
        else:
            reason = short or "meets the ratio, and is less strict"
        return Tried(plan.by, plan.shares, len(plan.left_out), plan is best, reason)

    return replace(best, tried=tuple(tried(plan) for plan in plans))


def _fills(plan: SplitPlan, ratio: Sequence[float]) -> bool:
    return all(plan.shares[name] > 0 for name, share in zip(SPLITS, ratio, strict=True) if share)


def described(by: By, rows: Sequence[SplitAssignment], ratio: Sequence[float]) -> SplitPlan:
    """A split with its figures.

    Args:
        ratio: that was wanted.
    """
    kept = [row for row in rows if row.split is not None]
    n = max(len(kept), 1)
    sizes: Counter[str | None] = Counter(row.split for row in kept)
    groups = {name: len({r.group_id for r in kept if r.split == name}) for name in SPLITS}
    shares = {name: sizes[name] / n for name in SPLITS}
    complaints = []
    off, name, wanted = max(
        (abs(shares[name] - share), name, share) for name, share in zip(SPLITS, ratio, strict=True)
    )
    if off > TOLERANCE:
        complaints.append(
            f"{name} has {shares[name]:.1%} of the clips instead of {wanted:.1%}: "
            f"{_sizes_of_groups(by, rows)}"
        )
    n_out = len(rows) - len(kept)
    if n_out > MOST_LEFT_OUT * len(rows):
        complaints.append(f"{n_out} of {len(rows)} clips would stand in two splits")
    return SplitPlan(by, tuple(rows), shares, groups, tuple(complaints))


def _sizes_of_groups(by: By, rows: Sequence[SplitAssignment]) -> str:
    """Why groups may not come to a ratio: how many there are, and how large one is."""
    sizes = Counter(row.group_id for row in rows)
    if len(sizes) == 1:
        return f"there is only one {GROUPS[by]}"
    # As many clips: the first of them.
    largest = max(sorted(sizes), key=sizes.__getitem__)
    return (
        f"there are {len(sizes)} {plural(by)}, and {largest} alone has "
        f"{sizes[largest] / len(rows):.1%}"
    )


def plural(by: By) -> str:
    """What groups are called."""
    head, _, rest = GROUPS[by].partition(" ")
    return f"{head}s {rest}".rstrip()


def _distance(plan: SplitPlan, ratio: Sequence[float]) -> float:
    off = sum(abs(plan.shares[name] - share) for name, share in zip(SPLITS, ratio, strict=True))
    return off + len(plan.left_out) / len(plan.assignments)
