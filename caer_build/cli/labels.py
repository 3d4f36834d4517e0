"""``caer label``: votes become labels."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_project import AsJson, Db, Work, opened
from caer_build.cli.progress import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from caer_build.dataset.ballots import Ballot
    from caer_build.dataset.comparison import Compared
    from caer_build.dataset.funnel import Step
    from caer_build.records import Clip


def add_to(app: typer.Typer) -> None:
    app.command("label")(label)


def label(
    work: Work,
    rule: Annotated[
        str,
        typer.Option(
            help="paper, agreeing, majority, dawid-skene, mace, glad or confidence-weighted."
        ),
    ] = "paper",
    adjudicated: Annotated[
        bool, typer.Option("--adjudicated", help="Ties take what an adjudicator said.")
    ] = False,
    votes: Annotated[
        list[Path] | None,
        typer.Option(
            "--votes",
            metavar="FILE",
            help="Votes in a file (CSV, JSON lines, Parquet) instead of the project's; may be "
            "repeated.",
        ),
    ] = None,
    needed: Annotated[
        int, typer.Option(min=1, help="Answers that a clip needs; of --votes only.")
    ] = 3,
    compare: Annotated[
        bool, typer.Option("--compare", help="Also show what every other rule would make of them.")
    ] = False,
    db: Db = None,
    as_json: AsJson = False,
) -> None:
    """Make one label of each clip's votes.

    Example: [bold]caer label work --rule confidence-weighted --compare[/bold]

    The labels go to WORK/tables/labels.parquet, with soft labels; run it again whenever votes
    have come in.
    """
    from caer_build import tables
    from caer_build.dataset.comparison import compare as compare_rules
    from caer_build.dataset.funnel import funnel
    from caer_build.dataset.labels import counted_votes, facts_about, make_labels
    from caer_build.records import Clip, CountedVote, Label
    from caer_build.store import Workspace

    workspace = Workspace.open(work.absolute())
    # Two tables that belong together, of clips that a build must not publish anew in between.
    with workspace.locked(say):
        clips = tables.read_published(workspace, Clip)
        ballots = _ballots(work, db, votes or [], needed, clips)
        labels = make_labels(ballots, rule, adjudicated=adjudicated)
        facts = facts_about(workspace, ballots, rule=rule, adjudicated=adjudicated)
        tables.save(workspace, CountedVote, counted_votes(ballots), facts)
        tables.save(workspace, Label, labels, facts)
    steps = funnel(clips, labels)
    compared = compare_rules(ballots) if compare else []
    if as_json:
        found = {
            "rule": rule,
            "funnel": [asdict(step) for step in steps],
            "rules": [asdict(row) for row in compared],
        }
        typer.echo(json.dumps(found, indent=1))
        return
    _print(rule, steps, compared)
    typer.echo(f"\nLabels: {workspace.tables / 'labels.parquet'}")


def _ballots(
    work: Path, db: str | None, files: Sequence[Path], needed: int, clips: Sequence[Clip]
) -> list[Ballot]:
    if files:
        from caer_build.dataset.ballots import ballots_of_files

        kept = (clip.clip_id for clip in clips if clip.reject_reason is None)
        return ballots_of_files(files, kept, needed)
    from caer_build.errors import VoteError

    try:
        with opened(work, db) as (_, database), database.reading() as connection:
            from caer_build.dataset.ballots import ballots_of_project

            return ballots_of_project(connection)
    except VoteError as error:
        remedy = f"{error.remedy}. Or give the votes of a file: --votes FILE"
        raise VoteError(error.message, remedy) from error


def _print(rule: str, steps: Sequence[Step], compared: Sequence[Compared]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    way = Table(
        title=f"From candidates to labels ({rule})", title_justify="left", show_edge=False,
        pad_edge=False,
    )  # fmt: skip
    for column in ("step", "clips", "left"):
        way.add_column(column, justify="left" if column == "step" else "right")
    for step in steps:
        if step.n_clips:
            way.add_row(f"- {step.name}", f"[red]-{step.n_clips}[/red]", str(step.n_left))
        else:
            way.add_row(f"[bold]{step.name}[/bold]", "", f"[bold]{step.n_left}[/bold]")
    console.print(way)
    if not compared:
        return
    console.print()
    table = Table(
        title="What each rule makes of these votes", title_justify="left", show_edge=False,
        pad_edge=False,
    )  # fmt: skip
    table.add_column("rule")
    for column in ("labelled", "ties", "unsure", "as the paper's", "as adjudicators"):
        table.add_column(column, justify="right")
    for row in compared:
        table.add_row(
            row.rule, str(row.n_labelled), str(row.n_ties), str(row.n_low_confidence),
            f"{row.n_same} of {row.n_both}", f"{row.n_confirmed} of {row.n_adjudicated}",
        )  # fmt: skip
    console.print(table)
