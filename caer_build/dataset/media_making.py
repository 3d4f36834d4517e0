"""The files of items: clips as they were cut, clips as AVI, stills as PNG; several at once."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from caer_build.dataset.abreast import abreast
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.drafts import Draft, Made
from caer_build.errors import DatasetError, IntegrityError, MediaError
from caer_build.records import Item
from caer_build.rows import values_in
from caer_build.store import disk_errors, sha256_of


def make(
    catalogue: Catalogue,
    items: Iterable[Item],
    draft: Draft,
    jobs: int,
    tell: Callable[[int], None],
) -> Iterator[Item]:
    """Makes the files that are missing of a draft of .mp4, .avi or .png files.

    Args:
        items: with where their files belong; those of one clip together, or it is opened again.
        jobs: clips that are worked on at once.
        tell: called with how many items are done.

    Yields:
        The items, in their order, with what their files came out as.

    Raises:
        IntegrityError: if a clip is not the one that was cut.
        DatasetError: if the clips cannot become such files.
    """
    cuts = (values_in(catalogue.cuts, column) for column in ("clip_id", "clip_sha256"))
    digests = dict(zip(*cuts, strict=True))
    n_done = 0
    tell(n_done)

    def work(own: Sequence[Item]) -> list[Item]:
        files = {item.item_id: made for item in own if (made := draft.standing(item))}
        todo = [item for item in own if item.item_id not in files]
        if todo:
            clip_id = str(own[0].clip_id)
            clip = catalogue.clip_file(clip_id)
            _prove(clip, digests[clip_id])
            with disk_errors(draft.folder):
                for made in _MAKERS[draft.suffix](clip, todo, draft):
                    draft.note(made)
                    files[made.item_id] = made
        return [_came_out(item, files[item.item_id]) for item in own]

    of_clips = (list(own) for _, own in groupby(items, key=_clip_id))
    for own in abreast(work, of_clips, jobs):
        yield from own
        n_done += len(own)
        tell(n_done)


def _came_out(item: Item, file: Made) -> Item:
    return replace(
        item,
        width=file.width,
        height=file.height,
        file_bytes=file.n_bytes,
        file_sha256=file.sha256,
    )


def _clip_id(item: Item) -> str:
    return str(item.clip_id)


def _prove(clip: Path, sha256: str) -> None:
    if not clip.is_file() or sha256_of(clip) != sha256:
        raise IntegrityError(
            f"{clip} is not the clip that was cut, or is not there.",
            "Run `caer verify WORK`, and build again what it finds.",
        )


def _as_cut(clip: Path, items: Sequence[Item], draft: Draft) -> Iterator[Made]:
    if clip.suffix != draft.suffix:
        raise DatasetError(
            f"{clip.name} was cut as {clip.suffix}, and this format is of {draft.suffix} files.",
            "Build with --set cutting.container=mp4; exports can be AVI nevertheless.",
        )
    for item in items:
        file = draft.media(item.item_id)
        # A copy: whoever edits a data set in place must not edit the workspace.
        part = file.with_name(f".{file.name}")
        shutil.copyfile(clip, part)
        part.replace(file)
        yield _made(item, file)


def _as_avi(clip: Path, items: Sequence[Item], draft: Draft) -> Iterator[Made]:
    from caer_build.media.remux import as_avi

    if clip.suffix == draft.suffix:
        yield from _as_cut(clip, items, draft)
        return
    for item in items:
        file = draft.media(item.item_id)
        part = file.with_name(f".{file.name}")
        as_avi(clip, part)
        part.replace(file)
        yield _made(item, file)


def _write(file: Path, data: bytes) -> None:
    # The whole draft is flushed once, before it gets its name: a sync a still would cost more
    # than the still.
    part = file.with_name(f".{file.name}")
    part.write_bytes(data)
    part.replace(file)


def _made(item: Item, file: Path) -> Made:
    # A clip has the size of its episode's frames.
    return Made(
        item.item_id, item.width or 0, item.height or 0, file.stat().st_size, sha256_of(file)
    )


def _stills(clip: Path, items: Sequence[Item], draft: Draft) -> Iterator[Made]:
    import cv2

    from caer_build.media.decode import Decoder
    from caer_build.media.probe import read_headers

    wanted = {item.clip_frame: item for item in items}
    with Decoder(clip, read_headers(clip), threads=1) as decoder:
        for frame in decoder:
            item = wanted.pop(frame.ordinal, None)
            if item is None:
                continue
            picture = frame.bgr_full()
            done, encoded = cv2.imencode(draft.suffix, picture)
            if not done:
                raise MediaError(f"{item.item_id}{draft.suffix} could not be encoded.")
            data = encoded.tobytes()
            _write(draft.media(item.item_id), data)
            height, width = picture.shape[:2]
            yield Made(item.item_id, width, height, len(data), hashlib.sha256(data).hexdigest())
            if not wanted:
                return
    lost = ", ".join(map(str, sorted(f for f in wanted if f is not None)))
    raise MediaError(f"{clip.name} has no frame {lost}.", "Run `caer stills` again.")


_MAKERS = {".mp4": _as_cut, ".avi": _as_avi, ".png": _stills}
