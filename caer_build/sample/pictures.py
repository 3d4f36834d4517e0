"""The source pictures of the edit list, read when first needed.

Pictures of low resolution are enlarged and sharpened once, when they are read, so that every
frame of the episode costs only a cheap warp.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from caer_build.errors import MediaError
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.sample.material import PIECES, find
from caer_build.sample.script import Layer, Shot

Pixels = npt.NDArray[np.uint8]

_SHARPEN = 0.7
"""strength of the unsharp mask that makes up for enlarging"""


class Pictures:
    """Stills and footage by name and frame; only the frames that ``shots`` show are kept.

    Raises:
        ModelMissing: if a package that carries one of the files is not installed.
    """

    def __init__(self, shots: Sequence[Shot]) -> None:
        layers = [layer for shot in shots for layer in shot.layers]
        self._wanted = {name: _frames_shown(name, layers) for name in {x.file for x in layers}}
        self._paths = {name: find(PIECES[name]) for name in sorted(self._wanted)}
        self._loaded: dict[str, dict[int, Pixels]] = {}

    def scale(self, name: str) -> int:
        """How many times larger than its source the piece is kept."""
        return PIECES[name].enlarge

    def frame(self, name: str, number: int) -> Pixels:
        """Frame ``number`` of a piece, enlarged: (height, width, 3) RGB. Stills have one.

        Raises:
            MediaError: if the file has fewer frames than the edit list expects.
        """
        if name not in self._loaded:
            load = _footage if PIECES[name].moving else _still
            found = load(self._paths[name], self._wanted[name])
            enlarge = PIECES[name].enlarge
            self._loaded[name] = {n: _enlarged(rgb, enlarge) for n, rgb in found.items()}
        try:
            return self._loaded[name][number]
        except KeyError:
            raise MediaError(
                f"{self._paths[name].name} has no frame {number}, which the sample shows.",
                "Reinstall the packages: `pip install --force-reinstall caer-build[demo]`.",
            ) from None


def _frames_shown(name: str, layers: Sequence[Layer]) -> set[int]:
    return {number for x in layers if x.file == name for number in range(*x.frames)}


def _footage(path: Path, wanted: set[int]) -> dict[int, Pixels]:
    kept = {}
    with Decoder(path, read_headers(path)) as decoder:
        for frame in decoder:
            if frame.ordinal in wanted:
                kept[frame.ordinal] = np.ascontiguousarray(frame.bgr_full()[:, :, ::-1])
    return kept


def _still(path: Path, wanted: set[int]) -> dict[int, Pixels]:
    import cv2

    # Read by Python, decoded by OpenCV: its own reader takes no names that are not ASCII.
    bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise MediaError(f"{path.name} is no picture that can be read.", "Reinstall its package.")
    rgb = np.ascontiguousarray(bgr[:, :, ::-1])
    return dict.fromkeys(wanted, cast(Pixels, rgb))


def _enlarged(rgb: Pixels, times: int) -> Pixels:
    import cv2

    if times == 1:
        return rgb
    large = cv2.resize(rgb, None, fx=times, fy=times, interpolation=cv2.INTER_LANCZOS4)
    soft = cv2.GaussianBlur(large, (0, 0), 0.6 * times)
    return cast(Pixels, cv2.addWeighted(large, 1 + _SHARPEN, soft, -_SHARPEN, 0))
