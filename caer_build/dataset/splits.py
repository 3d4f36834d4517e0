"""Train, validation and test, without a leak: no show, person, episode or frame in two of them.

The paper (section 4.1) splits 70/10/20 at random and says nothing of what; the stills of the
released CAER-S come from the same videos in train and test. Here groups are split, and what would
stand in two splits is left out and counted. Pure.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from caer_build.dataset.assigning import assign
from caer_build.dataset.grouping import STRICTEST_FIRST, By, Example, bonds, bridging, group_ids
from caer_build.dataset.plans import SplitPlan, described, taken
from caer_build.errors import GroupLeak, SplitError
from caer_build.records import EMOTIONS, SPLITS, SplitAssignment

RATIO = (0.7, 0.1, 0.2)
_MOVED = "its group had clips in two splits before"
_BRIDGE = "shows people, or shares frames with clips, of another split"


def split(
    examples: Sequence[Example],
    by: By | None = None,
    ratio: Sequence[float] = RATIO,
    seed: int = 0,
    earlier: Mapping[str, str] | None = None,
) -> SplitPlan:
    """A split of labelled clips.

    Args:
        by: what must not stand in two splits; None: the strictest that meets the ratio, of
            show, person, episode, clip; if none does, the strictest that leaves no split empty.
        ratio: shares of train, validation and test.
        earlier: the split of clips that were split before, by clip_id: they do not move.

    Raises:
        SplitError: if there is nothing to split, or the ratio cannot be one.
    """
    _check(examples, ratio)
    plans = []
    for each in STRICTEST_FIRST if by is None else (by,):
        plan = _plan(examples, each, ratio, seed, earlier or {})
        _prove(examples, plan)
        plans.append(plan)
    return plans[0] if by is not None else taken(plans, ratio)


def _check(examples: Sequence[Example], ratio: Sequence[float]) -> None:
    if not examples:
        raise SplitError("There is no labelled clip to split.", "Run `caer label` first.")
    if len(ratio) != len(SPLITS) or min(ratio) < 0 or abs(sum(ratio) - 1) > 1e-6:
        raise SplitError(
            f"Expected shares of {', '.join(SPLITS)} that sum to one, found {tuple(ratio)}.",
            "Such as --ratio 70/10/20.",
        )


def _plan(
    examples: Sequence[Example],
    by: By,
    ratio: Sequence[float],
    seed: int,
    earlier: Mapping[str, str],
) -> SplitPlan:
    ordered = sorted(examples, key=lambda e: e.clip_id)
    # What stands is bound by what stood with it: a clip that comes later and shares frames with
    # two splits is left out, and neither moves one of them nor takes another one with it.
    stood = [example for example in ordered if example.clip_id in earlier]
    bridges = bridging(ordered, earlier)
    rest = [example for example in ordered if example.clip_id not in bridges]
    groups = group_ids(ordered, by) | group_ids(rest, by) | group_ids(stood, by)
    fixed = _fixed(groups, earlier)
    bound, barred = _unbarred(bonds(rest, groups) | bonds(stood, groups), fixed, earlier)
    counts: dict[str, list[int]] = defaultdict(lambda: [0] * len(EMOTIONS))
    between: Counter[tuple[str, str]] = Counter()
    for example in rest:
        if groups[example.clip_id] not in barred:
            counts[groups[example.clip_id]][EMOTIONS.index(example.emotion)] += 1
            between.update(combinations(sorted(bound[example.clip_id]), 2))
    splits = assign(counts, between, ratio, seed, fixed)

    def row(clip_id: str) -> SplitAssignment:
        group = groups[clip_id]
        if clip_id in bridges or group in barred or len({splits[g] for g in bound[clip_id]}) > 1:
            return SplitAssignment(clip_id, None, group, _BRIDGE)
        where = SPLITS[splits[group]]
        if earlier.get(clip_id, where) != where:
            return SplitAssignment(clip_id, None, group, _MOVED)
        return SplitAssignment(clip_id, where, group, None)

    return described(by, [row(example.clip_id) for example in ordered], ratio)


def _unbarred(
    bound: Mapping[str, frozenset[str]], fixed: dict[str, int], earlier: Mapping[str, str]
) -> tuple[dict[str, frozenset[str]], set[str]]:
    """The bonds without groups that can stand nowhere, and those groups.

    Who is seen in clips that stand already must stand where they do, which is added to ``fixed``;
    and who is seen in two splits can have no clips at all, as the clips seen in do not move.
    """
    seen: dict[str, set[int]] = defaultdict(set)
    for clip_id, where in earlier.items():
        for group in bound.get(clip_id, frozenset()) - fixed.keys():
            seen[group].add(SPLITS.index(where))
    barred = {group for group, places in seen.items() if len(places) > 1}
    fixed.update({group: min(places) for group, places in seen.items() if group not in barred})
    return {clip_id: groups - barred for clip_id, groups in bound.items()}, barred


def _fixed(groups: Mapping[str, str], earlier: Mapping[str, str]) -> dict[str, int]:
    """Where groups stand already. One that has clips in two splits, because two persons turned
    out to be one, stands where more of them are."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for clip_id, group in groups.items():
        if clip_id in earlier:
            votes[group][earlier[clip_id]] += 1
    # As many in both: the first of them.
    return {
        group: SPLITS.index(max(SPLITS, key=count.__getitem__)) for group, count in votes.items()
    }


def _prove(examples: Sequence[Example], plan: SplitPlan) -> None:
    """What is promised, asked of the result and not of how it was made.

    Raises:
        GroupLeak: if a group, or clips that share frames, stand in two splits.
    """
    stands = {row.clip_id: row for row in plan.assignments if row.split is not None}
    splits_of: dict[str, set[str]] = defaultdict(set)
    for row in stands.values():
        splits_of[row.group_id].add(str(row.split))
    there = [e for e in examples if e.clip_id in stands]
    for clip_id, first in group_ids(there, "clip").items():
        splits_of[f"the clips that share frames with {first}"].add(str(stands[clip_id].split))
    if plan.by == "person":
        for example in there:
            for person in example.people & splits_of.keys():
                splits_of[person].add(str(stands[example.clip_id].split))
    for group, splits in splits_of.items():
        if len(splits) > 1:
            raise GroupLeak(
                f"{group} would stand in {' and '.join(sorted(splits))}.",
                "This is a fault of the program; please report it.",
            )
