"""The audit of a data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from caer_build.dataset.auditing.album import Look, album_of
from caer_build.dataset.auditing.boxes import Sizes, findings_by_boxes
from caer_build.dataset.auditing.duplicates import findings_by_pictures
from caer_build.dataset.auditing.findings import Audit, Finding, found, gravest_first
from caer_build.dataset.auditing.lineage import findings_by_ids
from caer_build.dataset.auditing.same_faces import findings_by_faces
from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Item
from caer_build.rows import Places, Rows, columns_of, values_in

if TYPE_CHECKING:
    import pyarrow as pa

Tell = Callable[[str, int, int], None]


def audit(dataset: Dataset, jobs: int, tell: Tell, *, faces: bool = False) -> Audit:
    """Looks at everything that a data set has.

    Args:
        jobs: files that are read at once.
        tell: called with (step, done, all).
        faces: compare faces, too, where no ids tell who is who: slow.
    """
    findings = _findings(dataset.root, dataset.items, dataset.faces, jobs, tell, leaks_only=False)
    if faces:
        findings += findings_by_faces(
            dataset.root, dataset.items, lambda done, n: tell("faces", done, n)
        )
    notes = [Finding("reader", "note", 1, note.removesuffix(".")) for note in dataset.notes]
    counts = _counts(dataset.items)
    missing = [
        f"{emotion} of {split}"
        for split, of in counts.items()
        for emotion in EMOTIONS
        if emotion not in of
    ]
    findings += found("no_items", "note", "classes without items: {n}", missing)
    return Audit(dataset.layout, len(dataset.items), counts, gravest_first([*findings, *notes]))


def leaks_of(
    root: Path,
    items: Sequence[Item],
    faces: Callable[[], Iterable[pa.Table]],
    jobs: int,
    tell: Tell,
) -> list[Finding]:
    """Only the leaks, of items whose files lie below a folder.

    Raises:
        DatasetError: if a file cannot be used as it is.
    """
    findings = _findings(root, items, faces, jobs, tell, leaks_only=True)
    for finding in findings:
        if finding.kind == "unreadable":
            raise DatasetError(
                f"{finding.message}; the first: {finding.examples[0]}.",
                "Remove the draft and export again; if it comes again, report it.",
            )
    return [finding for finding in findings if finding.severity == "leak"]


def leaks_by_ids(items: Sequence[Item], faces: Callable[[], Iterable[pa.Table]]) -> list[Finding]:
    """The leaks that can be told before there are files."""
    return [f for f in findings_by_ids(items, faces()) if f.severity == "leak"]


def _findings(
    root: Path,
    items: Sequence[Item],
    faces: Callable[[], Iterable[pa.Table]],
    jobs: int,
    tell: Tell,
    *,
    leaks_only: bool,
) -> list[Finding]:
    findings = findings_by_ids(items, faces())
    with album_of(root, items, jobs, lambda done, n: tell("pictures", done, n)) as album:
        findings += findings_by_pictures(album, jobs, tell, leaks_only=leaks_only)
        return [*findings, *findings_by_boxes(items, faces(), _sizes(items, album.looks))]


def _sizes(items: Sequence[Item], looks: Rows[Look]) -> Sizes:
    """As their files show them, or else as they are said to be."""
    import pyarrow.compute as pc

    said = columns_of(Item, items, "width", "height")
    sizes = np.stack([said[side].fill_null(0).to_numpy() for side in said.column_names], 1)
    seen = looks.table(["item_id", "width", "height"])
    seen = seen.filter(pc.greater(seen["width"], 0))
    item = Places(values_in(items, "item_id")).of(seen["item_id"])
    sizes[item] = np.stack([seen[side].to_numpy() for side in said.column_names], 1)
    return np.where((sizes == 0).any(axis=1, keepdims=True), np.inf, sizes)


def _counts(items: Sequence[Item]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    columns = columns_of(Item, items, "split", "emotion").group_by(["split", "emotion"])
    for row in columns.aggregate([([], "count_all")]).to_pylist():
        counts[str(row["split"] or "none")][str(row["emotion"] or "none")] = row["count_all"]
    return {split: dict(of) for split, of in counts.items()}
