"""What an export says of itself to people (``README.md``) and to programs (``croissant.json``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caer_build.dataset.card import card
from caer_build.dataset.croissant import croissant
from caer_build.dataset.describing import describe
from caer_build.records import Item
from caer_build.store import write_json

CARD, CROISSANT = "README.md", "croissant.json"


def write_accounts(folder: Path, said: Mapping[str, Any], items: Sequence[Item]) -> None:
    """Write both; the tables are there already, and so is the index.

    A README.md that the index has is what libraries read of it (Hugging Face): the card follows.
    """
    described = describe(folder, said, items)
    place = folder / CARD
    front = place.read_text("utf-8") if place.is_file() else ""
    place.write_text(front + card(described), encoding="utf-8")
    write_json(folder / CROISSANT, croissant(described))
