"""The split of a workspace: kept with how it was made, so that what stands does not move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from caer_build.dataset.examples import examples_of
from caer_build.dataset.grouping import By
from caer_build.dataset.labels import made_of
from caer_build.dataset.plans import SplitPlan, Tried
from caer_build.dataset.splits import RATIO, split
from caer_build.errors import RecipeError
from caer_build.records import SplitAssignment
from caer_build.store import Workspace
from caer_build.tables import facts_of, has_table, read_published, save


def split_workspace(
    workspace: Workspace,
    by: By | None = None,
    ratio: Sequence[float] | None = None,
    seed: int | None = None,
    *,
    anew: bool = False,
) -> SplitPlan:
    """Split the labelled clips of a workspace and keep the result.

    Clips that were split before stay where they are, and how it is split stays as it was.

    Args:
        by, ratio, seed: None: as before; the first time the strictest that meets the ratio, of
            70/10/20, and seed 0.
        anew: forget the split that there is.

    Raises:
        StoreError: if nothing was labelled yet.
        DatasetError: if the labels are of an earlier build.
        RecipeError: if another way is asked for while there are clips that would move.
    """
    labelled_by = made_of(workspace)
    asked = {"by": by, "ratio": None if ratio is None else list(ratio), "seed": seed}
    how: dict[str, Any] = {"by": None, "ratio": list(RATIO), "seed": 0, "tried": []}
    earlier: dict[str, str] = {}
    if not anew and has_table(workspace, SplitAssignment):
        how |= facts_of(workspace, SplitAssignment)
        _refuse_to_move(how, asked)
        rows = read_published(workspace, SplitAssignment)
        earlier = {row.clip_id: row.split for row in rows if row.split is not None}
    how |= {name: value for name, value in asked.items() if value is not None}
    plan = split(examples_of(workspace), how["by"], how["ratio"], how["seed"], earlier)
    # Clips that join a split are split the way that was chosen for those that stand.
    tried = plan.tried or tuple(Tried(**row) for row in how["tried"])
    facts = {
        "by": plan.by, "ratio": how["ratio"], "seed": how["seed"],
        "tried": [asdict(row) for row in tried], "labels": labelled_by,
    }  # fmt: skip
    save(workspace, SplitAssignment, plan.assignments, facts)
    return replace(plan, tried=tried)


def _refuse_to_move(there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    for name, value in asked.items():
        if value is not None and value != there[name]:
            raise RecipeError(
                f"The clips are split with {name} {there[name]}, {value} was asked for: they "
                "would move.",
                "Leave it away to add clips to this split, or split --anew.",
            )
