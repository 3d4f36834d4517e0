"""``caer annotate``: the annotation project of a workspace, and the app that people label in."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from caer_build.cli.annotate_gold import gold
from caer_build.cli.annotate_project import AsJson, Db, Work, opened
from caer_build.cli.annotate_votes import export_votes, import_votes

if TYPE_CHECKING:
    from pathlib import Path

    from caer_build.annotation.database import Database
    from caer_build.store import Workspace

BaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", help="Where people reach the app, such as https://label.lab.org. Remembered."
    ),
]


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Have clips labelled: make the project, invite people, serve the app, move votes.",
        no_args_is_help=True,
    )
    group.command("init")(init)
    group.command("invite")(invite)
    group.command("revoke")(revoke)
    group.command("new-password")(new_password)
    group.command("serve")(serve)
    group.command("status")(status)
    group.command("gold")(gold)
    group.command("import")(import_votes)
    group.command("export")(export_votes)
    app.add_typer(group, name="annotate")


def _link(workspace: Workspace, database: Database, role: str, note: str) -> str:
    from caer_build.annotation.accounts import invite as make_invitation
    from caer_build.annotation.office import now_ms
    from caer_build.annotation.whereabouts import DEFAULT_BASE_URL, recall

    with database.writing() as connection:
        token = make_invitation(connection, role, note, None, now_ms())
    return f"{recall(workspace).base_url or DEFAULT_BASE_URL}/join/{token}"


def init(
    work: Work,
    db: Db = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="key=value, a setting of the project; may be repeated."),
    ] = None,
    base_url: BaseUrl = None,
) -> None:
    """Freeze the kept clips for labelling and print the manager's one-time link.

    Example: [bold]caer annotate init work --set votes_per_clip=3[/bold]

    Run it again after another build: clips that are new come in, those of persons whom you deleted
    are withdrawn, the others never change.
    """
    from caer_build.annotation.extending import extend, has_manager
    from caer_build.annotation.office import now_ms
    from caer_build.annotation.whereabouts import remember
    from caer_build.cli.progress import Bars, command, say

    with opened(work, db, must_exist=False) as (workspace, database):
        with workspace.locked(say), Bars() as bars:
            bars.started("freeze", "clips")
            extent = extend(
                workspace, database, _pairs(assignments or []),
                lambda done, n: bars.progressed("freeze", "clips", done, n), now_ms(),
            )  # fmt: skip
            bars.finished("freeze", "clips", None)
            remember(workspace, None, base_url)
        made = "A project was made" if extent.is_new else f"The project had {extent.before} clips"
        typer.echo(f"{made}; {extent.added} clips came in.")
        if extent.withdrawn:
            typer.echo(
                f"{extent.withdrawn} clips of deleted persons were withdrawn: their files are "
                "gone, and their votes count no more."
            )
        if extent.dropped:
            typer.echo(
                f"{extent.dropped} of its clips are not kept by the build any more; they stay."
            )
        with database.reading() as connection:
            is_run = has_manager(connection)
        if not is_run:
            link = _link(workspace, database, "manager", "the first manager")
            typer.echo(f"The manager's link, good once, for 14 days:\n{link}")
            typer.echo(f"Start the app first: {command()} annotate serve {work}")


def invite(
    work: Work,
    name: Annotated[str, typer.Option("--for", help="Whom it is meant for; a note of yours.")],
    role: Annotated[str, typer.Option(help="annotator, adjudicator or manager.")] = "annotator",
    db: Db = None,
) -> None:
    """Print a link with which one person can join, once.

    Example: [bold]caer annotate invite work --for "Ada"[/bold]
    """
    with opened(work, db) as (workspace, database):
        typer.echo(_link(workspace, database, role, name))


def revoke(
    work: Work,
    name: Annotated[str, typer.Option("--for", help="For whom the link was made, as you wrote.")],
    db: Db = None,
) -> None:
    """Take back a link that nobody has used yet.

    Example: [bold]caer annotate revoke work --for "Ada"[/bold]

    Whoever opens it is told so. If several were made for that name, all are taken back.
    """
    from caer_build.annotation.accounts import open_invitations
    from caer_build.annotation.accounts import revoke as take_back
    from caer_build.annotation.office import now_ms
    from caer_build.annotation.texts import MAX_NAME
    from caer_build.errors import VoteError

    with opened(work, db) as (_, database), database.writing() as connection:
        unused = open_invitations(connection, now_ms())
        theirs = [invitation for invitation in unused if invitation.note == name.strip()[:MAX_NAME]]
        if not theirs:
            notes = ", ".join(repr(invitation.note) for invitation in unused) or "none at all"
            raise VoteError(
                f"No link that was made for {name!r} can still be used; found {notes}.",
                "Whoever joined is retired on the page People.",
            )
        for invitation in theirs:
            take_back(connection, invitation.token_sha256, None, now_ms())
    typer.echo(f"{len(theirs)} links were taken back.")


def new_password(
    work: Work,
    name: Annotated[str, typer.Option("--for", help="The name with which they sign in.")],
    db: Db = None,
) -> None:
    """Print a link with which somebody who forgot their password sets another, once.

    Example: [bold]caer annotate new-password work --for "Ada"[/bold]

    The account stays the same one, with its answers. Do not invite them a second time: as two
    accounts, one person could vote on one clip twice.
    """
    from caer_build.annotation.accounts import everyone
    from caer_build.annotation.new_passwords import LINK_DAYS, link_to_account
    from caer_build.annotation.office import now_ms
    from caer_build.annotation.texts import folded
    from caer_build.annotation.whereabouts import DEFAULT_BASE_URL, recall
    from caer_build.errors import VoteError

    with opened(work, db) as (workspace, database), database.writing() as connection:
        people = everyone(connection)
        theirs = [person for person in people if folded(person.name) == folded(name)]
        if not theirs:
            names = ", ".join(person.name for person in people if person.has_password)
            raise VoteError(f"Nobody is called {name!r}.", f"People with a password: {names}.")
        token = link_to_account(connection, theirs[0].annotator_id, None, now_ms())
        base_url = recall(workspace).base_url or DEFAULT_BASE_URL
    typer.echo(f"Good once, for {LINK_DAYS} days:\n{base_url}/join/{token}")


def serve(
    work: Work,
    port: Annotated[int, typer.Option(help="To listen on.", min=1, max=65535)] = 8501,
    address: Annotated[str, typer.Option(help="To listen on; all: 0.0.0.0.")] = "127.0.0.1",
    db: Db = None,
    base_url: BaseUrl = None,
    trust_header: Annotated[
        str | None,
        typer.Option(help="The header in which the reverse proxy says who signed in there."),
    ] = None,
    trusted_proxies: Annotated[
        list[str] | None,
        typer.Option(
            "--trusted-proxy",
            help="An address or network of the reverse proxy, whose headers are believed; "
            "may be repeated.",
        ),
    ] = None,
) -> None:
    """Serve the app until ^C.

    Example: [bold]caer annotate serve work --port 8501[/bold]
    """
    from caer_build.annotation.whereabouts import remember

    with opened(work, db) as (workspace, database):
        from annotator_app.opening import place_of
        from annotator_app.server import listening
        from annotator_app.server import serve as serve_place

        place = place_of(workspace, database, base_url, trust_header, trusted_proxies or [])
        remember(workspace, db, base_url)
        _warn_of_deleted(work, workspace, database)
        with listening(address, port) as listener:
            url = place.base_url or f"http://{address}:{port}"
            typer.echo(f"Labelling at {url}. Stop with ^C.")
            serve_place(place, listener)


def status(work: Work, db: Db = None, as_json: AsJson = False) -> None:
    """Where the labelling stands.

    Example: [bold]caer annotate status work[/bold]
    """
    from caer_build.annotation.office import Office
    from caer_build.annotation.overview import overview

    with opened(work, db) as (workspace, database):
        office = Office(database)
        with database.reading() as connection:
            found = overview(connection, office.clock())
        _warn_of_deleted(work, workspace, database)
    if as_json:
        typer.echo(json.dumps({"title": office.settings.title, **asdict(found)}, indent=1))
        return
    share = found.votes / found.votes_needed if found.votes_needed else 0.0
    people = ", ".join(f"{n} {role}" for role, n in sorted(found.people.items())) or "nobody yet"
    typer.echo(office.settings.title)
    typer.echo(f"clips       {found.clips}: {found.complete} complete, {found.begun} begun")
    typer.echo(f"votes       {found.votes} of {found.votes_needed} ({share:.1%})")
    for status, n_clips in found.statuses.items():
        if n_clips:
            typer.echo(f"            {n_clips} {status.replace('_', ' ')}")
    typer.echo(f"gold clips  {found.gold}")
    if found.withdrawn:
        typer.echo(f"withdrawn   {found.withdrawn} clips, which are in none of these numbers")
    imported = f", {found.imported} of imported votes" if found.imported else ""
    typer.echo(f"people      {people}; {found.retired} retired, {found.waiting} invited{imported}")
    typer.echo(f"waiting     {found.held} clips on desks")
    typer.echo(f"refused     {found.refused} requests and sign-ins in 24 hours")


def _warn_of_deleted(work: Path, workspace: Workspace, database: Database) -> None:
    """Says if clips are still given to people that a build has taken from the data set."""
    from caer_build.annotation.withdrawal import to_withdraw
    from caer_build.cli.progress import say
    from caer_build.errors import StoreError

    try:
        n_left = len(to_withdraw(workspace, database))
    except StoreError:
        return  # nothing was built here: the project was made elsewhere
    if n_left:
        say(
            f"{n_left} clips of deleted persons are still labelled here. "
            f"Withdraw them: caer annotate init {work}"
        )


def _pairs(assignments: list[str]) -> dict[str, str]:
    """``key=value`` taken apart."""
    from caer_build.errors import RecipeError

    found = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise RecipeError(f"Expected key=value, found {assignment!r}.", "See --help.")
        found[key.strip()] = value.strip()
    return found
