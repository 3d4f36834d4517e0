"""Making a data set: files, tables, index, checksums; whole or not at all.

Every format goes the same way, and only :class:`Layout` knows which it is::

    choose -> files -> tables -> index -> read back -> leaks? -> card -> checksums -> its name
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from caer_build.dataset import metadata
from caer_build.dataset.accounts import CARD, write_accounts
from caer_build.dataset.auditing.auditing import leaks_by_ids, leaks_of
from caer_build.dataset.auditing.findings import Finding
from caer_build.dataset.auditing.refusing import refuse_leaks, said_of
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.checksums import write_checksums
from caer_build.dataset.drafts import Draft, Made
from caer_build.dataset.layouts.layout import Layout
from caer_build.dataset.layouts.libraries import require_plain_path
from caer_build.dataset.media_making import make
from caer_build.errors import DatasetError, IntegrityError
from caer_build.records import Item
from caer_build.store import digest_of, disk_errors, read_json, write_json

FACTS = "dataset.json"
"""written last: a folder without it is no data set of ours"""
FORM = 1
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
    chosen = layout.choose(catalogue.items)
    if not chosen:
        raise DatasetError(
            f"There is nothing to export as {layout.name}.",
            "Stills are chosen by `caer stills`; clips need `caer label` and `caer split`.",
        )
    facts = dict(catalogue.facts)
    if "still" not in layout.kinds:
        facts["stills"] = None
    said = {"form": FORM, "layout": layout.described(), "facts": facts}
    plan = digest_of([said, [digest_of(asdict(item)) for item in chosen]])
    split_by = facts.get("split", {}).get("by")
    if allow_leaks is not True:
        # What ids tell is known before hours of work.
        known = leaks_by_ids(chosen, catalogue.faces)
        refuse_leaks(out.name, _beyond(known, allow_leaks or ()), split_by)
    with Draft.of(out, plan) as draft, disk_errors(out.parent):
        try:
            items = _files(
                chosen,
                layout,
                draft,
                lambda: make(catalogue, chosen, draft, jobs, _step(tell, "files")),
            )
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
            digests = {i.file: i.file_sha256 for i in items if not layout.archived}
            n_bytes = write_checksums(draft.folder, digests, _step(tell, "checksums"))
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


def _files(
    chosen: Sequence[Item], layout: Layout, draft: Draft, make_them: Callable[[], None]
) -> list[Item]:
    """The items with their files, each where it belongs, or ready to be packed."""
    places = layout.places(chosen)
    if layout.suffix is None:
        return list(chosen)
    draft.open_for(layout.suffix, {} if layout.archived else places)
    make_them()
    draft.settle()
    return [_with_file(item, places[item.item_id], draft.made[item.item_id]) for item in chosen]


def _with_file(item: Item, file: str, made: Made) -> Item:
    return replace(
        item,
        file=file,
        width=made.width,
        height=made.height,
        file_bytes=made.n_bytes,
        file_sha256=made.sha256,
    )


def _beyond(leaks: Sequence[Finding], kinds: Collection[str]) -> list[Finding]:
    return [leak for leak in leaks if leak.kind not in kinds]


def _step(tell: Tell, name: str) -> Callable[[int, int], None]:
    return lambda done, total: tell(name, done, total)


def _compare(layout: Layout, folder: Path, items: Sequence[Item], tell: Tell) -> None:
    """Reads the draft as its users will, and compares it with what was meant."""
    meant = {item.file or item.item_id: (item.split, item.emotion) for item in items}
    n_seen = 0
    for n_seen, seen in enumerate(layout.read_back(folder), start=1):
        if meant.pop(seen.file, None) != (seen.split, seen.emotion):
            raise DatasetError(
                f"{seen.file} was read back as {seen.emotion} of {seen.split}, which it is not.",
                "Remove the draft and export again; if it comes again, report it.",
            )
        tell("read back", n_seen, len(items))
    if meant:
        raise DatasetError(
            f"{len(meant)} of {len(items)} items were not read back, the first is "
            f"{next(iter(meant))}.",
            "Remove the draft and export again; if it comes again, report it.",
        )
