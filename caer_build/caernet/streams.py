"""The two streams of a frame as they are stored, and as they are made of fresh pictures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from caer_build.caernet.pictures import MEAN_BGR, Box, Pixels, context_of, face_crop

if TYPE_CHECKING:
    from caer_build.caernet.framestore import StoreSettings


def streams_of(
    picture: Pixels, target: Box | None, others: Iterable[Box], settings: StoreSettings,
    *, interpolated: bool = False,
) -> tuple[Pixels, Pixels]:  # fmt: skip
    """Face and context of a person in a frame, RGB; a blank face where there is none.

    Args:
        picture: (h, w, 3) BGR.
        target: the person's face.
        others: the other faces.
        interpolated: the person's face was not detected in this very frame.
    """
    if target is None or (interpolated and settings.interpolated == "blank"):
        face = np.full((settings.face_px, settings.face_px, 3), MEAN_BGR, np.uint8)
    else:
        face = face_crop(picture, target, settings.face_px, settings.margin, square=settings.square)
    hidden: Iterable[Box] = ()
    if settings.hide != "none" and target is not None:
        hidden = (target,)
    if settings.hide == "all":
        hidden = (*hidden, *others)
    context = context_of(
        picture,
        hidden,
        (settings.context_width, settings.context_height),
        MEAN_BGR if settings.fill == "mean" else (0, 0, 0),
    )
    return _rgb(face), _rgb(context)


def _rgb(picture: Pixels) -> Pixels:
    return np.ascontiguousarray(picture[:, :, ::-1])
