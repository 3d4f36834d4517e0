"""What the frames of clips look like: a perceptual hash each, and how sharp the face is.

Kept in ``WORK/looks``, a file a clip, named after the clip's bytes and where its face was seen:
another choice of stills decodes nothing, and an added episode only its own clips.
"""

from __future__ import annotations

import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from caer_build.dataset.abreast import abreast
from caer_build.errors import IntegrityError
from caer_build.faces import sharpness
from caer_build.media.decode import Decoder
from caer_build.media.probe import read_headers
from caer_build.models.protocols import FEATURE_HEIGHT, FEATURE_WIDTH, Images
from caer_build.repetition import frame_hashes
from caer_build.store import Workspace, digest_of, write_atomically

FOLDER = "looks"
_VERSION = 1
_LOOK = np.dtype([("hash", "<u8"), ("sharpness", "<f4")])
Looks = npt.NDArray[np.void]
"""(n,) of a clip's frames: ``hash``, 64 bits, 0 for a flat picture; ``sharpness`` of the face,
NaN where it was not seen"""


@dataclass(frozen=True)
class TargetBoxes:
    """Where the target's face is in a clip.

    Attributes:
        frames: (n,) within the clip, ascending.
        boxes: (n, 4) xyxy px.
        seen: (n,) detected in this very frame.
    """

    frames: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    seen: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ClipToLookAt:
    """A clip of a workspace.

    Attributes:
        sha256: of its file.
        n_frames: that the file must have.
    """

    clip_id: str
    file: Path
    sha256: str
    n_frames: int
    target: TargetBoxes

    @property
    def key(self) -> str:
        """By which its looks are kept."""
        seen = self.target.seen
        where = [self.target.frames[seen].tolist(), self.target.boxes[seen].tolist()]
        return digest_of([_VERSION, self.sha256, where])


def each_look(
    workspace: Workspace, clips: Iterable[ClipToLookAt], jobs: int
) -> Iterator[tuple[ClipToLookAt, Looks]]:
    """Clips with their looks, in their order; those that are not kept yet are decoded.

    After the last one, looks of other clips are forgotten.

    Args:
        clips: few of them are in memory at a time.
        jobs: clips that are decoded at once.

    Raises:
        IntegrityError: if a clip has other frames than it was cut with.
        MediaError: if one cannot be decoded.
    """
    (workspace.root / FOLDER).mkdir(exist_ok=True)

    def work(clip: ClipToLookAt) -> tuple[ClipToLookAt, str, Looks]:
        key = clip.key
        place = _place(workspace, key)
        looks = _kept(place, clip)
        if looks is None:
            looks = look_at(clip)
            buffer = io.BytesIO()
            np.save(buffer, looks, allow_pickle=False)
            write_atomically(place, buffer.getvalue())
        return clip, key, looks

    keys = set()
    for clip, key, looks in abreast(work, clips, jobs):
        keys.add(key)
        yield clip, looks
    _forget_others(workspace, keys)


def look_at(clip: ClipToLookAt) -> Looks:
    """Decodes a clip once."""
    looks = np.zeros(clip.n_frames, _LOOK)
    looks["sharpness"] = np.nan
    seen = clip.target.seen
    boxes = dict(zip(clip.target.frames[seen].tolist(), clip.target.boxes[seen], strict=True))
    small = np.zeros((clip.n_frames, FEATURE_HEIGHT, FEATURE_WIDTH, 3), np.uint8)
    n_frames = 0
    with Decoder(clip.file, read_headers(clip.file), threads=1) as decoder:
        for n_frames, frame in enumerate(decoder, start=1):
            if n_frames > clip.n_frames:
                break
            small[frame.ordinal] = frame.rgb(FEATURE_WIDTH, FEATURE_HEIGHT)
            if frame.ordinal in boxes:
                looks["sharpness"][frame.ordinal] = _sharpness(
                    frame.bgr_full(), boxes[frame.ordinal]
                )
    if n_frames != clip.n_frames:
        raise IntegrityError(
            f"{clip.file} was cut with {clip.n_frames} frames and has "
            f"{'more' if n_frames > clip.n_frames else n_frames}.",
            "Run `caer verify WORK`, and build again what it finds.",
        )
    looks["hash"] = frame_hashes(small)
    return looks


def _sharpness(picture: Images, box: npt.NDArray[np.float64]) -> float:
    """As the scan measures it."""
    import cv2

    x1, y1, x2, y2 = (float(v) for v in box)
    rows = slice(max(0, int(y1)), max(int(y1) + 1, round(y2)))
    columns = slice(max(0, int(x1)), max(int(x1) + 1, round(x2)))
    face = picture[rows, columns]
    # A box that only reaches in by less than a pixel.
    return 0.0 if face.size == 0 else sharpness(
        np.asarray(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), np.uint8)
    )  # fmt: skip


def _kept(place: Path, clip: ClipToLookAt) -> Looks | None:
    try:
        looks = np.load(place, allow_pickle=False)
    except (OSError, ValueError):
        # Not there, or not whole: it is made again.
        return None
    return looks if looks.dtype == _LOOK and len(looks) == clip.n_frames else None


def _forget_others(workspace: Workspace, keys: Collection[str]) -> None:
    for file in (workspace.root / FOLDER).glob("*.npy"):
        if file.stem not in keys:
            file.unlink()


def _place(workspace: Workspace, key: str) -> Path:
    return workspace.root / FOLDER / f"{key}.npy"
