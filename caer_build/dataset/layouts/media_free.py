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
from caer_build.rows import Rows


@dataclass(frozen=True)
class MediaFree:
    """``metadata/`` alone, of clips and stills."""

    name: str = "media-free"
    kinds: tuple[ItemKind, ...] = ("clip", "still")
    suffix: str | None = None
    archived: bool = False

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        for kind in self.kinds:
            yield from labelled(items, kind)

    def places(self, items: Sequence[Item]) -> Iterator[str]:  # noqa: ARG002
        """Nowhere."""
        return iter(())

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        """The tables are the index."""

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With pandas, as its users do."""
        import pandas as pd

        columns = ["item_id", "split", "emotion"]
        table = pd.read_parquet(folder / "metadata" / "items.parquet", columns=columns)
        for row in table.itertuples():
            yield Seen(str(row.item_id), str(row.split), str(row.emotion))
