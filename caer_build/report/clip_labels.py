"""What became of a clip of a workspace after the build: votes, label, split, stills."""

from __future__ import annotations

from caer_build.records import CountedVote, Label, SplitAssignment, Still
from caer_build.report.label_wording import group_line, label_lines, split_how, vote_lines
from caer_build.store import Workspace
from caer_build.tables import facts_of, has_table, read_published


def after_the_build(workspace: Workspace, clip_id: str) -> dict[str, list[str]]:
    """Sections of lines, of those tables that are there and know the clip."""
    return {
        "Label": _label(workspace, clip_id),
        "Votes": _votes(workspace, clip_id),
        "Split": _split(workspace, clip_id),
        "Stills": _stills(workspace, clip_id),
    }


def _label(workspace: Workspace, clip_id: str) -> list[str]:
    if not has_table(workspace, Label):
        return []
    label = next((row for row in read_published(workspace, Label) if row.clip_id == clip_id), None)
    return [] if label is None else label_lines(label, facts_of(workspace, Label))


def _votes(workspace: Workspace, clip_id: str) -> list[str]:
    if not has_table(workspace, CountedVote):
        return []
    return vote_lines(v for v in read_published(workspace, CountedVote) if v.clip_id == clip_id)


def _split(workspace: Workspace, clip_id: str) -> list[str]:
    if not has_table(workspace, SplitAssignment):
        return []
    rows = read_published(workspace, SplitAssignment)
    mine = next((row for row in rows if row.clip_id == clip_id), None)
    if mine is None:
        return []
    if mine.split is None:
        return [f"left out: {mine.left_out_because}", f"group {mine.group_id}"]
    others = sum(row.group_id == mine.group_id for row in rows) - 1
    return [
        f"{mine.split}; {split_how(facts_of(workspace, SplitAssignment))}",
        group_line(mine.group_id, others),
    ]


def _stills(workspace: Workspace, clip_id: str) -> list[str]:
    if not has_table(workspace, Still):
        return []
    stills = [still for still in read_published(workspace, Still) if still.clip_id == clip_id]
    return [f"{still.still_id}: frame {still.frame} of the clip" for still in stills]
