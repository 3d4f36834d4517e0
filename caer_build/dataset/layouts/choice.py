"""The layouts by the names that people give them."""

from __future__ import annotations

from caer_build.dataset.layouts import released
from caer_build.dataset.layouts.layout import Layout
from caer_build.dataset.layouts.media_free import MediaFree
from caer_build.errors import RecipeError

FORMATS = ("caer", "caer-s", "media-free")


def layout_of(name: str, *, two_way: bool = False) -> Layout:
    """The layout of a format.

    Args:
        two_way: the released CAER-S's split, without validation; of caer-s alone.

    Raises:
        RecipeError: if there is no such format, or it cannot be had so.
    """
    if two_way and name != "caer-s":
        raise RecipeError(
            f"--released is the two-way split of CAER-S, which {name} does not have.",
            "Leave it away.",
        )
    if name == "caer":
        return released.caer()
    if name == "caer-s":
        return released.caer_s(two_way=two_way)
    if name == "media-free":
        return MediaFree()
    raise RecipeError(f"No format {name!r}.", f"The formats are {', '.join(FORMATS)}.")
