"""The layouts by the names that people give them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

from caer_build.dataset.layouts import released
from caer_build.dataset.layouts.coco import Coco
from caer_build.dataset.layouts.hugging_face import HuggingFace
from caer_build.dataset.layouts.kinetics import Kinetics
from caer_build.dataset.layouts.layout import Layout
from caer_build.dataset.layouts.libraries import require_library
from caer_build.dataset.layouts.media_free import MediaFree
from caer_build.dataset.layouts.webdataset import SHARD_ITEMS, WebDataset
from caer_build.errors import RecipeError
from caer_build.records import ItemKind

Media = Literal["clips", "stills"]
FORMATS = ("caer", "caer-s", "media-free", "hf", "webdataset", "coco", "kinetics")
_OF_ONE_KIND: dict[str, Media] = {
    "caer": "clips", "caer-s": "stills", "coco": "stills", "kinetics": "clips",
}  # fmt: skip
_READ_WITH = {
    "hf": "datasets", "webdataset": "webdataset", "coco": "pycocotools", "kinetics": "pandas",
}  # fmt: skip


def layout_of(
    name: str,
    *,
    two_way: bool = False,
    media: str | None = None,
    shard_items: int | None = None,
) -> Layout:
    """The layout of a format.

    Args:
        two_way: the released CAER-S's split, without validation; of caer-s alone.
        media: "clips" or "stills" where a format takes either; None: clips.
        shard_items: items of an archive; of webdataset alone; None: 1000.

    Raises:
        RecipeError: if there is no such format, or it cannot be had so.
        ModelMissing: if the library is not there with which it would be read back.
    """
    if name not in FORMATS:
        raise RecipeError(f"No format {name!r}.", f"The formats are {', '.join(FORMATS)}.")
    _refuse(name, two_way, media, shard_items)
    if name in _READ_WITH:
        require_library(name, _READ_WITH[name])
    kinds: tuple[ItemKind, ...] = ("still",) if media == "stills" else ("clip",)
    suffix = ".png" if media == "stills" else ".mp4"
    makers: dict[str, Callable[[], Layout]] = {
        "caer": released.caer,
        "caer-s": partial(released.caer_s, two_way=two_way),
        "media-free": MediaFree,
        "hf": partial(HuggingFace, kinds, suffix),
        "webdataset": partial(WebDataset, kinds, suffix, shard_items or SHARD_ITEMS),
        "coco": Coco,
        "kinetics": Kinetics,
    }
    return makers[name]()


def _refuse(name: str, two_way: bool, media: str | None, shard_items: int | None) -> None:
    if two_way and name != "caer-s":
        raise RecipeError(
            f"--released is the two-way split of CAER-S, which {name} does not have.",
            "Leave it away.",
        )
    if shard_items is not None and name != "webdataset":
        raise RecipeError(
            f"--shard-items is of webdataset; {name} has no shards.", "Leave it away."
        )
    if media is not None and media not in get_args(Media):
        raise RecipeError(f"Expected --media clips or stills, found {media!r}.")
    if media is not None and name == "media-free":
        raise RecipeError("A media-free data set has clips and stills.", "Leave --media away.")
    if media is not None and media != _OF_ONE_KIND.get(name, media):
        raise RecipeError(
            f"{name} is a format of {_OF_ONE_KIND[name]}, and has no {media}.",
            "hf and webdataset take both.",
        )
