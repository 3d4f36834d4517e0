"""Recipes: everything wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from caer_build import recipes
from caer_build.errors import RecipeError
from caer_build.stages import clips, screening

STAGES = (clips.STAGE, screening.STAGE)


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_what_a_recipe_leaves_out_has_its_default(tmp_path: Path) -> None:
    recipe = recipes.load(STAGES, write(tmp_path / "r.toml", "[clips]\nmin_frames = 40"))
    assert recipe.name == "r"
    assert recipe.as_dict()["clips"] == {"min_frames": 40, "max_s": 6.0, "guard_frames": 1}


def test_assignments_win(tmp_path: Path) -> None:
    file = write(tmp_path / "r.toml", "[clips]\nmin_frames = 40")
    recipe = recipes.load(STAGES, file, ["clips.min_frames=35", "screening.drop_repeats=false"])
    assert recipe.as_dict()["clips"]["min_frames"] == 35
    assert recipe.as_dict()["screening"]["drop_repeats"] is False


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    file = write(tmp_path / "r.toml", "[clips]\nmin_frame = 40\nmax_s = -1\n[cilps]\nx = 1")
    with pytest.raises(RecipeError) as caught:
        recipes.load(STAGES, file, ["screening.max_yaw=left"])
    text = str(caught.value)
    for part in ("clips.min_frame", "clips.max_s", "[cilps]", "screening.max_yaw", "min_frames"):
        assert part in text


@pytest.mark.parametrize("text", ["clips", "min_frames=3", "clips.min_frames", "=3"])
def test_an_assignment_of_another_form_is_refused(text: str, tmp_path: Path) -> None:
    file = write(tmp_path / "r.toml", "")
    with pytest.raises(RecipeError, match=r"stage\.key=value"):
        recipes.load(STAGES, file, [text])


def test_no_such_recipe_and_no_toml(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="caer, paper, quick"):
        recipes.load(STAGES, "fastest")
    with pytest.raises(RecipeError, match="not TOML"):
        recipes.load(STAGES, write(tmp_path / "r.toml", "[clips"))
