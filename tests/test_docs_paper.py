"""``docs/paper.md`` has every open place of the paper, and says what is set there."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import typer

from caer_build import pipeline, recipes
from caer_build.caernet import networks
from caer_build.caernet.settings import _FIXED
from caer_build.cli.main import app
from tests.conftest import REPOSITORY

SECTIONS = ("architecture", "regime", "augmentation", "store", "windows")
N_PLACES = 31


@dataclass(frozen=True)
class Line:
    """A line of the table: a place of the paper and a setting that decides it."""

    number: int
    setting: str
    paper: str
    ours: str

    @property
    def code(self) -> str:
        """What of it is code; empty: it says in words why there is no setting."""
        found = re.match(r"`([^`]+)`", self.setting)
        return found[1] if found else ""


def lines() -> list[Line]:
    text = (REPOSITORY / "docs" / "paper.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \|(.*)\|$", text, re.MULTILINE)
    split = [(int(number), [cell.strip() for cell in rest.split("|")]) for number, rest in rows]
    assert all(len(cells) == 5 for _, cells in split)
    return [Line(number, *cells[2:]) for number, cells in split]


def written(value: Any) -> str:
    """A value as the guides write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(list(value)) if isinstance(value, tuple) else str(value)


def test_no_place_is_left_out(data: Path) -> None:
    numbers = [line.number for line in lines()]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, N_PLACES + 1))
    for line in lines():
        assert line.code or line.setting.startswith("none: "), line
    decisions = data.parent / "paper" / "README.md"
    if not decisions.is_file():
        pytest.skip("the decisions are not there")
    places = re.findall(r"^\| (\d+) \|", decisions.read_text("utf-8"), re.MULTILINE)
    assert {int(place) for place in places} == set(numbers)


def test_values_are_those_of_the_presets() -> None:
    n = 0
    for line in lines():
        section, _, key = line.code.partition(".")
        if section not in SECTIONS:
            continue
        models = ("vgg16", "vgg16") if "(baselines)" in line.setting else ("caer-net", "caer-net-s")
        for preset, said in (("paper", line.paper), ("ours", line.ours)):
            clip, still = (
                written(getattr(getattr(networks.preset(model, preset), section), key))
                for model in models
            )
            assert said == (clip if still == clip else f"{clip}; S: {still}"), line
        n += 1
    assert n > 30


def test_nothing_that_the_networks_leave_open_is_nameless() -> None:
    """Every field of architectures, windows and stores decides a place; and the other way round,
    nothing is left as it is that could be another way."""
    named = {line.code for line in lines()}
    for model in ("caer-net", "vgg16"):
        start = networks.preset(model, "ours")
        for section in ("architecture", "windows", "store"):
            for field in fields(getattr(start, section)):
                if (section, field.name) in {*_FIXED, ("architecture", "weights")}:
                    continue
                assert f"{section}.{field.name}" in named


def test_values_of_the_build_are_those_of_the_recipes() -> None:
    stages = {stage.name for stage in pipeline.STAGES}
    n = 0
    for line in lines():
        stage, _, key = line.code.partition(".")
        if stage not in stages:
            continue
        for name, said in (("paper", line.paper), ("caer", line.ours)):
            value = getattr(recipes.load(pipeline.STAGES, name)[stage], key)
            assert said == written(value).removesuffix(".0"), line
        n += 1
    assert n == 9


def test_options_are_those_of_the_commands() -> None:
    below: Any = getattr(typer.main.get_command(app), "commands", {})
    found = [line.code.split() for line in lines() if line.code.startswith("caer ")]
    assert len(found) == 6
    for _, command, option in found:
        assert any(option in parameter.opts for parameter in below[command].params), option
