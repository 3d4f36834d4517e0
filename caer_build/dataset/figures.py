"""Everything that ``caer stats`` says of a data set, whoever made it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from caer_build.annotation.estimates import Counts, Estimate
from caer_build.annotation.reliability import fleiss_kappa, krippendorff_alpha
from caer_build.dataset.reading import Dataset, VoteCounts
from caer_build.dataset.statistics import (
    Category,
    FaceSizes,
    Presence,
    Spread,
    agreeing,
    categories,
    face_sizes,
    main_kind,
    percent,
    presence,
    shared,
    splits_of,
    values_of,
)
from caer_build.dataset.voting import mixed_up, together
from caer_build.records import Item, ItemKind

_SHARED = {"persons": "person_id", "episodes": "episode_id", "shows": "show"}


@dataclass(frozen=True)
class Figures:
    """A data set in numbers.

    Attributes:
        kind: what shares are shares of.
        voted: votes that name an emotion, by clip; empty where nobody knows.
        alpha, kappa: of those.
        faces: targets' boxes.
    """

    dataset: Dataset
    kind: ItemKind
    categories: Sequence[Category]
    splits: Sequence[str]
    presence: Sequence[Presence]
    voted: VoteCounts
    alpha: Estimate
    kappa: Estimate
    faces: FaceSizes

    @property
    def items(self) -> list[Item]:
        """Those that shares are shares of."""
        return [item for item in self.dataset.items if item.kind == self.kind]

    @property
    def shared(self) -> dict[str, int | None]:
        """How many persons, episodes and shows are in several splits; None: not known."""
        return {name: shared(self.dataset.items, column) for name, column in _SHARED.items()}

    @property
    def together(self) -> Counts:
        """(n, n): how often two people said A and B of one clip, by ``voted.categories``."""
        return together(self.voted.table)

    def values(self, name: str) -> list[float]:
        """What items say in one of their columns, where they do."""
        return values_of(self.items, name)


def figures(dataset: Dataset) -> Figures:
    """Count a data set; no picture is opened."""
    voted = dataset.votes().emotions()
    return Figures(
        dataset,
        main_kind(dataset.items),
        categories(dataset.items),
        splits_of(dataset.items),
        presence(dataset.items),
        voted,
        krippendorff_alpha(voted),
        fleiss_kappa(voted),
        face_sizes(dataset.faces(), dataset.items),
    )


def for_programs(f: Figures) -> dict[str, Any]:
    """The figures as JSON."""
    whole = sum(sum(row.of_kind(f.kind).values()) for row in f.categories)
    spreads = {
        "frames": f.values("n_frames") if f.kind == "clip" else [],
        "seconds": f.values("length_s"),
        "mean_confidence": f.values("mean_confidence"),
        "face_height_px": f.faces.heights_px,
        "face_share": f.faces.shares,
    }
    return {
        "layout": f.dataset.layout,
        "notes": list(f.dataset.notes),
        "items": len(f.dataset.items),
        "categories": [
            {
                "emotion": row.emotion,
                "clips": row.n_clips,
                "frames": row.n_frames,
                "stills": row.n_stills,
                "percent": percent(sum(row.of_kind(f.kind).values()), whole),
                "clips_by_split": dict(row.clips),
                "stills_by_split": dict(row.stills),
            }
            for row in f.categories
        ],
        "splits": [asdict(row) for row in f.presence],
        "in_several_splits": f.shared,
        "spread": {
            name: asdict(spread)
            for name, values in spreads.items()
            if (spread := Spread.of(values)) is not None
        },
        "agreeing": [
            {"agree": n, "of": of, "items": count}
            for (n, of), count in sorted(agreeing(f.items).items(), reverse=True)
        ],
        "alpha": asdict(f.alpha),
        "kappa": asdict(f.kappa),
        "said_of_one_clip": [list(row) for row in mixed_up(f.voted.table, f.voted.categories)],
    }
