"""The audit of a data set."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from caer_build.dataset.auditing.album import Album, album_of
from caer_build.dataset.auditing.boxes import findings_by_boxes
from caer_build.dataset.auditing.duplicates import findings_by_pictures
from caer_build.dataset.auditing.findings import Audit, Finding, found, gravest_first
from caer_build.dataset.auditing.lineage import findings_by_ids
from caer_build.dataset.auditing.same_faces import findings_by_faces
from caer_build.dataset.reading import Dataset
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, Item

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
        return [*findings, *findings_by_boxes(items, faces(), _sizes(items, album))]


def _sizes(items: Iterable[Item], album: Album) -> dict[str, tuple[int, int]]:
    said = {i.item_id: (i.width, i.height) for i in items if i.width and i.height}
    return said | {
        look.item.item_id: (look.width, look.height) for look in album.looks if look.width
    }


def _counts(items: Iterable[Item]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        counts[str(item.split or "none")][str(item.emotion or "none")] += 1
    return {split: dict(of) for split, of in counts.items()}
