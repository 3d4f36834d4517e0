"""Recipes: everything wrong is said at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from caer_build import pipeline, recipes
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


def test_the_shortest_clip_is_one_setting(tmp_path: Path) -> None:
    for text in ("clips.min_frames=40", "screening.min_frames=40"):
        plain = recipes.load(STAGES, write(tmp_path / "r.toml", ""), [text]).as_dict()
        assert plain["clips"]["min_frames"] == plain["screening"]["min_frames"] == 40
    file = write(tmp_path / "r.toml", "[clips]\nmin_frames = 40\n[screening]\nmin_frames = 30")
    with pytest.raises(RecipeError, match="expected the same, found 40 and 30"):
        recipes.load(STAGES, file)
    # What an earlier version has built can still be looked at.
    saved = {"clips": {"min_frames": 40}, "screening": {"min_frames": 30}}
    assert recipes.validated(STAGES, "r", saved, saved=True).as_dict()["clips"]["min_frames"] == 40


@pytest.mark.parametrize(
    ("assignments", "parts"),
    [
        (["clips.max_s=0.5", "clips.min_frames=100"], ["clips: min_frames = 100 expects max_s"]),
        (["clips.min_frames=999999999999999999999999"], ["clips.min_frames", "10000"]),
        (["screening.min_face_px=1e400"], ["screening.min_face_px", "16384"]),
        (["screening.min_sharpness=nan"], ["screening.min_sharpness"]),
        (["screening.min_face_px='inf'"], ["screening.min_face_px"]),
        (["repeats.min_frames=99999999999"], ["repeats.min_frames", "up to 1e+09"]),
        (["identities.sure_sharpness=1e400"], ["identities.sure_sharpness", "found inf"]),
        (["cutting.video=mpeg4"], ['cutting: video = "mpeg4" expects container = "avi"']),
        (["cutting.video=mpeg4", "clips.max_s=0"], ["cutting: video", "clips.max_s"]),
    ],
)
def test_what_cannot_be_meant_is_refused(assignments: list[str], parts: list[str]) -> None:
    with pytest.raises(RecipeError) as caught:
        recipes.load(pipeline.STAGES, "quick", assignments)
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_mpeg4_in_avi_is_fine() -> None:
    both = ["cutting.video=mpeg4", "cutting.container=avi"]
    assert recipes.load(pipeline.STAGES, "quick", both).as_dict()["cutting"]["video"] == "mpeg4"


def test_every_mistake_is_said_at_once_with_what_was_meant() -> None:
    given = ["foo=1", "screening.min_face_pix=60", "scren.x=1", "clips.min_frames=many"]
    with pytest.raises(RecipeError) as caught:
        recipes.load(pipeline.STAGES, "caer", given)
    said = str(caught.value)
    assert "--set expects stage.key=value, found 'foo=1'" in said
    assert "screening.min_face_pix: no such setting (did you mean min_face_px?)" in said
    assert "[scren]: no such stage (did you mean screening?)" in said
    assert "clips.min_frames: expected a valid integer, found 'many'" in said
    with pytest.raises(RecipeError, match=r"No recipe quik \(did you mean quick\?\)"):
        recipes.load(pipeline.STAGES, "quik")
