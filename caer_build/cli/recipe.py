"""``caer recipe``: what a recipe sets, in full."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    group = typer.Typer(help="List recipes; show one with all its settings.", no_args_is_help=True)
    group.command("list")(list_recipes)
    group.command("show")(show)
    app.add_typer(group, name="recipe")


def list_recipes() -> None:
    """The recipes that come with caer-build.

    Example: [bold]caer recipe list[/bold]
    """
    from caer_build.handbook import recipe_titles

    for name, title in recipe_titles().items():
        typer.echo(f"{name:8} {title}")


def show(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="caer, quick, paper, or a .toml file.")
    ] = "caer",
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", help="stage.key=value, wins over the recipe; may be repeated."),
    ] = None,
) -> None:
    """A recipe as TOML, every setting with its unit, its range and what it means.

    Example: [bold]caer recipe show quick > mine.toml[/bold]
    """
    from caer_build import recipes
    from caer_build.handbook import recipe_as_toml
    from caer_build.pipeline import STAGES

    recipe = recipes.load(STAGES, name, assignments or [])
    typer.echo(recipe_as_toml(recipe, STAGES), nl=False)
