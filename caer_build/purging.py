"""Removing what the store keeps of deleted persons: cut clips, pictures and vectors of their faces.

After the build that applied a deletion, of every episode that the person is in::

    results that this build does not use    removed: identities, screenings, cuts, scans of other
                                            settings, in which the person is still somebody
    pieces that no present clip uses        removed
    crops.bin of the scan                   the person's crops overwritten with zeros
    embeddings.parquet                      without the rows of the person's tracks

The last two keep the digest they had for the keys of what is made of them ("key_sha256" in the
manifest), so that nothing is done again for it. Whatever is interrupted is finished by the next
build: the manifest is written first, and a file that differs from it is written again.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from caer_build.arrow import from_table, read_table
from caer_build.publishing import PIECES, Publication, faces_of, rows_where
from caer_build.records import FaceCrop
from caer_build.stage import Source, Stage
from caer_build.store import (
    MANIFEST,
    disk_errors,
    read_json,
    write_atomically,
    write_json,
)

_SHOW_NO_FACE = ("ingest", "shots", "repeats")
_CHUNK = 1 << 20
Span = tuple[int, int]


def purge(publication: Publication) -> bool:
    """Remove what is kept of deleted persons; whether there was anything.

    An episode of which any stage is missing is left for the build that completes it.
    """
    removed = False
    with disk_errors(publication.workspace.root):
        for source in publication.sources:
            if _is_complete(publication, source):
                deleted = publication.deleted_tracks(source)
                if deleted:
                    removed |= _purge_results(publication, source)
                    removed |= _purge_faces(publication, source, deleted)
        if removed:
            # May have been written between the decision and this build.
            (publication.workspace.root / "report.html").unlink(missing_ok=True)
    return removed


def _unit(stage: Stage[Any], source: Source) -> str:
    return source.episode_id if stage.scope == "episode" else source.show


def _is_complete(publication: Publication, source: Source) -> bool:
    there = all(
        (stage.name, _unit(stage, source)) in publication.results for stage in publication.stages
    )
    return there and source.show not in publication.held


def _purge_results(publication: Publication, source: Source) -> bool:
    """Remove what this build does not use of an episode's results and pieces, and its show's."""
    removed = False
    for stage in publication.stages:
        if stage.name in _SHOW_NO_FACE:
            continue
        unit = _unit(stage, source)
        used = publication.results[stage.name, unit].folder
        for manifest in list(used.parent.glob(f"*/{MANIFEST}")):
            if manifest.parent != used:
                shutil.rmtree(manifest.parent)
                removed = True
    index = publication.file_of(PIECES, source)
    if index is not None:
        pieces = {piece["key"] for piece in read_json(index).values()}
        for folder in list((index.parent.parent / "pieces").glob("*")):
            if folder.name not in pieces:
                shutil.rmtree(folder)
                removed = True
    return removed


def _purge_faces(publication: Publication, source: Source, deleted: Collection[str]) -> bool:
    """Remove the pictures and vectors of the tracks that decisions to delete were found in.

    Not of those who were only grouped with them: with settings that join everybody one deletion
    would destroy all.
    """
    identities = publication.results["identities", source.show]
    named = set(identities.facts.get("deleted", ())) & set(deleted)
    if not named:
        return False
    theirs = faces_of(publication.file_of("track_detections", source), named)
    scan = publication.results["scan", source.episode_id]
    blanked = blank_crops(scan.folder, theirs)
    embeddings = publication.results["embeddings", source.episode_id]
    return remove_vectors(embeddings.folder, named) or blanked


def blank_crops(scan: Path, faces: Collection[tuple[int, int]]) -> bool:
    """Overwrite the crops of these detections, (frame, index), with zeros; whether there were any.

    Args:
        scan: the folder of a result of the scan.
    """
    path = scan / "crops.bin"
    crops = from_table(FaceCrop, read_table(scan / "crops.parquet"))
    spans = sorted((c.offset, c.length) for c in crops if (c.frame, c.index) in faces)
    with path.open("r+b") as stream:
        present = [span for span in spans if any(_read(stream, span))]
        if not present:
            return False
        _note(scan, path.name, _digest_without(stream, spans), path.stat().st_size)
        for offset, length in present:
            stream.seek(offset)
            stream.write(bytes(length))
        stream.flush()
        os.fsync(stream.fileno())
    return True


def _read(stream: io.BufferedRandom, span: Span) -> bytes:
    stream.seek(span[0])
    return stream.read(span[1])


def _digest_without(stream: io.BufferedRandom, spans: Sequence[Span]) -> str:
    """Hex SHA-256 that a file will have once these spans of it are zeros."""
    digest = hashlib.sha256()
    end = stream.seek(0, os.SEEK_END)
    at = 0
    for offset, length in [*spans, (end, 0)]:
        stream.seek(at)
        while at < offset:
            data = stream.read(min(_CHUNK, offset - at))
            digest.update(data)
            at += len(data)
        digest.update(bytes(length))
        at = offset + length
    return digest.hexdigest()


def remove_vectors(embeddings: Path, tracks: Collection[str]) -> bool:
    """Remove the rows of these tracks; whether there were any.

    Args:
        embeddings: the folder of a result of the stage of that name.
    """
    import pyarrow.parquet as pq

    path = embeddings / "embeddings.parquet"
    table = read_table(path)
    stays = [track not in tracks for track in table["track_id"].to_pylist()]
    if all(stays):
        return False
    buffer = io.BytesIO()
    pq.write_table(rows_where(table, stays), buffer, compression="zstd")
    data = buffer.getvalue()
    _note(embeddings, path.name, hashlib.sha256(data).hexdigest(), len(data))
    write_atomically(path, data)
    return True


def _note(result: Path, name: str, sha256: str, n_bytes: int) -> None:
    """What a file will be, in the manifest; with the digest that keys were made of."""
    manifest = read_json(result / MANIFEST)
    claim = manifest["files"][name]
    key_sha256 = claim.get("key_sha256", claim["sha256"])
    manifest["files"][name] = {"bytes": n_bytes, "sha256": sha256, "key_sha256": key_sha256}
    write_json(result / MANIFEST, manifest)
