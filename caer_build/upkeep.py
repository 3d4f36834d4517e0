"""Looking after a workspace: is everything whole, and what is no longer needed?"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from caer_build import pipeline
from caer_build.errors import IntegrityError
from caer_build.publishing import PIECES
from caer_build.stage import Source
from caer_build.store import MANIFEST, Result, Workspace, read_json


@dataclass(frozen=True)
class Verdict:
    """What :func:`verify` found; ``broken`` names results relative to the workspace."""

    n_results: int
    broken: list[str]


def verify(workspace: Workspace, repair: bool) -> Verdict:
    """Compare every file of every result with its digest; with ``repair`` delete broken ones.

    Without ``repair`` a build may run meanwhile: what it takes away under the reader's hands is
    not counted.
    """
    n_results, broken = 0, []
    for folder in list(_result_folders(workspace)):
        try:
            whole = Result(folder, read_json(folder / MANIFEST)).is_whole(every_digest=True)
        except (IntegrityError, KeyError, FileNotFoundError):
            whole = False
        if not whole and not (folder / MANIFEST).is_file():
            continue
        n_results += 1
        if not whole:
            broken.append(str(folder.relative_to(workspace.root)))
            if repair:
                shutil.rmtree(folder)
    return Verdict(n_results, broken)


def clean(workspace: Workspace, sources: Sequence[Source], dry_run: bool) -> tuple[int, int]:
    """Delete the results that the last recipe does not use.

    Returns:
        How many results, and how many bytes, went (or would go).
    """
    used = _used(workspace, sources)
    n_results = n_bytes = 0
    for folder in list(_result_folders(workspace)):
        if folder in used:
            continue
        n_results += 1
        n_bytes += sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        if not dry_run:
            shutil.rmtree(folder)
    return n_results, n_bytes


def _used(workspace: Workspace, sources: Sequence[Source]) -> set[Path]:
    used = set()
    for (stage, unit), result in pipeline.current_results(workspace, sources).items():
        used.add(result.folder)
        if PIECES in result.files:
            pieces = workspace.unit_folder(stage, f"{unit}/pieces")
            used |= {pieces / p["key"] for p in read_json(result.path(PIECES)).values()}
    return used


def _result_folders(workspace: Workspace) -> Iterator[Path]:
    for manifest in sorted((workspace.root / "stages").glob(f"**/{MANIFEST}")):
        # A result in the making is none yet.
        if not manifest.parent.name.startswith(".draft-"):
            yield manifest.parent
