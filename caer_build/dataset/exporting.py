"""Making a data set: files, tables, index, checksums; whole or not at all.

Every format goes the same way, and only :class:`Layout` knows which it is::

    choose -> files -> tables -> index -> read back -> leaks? -> card -> checksums -> its name
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from caer_build.dataset import metadata
from caer_build.dataset.accounts import CARD, write_accounts
from caer_build.dataset.auditing.auditing import leaks_by_ids, leaks_of
from caer_build.dataset.auditing.findings import Finding
from caer_build.dataset.auditing.refusing import refuse_leaks, said_of
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.checksums import write_checksums
from caer_build.dataset.drafts import Draft
from caer_build.dataset.layouts.layout import Layout
from caer_build.dataset.layouts.libraries import require_plain_path
from caer_build.dataset.media_making import make
from caer_build.errors import DatasetError, IntegrityError
from caer_build.records import Item
from caer_build.rows import Places, Rows
from caer_build.store import digest_of, disk_errors, read_json, write_json

FACTS = "dataset.json"
"""written last: a folder without it is no data set of ours"""
FORM = 1
_SEEN_AT_ONCE = 1000
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """A data set that was made."""

    folder: Path
    n_items: int
    n_bytes: int


def export(
    catalogue: Catalogue,
    out: Path,
    layout: Layout,
    tell: Tell,
    jobs: int = 2,
    *,
    allow_leaks: bool | Collection[str] = False,
) -> Exported:
    """Make a data set, or go on making it.

    Args:
        out: its folder, which is not there yet.
        tell: called with (step, done, all).
        jobs: clips that are worked on at once.
        allow_leaks: make it although people, clips or pictures stand in two splits; its
            ``dataset.json`` says so. Or the kinds of leaks that it may have.

    Raises:
        DatasetError: if there is nothing to export, something is at ``out`` already, the format's
            library cannot open what bears that name, it leaks, or what was written cannot be read
            back as its users do.
        IntegrityError: if a clip is not the one that was cut.
        StoreError: if the disk is full.
    """
    require_plain_path(layout.name, out)
    chosen = Rows.of(Item, layout.choose(catalogue.items))
    if not chosen:
        raise DatasetError(
            f"There is nothing to export as {layout.name}.",
            "Stills are chosen by `caer stills`; clips need `caer label` and `caer split`.",
        )
    facts = dict(catalogue.facts)
    if "still" not in layout.kinds:
        facts["stills"] = None
    said = {"form": FORM, "layout": layout.described(), "facts": facts}
    plan = digest_of([said, _digest_of(chosen)])
    split_by = facts.get("split", {}).get("by")
    if allow_leaks is not True:
        # What ids tell is known before hours of work.
        known = leaks_by_ids(chosen, catalogue.faces)
        refuse_leaks(out.name, _beyond(known, allow_leaks or ()), split_by)
    with Draft.of(out, plan) as draft, disk_errors(out.parent):
        try:
            items = chosen
            if layout.suffix is not None:
                draft.suffix = layout.suffix
                placed = _placed(chosen, layout)
                items = Rows.of(
                    Item,
                    make(catalogue, placed, draft, jobs, lambda n: tell("files", n, len(chosen))),
                )
                if not layout.archived:
                    draft.settle(items)
            metadata.write_tables(draft.folder, catalogue, items)
            # A card that a stopped run left would be taken for a part of the index.
            (draft.folder / CARD).unlink(missing_ok=True)
            layout.write_index(draft.folder, items)
            _compare(layout, draft.folder, items, tell)
            leaks = leaks_of(
                draft.folder, items, partial(metadata.face_tables, draft.folder), jobs, tell
            )
            if allow_leaks is not True:
                refuse_leaks(
                    out.name, _beyond(leaks, allow_leaks or ()), split_by, kept=draft.folder
                )
            draft.drop_media()
            said |= {"n_items": len(items), "leaks": said_of(leaks)}
            write_accounts(draft.folder, said, items)
            write_json(draft.folder / FACTS, said)
            alone = layout.suffix is not None and not layout.archived
            files = items if alone else ()
            n_bytes = write_checksums(draft.folder, files, _step(tell, "checksums"))
        except IntegrityError:
            draft.forget()
            raise
        draft.publish(out)
    return Exported(out, len(items), n_bytes)


def facts_of(dataset: Path) -> dict[str, Any]:
    """What a data set of ours says of how it was made.

    Raises:
        DatasetError: if it is none.
    """
    if not (dataset / FACTS).is_file():
        raise DatasetError(
            f"Expected a data set of ours with {FACTS}, found none in {dataset}.",
            "Make one with `caer export`.",
        )
    found: dict[str, Any] = read_json(dataset / FACTS)
    return found


def _digest_of(items: Rows[Item]) -> str:
    """Of everything that some items say."""
    digest = hashlib.sha256()
    for item in items:
        digest.update(repr(item).encode())
    return digest.hexdigest()


def _placed(items: Rows[Item], layout: Layout) -> Iterator[Item]:
    """The items with where their files are to be."""
    for item, file in zip(items, layout.places(items), strict=True):
        yield replace(item, file=file)


def _beyond(leaks: Sequence[Finding], kinds: Collection[str]) -> list[Finding]:
    return [leak for leak in leaks if leak.kind not in kinds]


def _step(tell: Tell, name: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(name, done, total)


def _compare(layout: Layout, folder: Path, items: Rows[Item], tell: Tell) -> None:
    """Reads the draft as its users will, and compares it with what was meant."""
    import pyarrow as pa

    column = "item_id" if layout.suffix is None else "file"
    places = Places(items.values(column))
    classes = [*zip(items.values("split"), items.values("emotion"), strict=True), None]
    again = "Remove the draft and export again; if it comes again, report it."
    left, n_seen = layout.read_back(folder), 0
    while some := list(islice(left, _SEEN_AT_ONCE)):
        found = places.of(pa.chunked_array([[seen.file for seen in some]]))
        for seen, place in zip(some, found.tolist(), strict=True):
            if classes[place] != (seen.split, seen.emotion):
                raise DatasetError(
                    f"{seen.file} was read back as {seen.emotion} of {seen.split}, which it is "
                    "not.", again,
                )  # fmt: skip
            # What was met once may not be met again.
            classes[place] = None
        n_seen += len(some)
        tell("read back", n_seen, len(items))
    lost = [place for place, still in enumerate(classes) if still is not None]
    if lost:
        first = items[lost[0]]
        raise DatasetError(
            f"{len(lost)} of {len(items)} items were not read back, the first is "
            f"{first.file or first.item_id}.",
            again,
        )
