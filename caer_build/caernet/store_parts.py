"""A part of a frame store, written: files beside its place, looked at once more, then renamed."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from caer_build.arrow import to_table
from caer_build.caernet.framestore import (
    BOXES,
    CONTEXT,
    FACES,
    FILES,
    ITEMS,
    PART,
    SEEN,
    STATES,
    is_whole,
)
from caer_build.caernet.pictures import Box, Pixels
from caer_build.errors import IntegrityError
from caer_build.records import Item
from caer_build.store import flush

_NO_BOX = (np.nan,) * 4


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame as it is stored.

    Attributes:
        face, context: RGB.
        box: of the target's face, xyxy px of the frame; None: there is none.
        frame_wh: how large the frame is, px.
        state: of the face, see :mod:`~caer_build.caernet.framestore`.
    """

    face: Pixels
    context: Pixels
    box: Box | None
    frame_wh: tuple[int, int]
    state: int = SEEN


def write_part(
    place: Path, items: Sequence[Item], frames: Callable[[Item], Iterator[Frame]]
) -> None:
    """Write the frames of items as a part of a store: beside its place, then renamed.

    Args:
        place: of the part.
        frames: of an item, one or more.

    Raises:
        IntegrityError: if the disk does not give back what was written.
    """
    draft = place.with_name(f".{place.name}.{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    with ExitStack() as opened:
        files = {name: opened.enter_context(_Written(draft / name)) for name in FILES}
        firsts, sizes = [0], []
        for item in items:
            n, wh = 0, (0, 0)
            for n, frame in enumerate(frames(item), 1):  # noqa: B007
                files[FACES].add(frame.face.tobytes())
                files[CONTEXT].add(frame.context.tobytes())
                files[BOXES].add(np.array(frame.box or _NO_BOX, np.float32).tobytes())
                files[STATES].add(bytes([frame.state]))
                wh = frame.frame_wh
            firsts.append(firsts[-1] + n)
            sizes.append(wh)
        files[ITEMS].add(_index(items, firsts, sizes))
    facts = {name: file.facts for name, file in files.items()}
    for name in facts:
        flush(draft / name)
    (draft / PART).write_text(json.dumps({"files": facts}, indent=1))
    flush(draft / PART)
    if not is_whole(draft, every_digest=True):
        raise IntegrityError(
            f"{draft} does not hold what was written into it.", "The disk may be failing."
        )
    shutil.rmtree(place, ignore_errors=True)
    draft.rename(place)


def _index(items: Sequence[Item], firsts: Sequence[int], sizes: Sequence[tuple[int, int]]) -> bytes:
    """A row an item, see :attr:`FrameStore.items`, as Parquet.

    Args:
        firsts: where the frames of each begin, and where the last one's end.
        sizes: of the frames of each, width and height.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = to_table(Item, items)
    for name, numbers in (
        ("first", firsts[:-1]),
        ("n_sampled", np.diff(firsts)),
        ("frame_width", [width for width, _ in sizes]),
        ("frame_height", [height for _, height in sizes]),
    ):
        table = table.append_column(name, pa.array(numbers, pa.int64()))
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


class _Written:
    """A file that knows the digest of what was written into it."""

    def __init__(self, file: Path) -> None:
        self._file, self._digest, self._n = file.open("wb"), hashlib.sha256(), 0

    def __enter__(self) -> _Written:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._file.close()

    def add(self, data: bytes) -> None:
        self._file.write(data)
        self._digest.update(data)
        self._n += len(data)

    @property
    def facts(self) -> dict[str, Any]:
        return {"bytes": self._n, "sha256": self._digest.hexdigest()}
