"""What the guide is made of: settings, columns, recipes in full."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from caer_build import recipes
from caer_build.errors import CaerError
from caer_build.handbook import (
    column_notes,
    fill,
    published_tables,
    recipe_as_toml,
    recipe_titles,
    settings_of,
    tables_markdown,
)
from caer_build.pipeline import STAGES
from caer_build.records import Shot
from caer_build.stage import Stage


class Toy(BaseModel):
    """Toy settings."""

    width_px: float = Field(40, ge=0, description="how wide")
    share: float = Field(0.5, gt=0, le=1, description="how much ([0, 1])")
    wait: float = Field(2.0, gt=0, description="how long (seconds)")
    shortest: int = Field(30, ge=1, lt=100, description="a clip (section 4.1)")
    way: Literal["a", "b"] = Field("a", description="which")
    on: bool = Field(True, description="whether")
    language: str | None = Field(None, description="which one")


TOY = Stage("toy", 1, Toy, "episode", (), (), lambda _context: None)


def test_a_setting_is_shown_with_unit_range_and_default() -> None:
    shown = {e.key: (e.default, e.unit, e.allowed, e.meaning) for e in settings_of([TOY])}
    assert shown == {
        "width_px": ("40", "px", ">= 0", "how wide"),
        "share": ("0.5", "share", "(0, 1]", "how much"),
        "wait": ("2", "s", "> 0", "how long"),
        "shortest": ("30", "", "[1, 100)", "a clip (section 4.1)"),
        "way": ('"a"', "", '"a", "b"', "which"),
        "on": ("true", "", "true, false", "whether"),
        "language": ("", "", "any text", "which one"),
    }


@pytest.mark.parametrize("name", recipes.shipped())
def test_a_recipe_shown_in_full_is_that_recipe(name: str, tmp_path: Path) -> None:
    recipe = recipes.load(STAGES, name)
    file = tmp_path / "mine.toml"
    file.write_text(recipe_as_toml(recipe, STAGES), encoding="utf-8")
    assert recipes.load(STAGES, str(file)).as_dict() == recipe.as_dict()


def test_a_recipe_says_where_it_differs_from_the_default() -> None:
    recipe = recipes.validated([TOY], "mine", {"toy": {"wait": 3, "language": "de"}})
    text = recipe_as_toml(recipe, [TOY])
    assert "# how long (s; > 0; default 2)\nwait = 3\n" in text
    assert '# which one (any text; default none)\nlanguage = "de"\n' in text
    assert "# how wide (px; >= 0)\nwidth_px = 40\n" in text


def test_every_setting_of_the_build_says_what_it_means() -> None:
    assert [f"{e.stage}.{e.key}" for e in settings_of(STAGES) if not e.meaning] == []


def test_every_shipped_recipe_begins_with_a_sentence_about_it() -> None:
    assert set(recipe_titles()) == set(recipes.shipped())
    assert all(len(title) > 20 for title in recipe_titles().values())


def test_columns_are_explained_by_what_stands_under_them() -> None:
    notes = column_notes(Shot)
    assert notes["start_frame"] == "the first frame of the transition into the shot"
    assert notes["boundary_score"] == "[0, 1]; 1 for the episode's start"
    assert "end_frame" not in notes


def test_every_published_column_is_in_the_guide_with_its_meaning() -> None:
    lines = list(tables_markdown(STAGES))
    for _, artifact in published_tables(STAGES):
        assert any(line.startswith(f"#### `{artifact.name}.parquet`") for line in lines)
        for field in fields(artifact.record or Shot):
            assert any(line.startswith(f"| `{field.name}` |") for line in lines)
    assert [line for line in lines if line.endswith("|  |")] == []


def test_markers_are_filled_again_and_again() -> None:
    text = "before\n<!-- made from the code: models -->\nold\n<!-- end -->\nafter\n"
    once = fill(text)
    assert once.startswith("before\n<!-- made from the code: models -->\n\n| model |")
    assert once.endswith("\n\n<!-- end -->\nafter\n")
    assert "old" not in once
    assert fill(once) == once


@pytest.mark.parametrize(
    "text",
    ["<!-- made from the code: weather -->\n<!-- end -->", "<!-- made from the code: models -->\n"],
)
def test_markers_that_mean_nothing_are_errors(text: str) -> None:
    with pytest.raises(CaerError, match="made from the code"):
        fill(text)
