"""Clips decoded once: faces and contexts as bytes in files that training maps into memory.

::

    STORE/store.json                        how it was made, of what
          parts/00000/faces.u8              (n, 96, 96, 3) RGB
                     context.u8             (n, 128, 171, 3) RGB, the faces hidden
                     boxes.f32              (n, 4) the target's face, xyxy px of the displayed
                                            frame; NaN where there is none
                     face_state.u8          (n,) of the face: 0 blank, 1 seen, 2 its box is
                                            interpolated
                     items.parquet          a row an item: where its frames begin, how many
                     part.json              digests; written last

A part holds a few dozen clips. It is written beside its place and renamed: a store that was
stopped goes on with the next part, and every part is whole. Whoever opens a store looks at the
sizes of its files; every byte is looked at when a part has been written, when making a store goes
on, and when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from caer_build.caernet.pictures import CONTEXT_WH, FACE_PX, Pixels
from caer_build.caernet.windows import RATE
from caer_build.errors import IntegrityError, RecipeError
from caer_build.store import read_json, sha256_of

if TYPE_CHECKING:
    import pandas as pd

Hide = Literal["none", "target", "all"]
HIDE = ("none", "target", "all")
FILLS = ("mean", "black")
_MOST_RATE = 60
STORE, PART, PARTS = "store.json", "part.json", "parts"
FACES, CONTEXT, BOXES, STATES, ITEMS = FILES = (
    "faces.u8", "context.u8", "boxes.f32", "face_state.u8", "items.parquet",
)  # fmt: skip
BLANK, SEEN, INTERPOLATED = range(3)
"""what the face of a frame is"""


@dataclass(frozen=True)
class StoreSettings:
    """What the streams are stored as.

    Attributes:
        hide: which faces the context is without.
        fill: of what is hidden: "mean" colour, or "black" as the paper's.
        face_px: side of a face; context_width, context_height: of a context, px.
        margin: around the face box, on every side, as a share of its longer side.
        square: a face is a square around its box; else the box itself, stretched to one.
        interpolated: the face of a frame in which it was not detected is cut out at the box
            between its neighbours ("use"), or "blank". It is hidden there in both.
        rate: frames a second of a clip.

    Raises:
        RecipeError: if there is no such thing.
    """

    hide: Hide = "target"
    fill: Literal["mean", "black"] = "mean"
    face_px: int = FACE_PX
    context_width: int = CONTEXT_WH[0]
    context_height: int = CONTEXT_WH[1]
    margin: float = 0.0
    square: bool = True
    interpolated: Literal["use", "blank"] = "use"
    rate: float = RATE

    def __post_init__(self) -> None:
        for name, known in (("hide", HIDE), ("fill", FILLS), ("interpolated", ("use", "blank"))):
            if getattr(self, name) not in known:
                raise RecipeError(
                    f"Expected {name} to be one of {', '.join(known)}, "
                    f"found {getattr(self, name)!r}."
                )
        if min(self.face_px, self.context_width, self.context_height) < 16 or self.margin < 0:
            raise RecipeError(
                "Expected pictures of 16 px and more and a margin of 0 and more, "
                f"found {self.face_px}, {self.context_width} x {self.context_height} and "
                f"{self.margin}."
            )

        if not 1 <= self.rate <= _MOST_RATE:
            raise RecipeError(
                f"Expected a rate of 1 to {_MOST_RATE} frames a second, found {self.rate}."
            )

    @property
    def frame_bytes(self) -> int:
        """What a frame takes."""
        return 3 * (self.face_px**2 + self.context_width * self.context_height) + 4 * 4 + 1

    def described(self) -> dict[str, Any]:
        """Its fields, JSON."""
        return asdict(self)


@dataclass(frozen=True)
class FrameStore:
    """A finished store.

    Attributes:
        folder: of the store.
        settings: how it was made.
        n_parts: how many there are.
    """

    folder: Path
    settings: StoreSettings
    n_parts: int

    @classmethod
    def open(cls, folder: Path) -> FrameStore:
        """Open a store.

        Raises:
            IntegrityError: if it is not finished, or a part is not as it was written.
        """
        if not (folder / STORE).is_file():
            raise IntegrityError(f"{folder} is no finished frame store.", "Make it again.")
        said = read_json(folder / STORE)
        store = cls(folder, StoreSettings(**said["settings"]), said["n_parts"])
        for number in range(store.n_parts):
            if not is_whole(part_folder(folder, number)):
                raise IntegrityError(
                    f"Part {number} of {folder} is not as it was written.",
                    "Remove its folder and make the store again: only that part is made.",
                )
        return store

    @cached_property
    def items(self) -> pd.DataFrame:
        """A row an item: those of ``Item``, and part, first (frame of the part), n_sampled,
        frame_width and frame_height (px, of the frames that were decoded)."""
        import pandas as pd

        tables = [
            pd.read_parquet(part_folder(self.folder, n) / ITEMS).assign(part=n)
            for n in range(self.n_parts)
        ]
        return pd.concat(tables, ignore_index=True)

    @cached_property
    def _faces(self) -> list[Pixels]:
        px = self.settings.face_px
        return [self._mapped(n, FACES, (px, px, 3)) for n in range(self.n_parts)]

    @cached_property
    def _contexts(self) -> list[Pixels]:
        shape = (self.settings.context_height, self.settings.context_width, 3)
        return [self._mapped(n, CONTEXT, shape) for n in range(self.n_parts)]

    @cached_property
    def _boxes(self) -> list[npt.NDArray[np.float32]]:
        return [self._mapped(n, BOXES, (4,), np.float32) for n in range(self.n_parts)]

    @cached_property
    def _states(self) -> list[Pixels]:
        return [self._mapped(n, STATES, ()) for n in range(self.n_parts)]

    def _mapped(
        self, number: int, name: str, shape: tuple[int, ...], dtype: Any = np.uint8
    ) -> npt.NDArray[Any]:
        flat = np.memmap(part_folder(self.folder, number) / name, dtype, mode="r")
        return flat.reshape(-1, *shape)

    def n_frames(self, part: int) -> int:
        """How many a part has."""
        return len(self._states[part])

    def faces(self, part: int, frames: npt.NDArray[np.int64]) -> Pixels:
        """Faces of a part, (n, px, px, 3) RGB; a copy."""
        return self._faces[part][frames]

    def contexts(self, part: int, frames: npt.NDArray[np.int64]) -> Pixels:
        """Contexts of a part, (n, height, width, 3) RGB; a copy."""
        return self._contexts[part][frames]

    def boxes(self, part: int, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
        """The target's face in frames of a part, (n, 4) xyxy px of the displayed frame; NaN where
        it is not."""
        return self._boxes[part][frames]

    def face_states(self, part: int, frames: npt.NDArray[np.int64]) -> Pixels:
        """What the faces of a part are, (n,): :data:`BLANK`, :data:`SEEN` or
        :data:`INTERPOLATED`."""
        return self._states[part][frames]


def part_folder(folder: Path, number: int) -> Path:
    """Where a part lies."""
    return folder / PARTS / f"{number:05d}"


def is_whole(part: Path, *, every_digest: bool = False) -> bool:
    """Whether a part is there as it was written: its sizes, or every byte."""
    if not (part / PART).is_file():
        return False
    try:
        files: Mapping[str, Mapping[str, Any]] = read_json(part / PART)["files"]
    except (IntegrityError, KeyError):
        return False
    if files.keys() != set(FILES):
        return False
    return all(_is_same(part / name, facts, every_digest) for name, facts in files.items())


def _is_same(file: Path, facts: Mapping[str, Any], every_digest: bool) -> bool:
    if not file.is_file() or file.stat().st_size != facts["bytes"]:
        return False
    return not every_digest or sha256_of(file) == facts["sha256"]


def in_parts(n_items: int, per_part: int) -> Iterator[Sequence[int]]:
    """The items of each part."""
    for first in range(0, n_items, per_part):
        yield range(first, min(first + per_part, n_items))
