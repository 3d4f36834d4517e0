"""Which face embedder to use."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from caer_build.models.dlib_resnet import DlibResnet
from caer_build.models.protocols import FaceEmbedder
from caer_build.models.sface import SFace

EmbedderName = Literal["auto", "dlib-resnet", "sface"]


def load(name: EmbedderName, model_dir: Path | None, threads: int = 1) -> FaceEmbedder:
    """The embedder of that name.

    Args:
        name: ``auto`` is dlib-resnet, whose chips these are and for which it was measured.
        model_dir: where the user's own models are; null: none.
        threads: fixed, so that results do not depend on the machine's load.

    Raises:
        ModelMissing: if its package or its file is not there.
    """
    if name == "sface":
        return SFace(model_dir, threads)
    return DlibResnet(threads)
