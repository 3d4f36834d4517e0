"""What a build came to, in numbers: the object that ``caer build --json`` prints."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import caer_build
from caer_build.arrow import read_table
from caer_build.pipeline import Outcome, warnings_of
from caer_build.records import REJECT_REASONS
from caer_build.store import Workspace

if TYPE_CHECKING:
    from rich.table import Table


def summarise(workspace: Workspace, outcome: Outcome) -> dict[str, Any]:
    """Counts over the published tables.

    Returns:
        ``episodes, frames, decoded_frames`` (that came out of decoders by the end of the scans, in
        whichever run they were made), ``redecoded_frames`` (after them, before cutting: by tracks
        that are followed from frame to frame), ``shots, tracks, persons, clips_kept,
        clips_rejected`` {reason: n}, ``failed`` [{unit, stage, error, message, remedy}],
        ``warnings`` (sentences) and ``seconds`` (since the program began: what its user waited).
    """
    scans = [r for (stage, _), r in outcome.results.items() if stage == "scan"]
    reasons = _column(workspace, "clips", "reject_reason")
    frames = _column(workspace, "episodes", "frame_count")
    standing = [into is None for into in _column(workspace, "persons", "merged_into")]
    return {
        "episodes": len(frames),
        "frames": sum(frames),
        "decoded_frames": sum(r.facts["decoded_frames"] for r in scans),
        "redecoded_frames": sum(
            r.facts.get("redecoded_frames", 0) for r in outcome.results.values()
        ),
        "shots": len(_column(workspace, "shots", "shot_id")),
        "tracks": len(_column(workspace, "tracks", "track_id")),
        "persons": sum(standing),
        "clips_kept": reasons.count(None),
        "clips_rejected": {r: reasons.count(r) for r in REJECT_REASONS if r in reasons},
        "warnings": [
            *warnings_of(outcome.results),
            *(
                f"Tables and clips of {show} are those of the build before."
                for show in outcome.held
            ),
        ],
        "failed": [failure.__dict__ for failure in outcome.failures],
        "seconds": round(perf_counter() - caer_build.BEGAN_S, 3),
    }


def _column(workspace: Workspace, table: str, column: str) -> list[Any]:
    path = workspace.tables / f"{table}.parquet"
    if not path.is_file():
        return []
    values: list[Any] = read_table(path, columns=[column]).column(0).to_pylist()
    return values


def count_of(number: int, what: str) -> str:
    """``1 episode``, ``2 episodes``."""
    return f"{number} {what.removesuffix('s') if number == 1 else what}"


def funnel_table(totals: dict[str, Any]) -> Table:
    """From shots to kept clips, as a table for the terminal."""
    from rich.table import Table

    rejected = totals["clips_rejected"]
    n_rows = totals["clips_kept"] + sum(rejected.values())
    table = Table(
        title="From shots to clips", title_justify="left", show_edge=False, pad_edge=False
    )
    table.add_column("step")
    table.add_column("clips", justify="right")
    table.add_column("left", justify="right")
    table.add_row(f"candidates in {count_of(totals['shots'], 'shots')}", "", str(n_rows))
    left = n_rows
    for reason, count in rejected.items():
        left -= count
        table.add_row(f"- {reason}", f"[red]-{count}[/red]", str(left))
    table.add_row("[bold]kept[/bold]", "", f"[bold green]{totals['clips_kept']}[/bold green]")
    return table
