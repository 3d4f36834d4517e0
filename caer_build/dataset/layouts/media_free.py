"""A data set without a single picture: digests of the episodes, spans, boxes, labels and votes.

What may not be given away stays at home; whoever has the same episodes makes the rest with
``caer rebuild``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from caer_build.dataset.layouts.layout import Seen, labelled
from caer_build.records import Item, ItemKind


@dataclass(frozen=True)
class MediaFree:
    """``metadata/`` alone, of clips and stills."""

    name: str = "media-free"
    kinds: tuple[ItemKind, ...] = ("clip", "still")
    suffix: str | None = None
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> list[Item]:
        return [item for kind in self.kinds for item in labelled(items, kind)]

    def places(self, items: Sequence[Item]) -> dict[str, str]:
        return {item.item_id: item.item_id for item in items}

    def write_index(self, folder: Path, items: Sequence[Item]) -> None:
        """The tables are the index."""

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With pandas, as its users do."""
        import pandas as pd

        columns = ["item_id", "split", "emotion"]
        table = pd.read_parquet(folder / "metadata" / "items.parquet", columns=columns)
        for row in table.itertuples():
            yield Seen(str(row.item_id), str(row.split), str(row.emotion))
