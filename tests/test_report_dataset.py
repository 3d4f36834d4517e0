"""``caer stats``: a data set as numbers and as a page; ours in every format, and others'."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from caer_build.dataset import metadata
from caer_build.dataset.exporting import export
from caer_build.dataset.figures import Figures, figures, for_programs
from caer_build.dataset.layouts.choice import layout_of
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.records import EMOTIONS, Item
from caer_build.report.dataset_report import (
    agreement_bars,
    category_bars,
    headlines,
    matrix,
    person_bars,
    render,
    samples,
    stacked,
)
from caer_build.report.distributions import distribution
from tests.building import caer
from tests.exporting import still_id, toy_catalogue
from tests.media import number_in


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy as caer, caer-s, webdataset and media-free."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "clips").mkdir()
    catalogue = toy_catalogue(folder / "clips").stating({"name": "Toy <b>set</b>"})
    for form in ("caer", "caer-s", "webdataset", "media-free"):
        export(catalogue, folder / form, layout_of(form), lambda *_: None)
    return folder


def of(folder: Path) -> Figures:
    return figures(read_dataset(folder))


def clip(name: str, emotion: str, split: Any = "train", **changes: Any) -> Item:
    return Item(name, "clip", None, split, emotion, **changes)


def counted(*items: Item) -> Figures:
    return figures(Dataset(Path("nowhere"), "caer", items))


def test_bars_are_as_long_as_their_counts() -> None:
    f = counted(
        *(clip(f"a{k}", "Sad") for k in range(6)), clip("b", "Sad", "test"),
        clip("c", "Sad", "test"), clip("d", "Fear", "test"), clip("e", "Fear"),
    )  # fmt: skip
    bars = {bar.name: bar for bar in category_bars(f, "clip")}
    sad = [(p.name, p.css, p.n, p.x, p.width) for p in bars["Sad"].parts]
    assert sad == [
        ("train", "split-train", 6, 0.0, 75.0), ("test", "split-test", 2, 75.0, 25.0),
    ]  # fmt: skip
    assert [(p.n, p.x, p.width) for p in bars["Fear"].parts] == [(1, 0.0, 12.5), (1, 12.5, 12.5)]
    assert (bars["Sad"].percent, bars["Fear"].percent) == ("80.00", "20.00")
    assert bars["Happy"].parts == ()
    assert category_bars(f, "still") == []
    assert stacked("x", [("a", "c", 0)], 1, 0).percent == "-"


def test_who_agrees_and_what_is_confused(toys: Path) -> None:
    f = of(toys / "caer")
    # Clip k: two for the emotion k, one for the next: of one clip A, A and B.
    rows = dict(matrix(f))
    anger = {name: cell.n for name, cell in zip(EMOTIONS, rows["Anger"], strict=True)}
    # Clips 0 and 7 say Anger, Anger, Disgust; clip 6 says Surprise, Surprise, Anger.
    assert anger == {
        "Anger": 4, "Disgust": 4, "Fear": 0, "Happy": 0, "Neutral": 0, "Sad": 0, "Surprise": 2,
    }  # fmt: skip
    assert [cell.share for cell in rows["Anger"]][:2] == [0.4, 0.4]
    assert max(cell.depth for row in rows.values() for cell in row if not cell.same) == 0.5
    bars = agreement_bars(f.items)
    assert {(p.name, p.width) for bar in bars for p in bar.parts} == {("2 of 3 agree", 100.0)}
    assert matrix(counted(clip("a", "Sad"))) == []
    assert agreement_bars([clip("a", "Sad")]) == []


def test_a_person_in_two_splits_has_two_colours() -> None:
    f = counted(
        clip("1", "Sad", person_id="p"), clip("2", "Sad", "test", person_id="p"),
        clip("3", "Sad", person_id="q"),
    )  # fmt: skip
    bars = person_bars(f)
    assert [(bar.name, [p.css for p in bar.parts]) for bar in bars] == [
        ("p", ["split-train", "split-test"]), ("q", ["split-train"]),
    ]  # fmt: skip
    said = {h.name: (h.value, h.remark) for h in headlines(f)}
    assert said["persons"] == ("2", "1 in several splits")
    assert "episodes" not in said


@pytest.mark.parametrize(
    ("values", "whole", "top", "bars", "tail"),
    [
        ([0.5, 0.5, 1.0], False, 1.0, [2, *[0] * 18, 1], False),
        ([3.0], True, None, [1], False),
        ([0.0, 0.0], False, None, [2], False),
        ([10.0, 12.0, 13.0], True, None, [1, 0, 1, 1], False),
    ],
)  # fmt: skip
def test_histograms(
    values: list[float], whole: bool, top: float | None, bars: list[int], tail: bool
) -> None:
    chart = distribution("x", "", values, whole=whole, top=top)
    assert chart is not None
    assert ([bar.n for bar in chart.bars], chart.has_tail) == (bars, tail)


def test_giants_share_the_last_bar() -> None:
    chart = distribution("x", "px", [*(float(v) for v in range(1, 100)), 9000.0])
    assert chart is not None
    assert chart.has_tail
    assert sum(bar.n for bar in chart.bars) == 100
    assert chart.bars[-1].n >= 1
    assert chart.marks[-1][1].endswith("+")
    assert distribution("x", "", []) is None


def pictures(html: str) -> Iterator[Any]:
    for text in re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html):
        yield cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)


def is_yellow(pixel: Any) -> bool:
    blue, green, red = (int(v) for v in pixel)
    return blue < 150 < min(green, red)


def test_pictures_have_a_frame_around_the_target(toys: Path) -> None:
    shown = dict(samples(of(toys / "caer-s")))["Neutral"]
    # Stills of Neutral are of clips 4 (train) and 11 (test); frame 2.
    assert [None if s is None else s.item.item_id for _, s in shown] == [
        still_id(4), None, still_id(11),
    ]  # fmt: skip
    for k, sample in ((4, shown[0][1]), (11, shown[2][1])):
        assert sample is not None
        (picture,) = pictures(f'src="{sample.picture.address}"')
        assert picture.shape == (72, 96, 3)
        # The target's box is (11 + k, 5) to (31 + k, 29).
        assert is_yellow(picture[17, 11 + k])
        assert is_yellow(picture[17, 30 + k])
        assert is_yellow(picture[28, 20 + k])
        assert not is_yellow(picture[17, 21 + k])
        assert not is_yellow(picture[50, 20 + k])


@pytest.mark.parametrize("form", ["caer", "webdataset"])
def test_clips_are_looked_into(form: str, toys: Path) -> None:
    f = of(toys / form)
    # Seven emotions in train, two in validation and two in test.
    assert len(list(pictures(render(f)))) == 11
    for emotion, k in (("Neutral", 11), ("Happy", 10)):
        sample = dict(samples(f))[emotion][2][1]
        assert sample is not None
        (picture,) = pictures(f'src="{sample.picture.address}"')
        # Below the box the bar code can be read: the fourth of six frames.
        assert number_in(np.tile(picture[32:35, :, ::-1], (8, 1, 1))) == 20 * k + 3
        # The target's box is (11.5 + k, 5) to (31.5 + k, 29) there.
        assert any(is_yellow(picture[17, x]) for x in (11 + k, 12 + k))
        assert any(is_yellow(picture[17, x]) for x in (30 + k, 31 + k))
        assert not is_yellow(picture[17, 21 + k])


def test_clips_of_others_are_looked_into_too(toys: Path) -> None:
    f = of(toys / "caer" / "CAER")
    assert f.dataset.layout == "caer"
    assert f.items[0].n_frames is None
    seen = list(pictures(render(f)))
    assert len(seen) == 11
    # Nobody knows where the target is.
    assert not any(is_yellow(pixel) for picture in seen for pixel in picture.reshape(-1, 3))


def test_without_media_there_are_no_pictures(toys: Path) -> None:
    f = of(toys / "media-free")
    html = render(f)
    assert "Without media." in html
    assert not list(pictures(html))
    numbers = for_programs(f)
    assert (numbers["items"], numbers["spread"]["frames"]["mean"]) == (25, 6.0)
    assert numbers["said_of_one_clip"][0] == ["Anger", "Disgust", 4]
    assert json.loads(json.dumps(numbers)) == numbers


def test_the_page_says_what_it_must_and_escapes_names(toys: Path) -> None:
    html = render(of(toys / "caer"))
    assert "<title>Data set: Toy &lt;b&gt;set&lt;/b&gt;</title>" in html
    assert "<b>set</b>" not in html
    for what in ("Categories", "Splits", "Agreement", "Persons", "Samples", "Frames a clip"):
        assert what in html
    # Train has 8 of 12 clips, of which two are Anger.
    assert '<th scope="row">train</th><td class="n">8</td><td class="n">66.67 %</td>' in html
    assert 'aria-label="Anger: train 2"' in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_names_in_items_are_escaped(toys: Path, tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script>'
    folder = Path(shutil.copytree(toys / "caer", tmp_path / "evil"))
    items = metadata.read_rows(folder, Item)
    metadata.write_rows(folder, Item, [replace(i, person_id=evil, show=evil) for i in items])
    (folder / "dataset.json").write_text(
        json.dumps(
            {"facts": {}, "leaks": {"person": {"n": 1, "message": evil, "examples": [evil]}}}
        )
    )
    html = render(of(folder))
    assert "<script>alert" not in html
    assert html.count("&lt;script&gt;alert(1)") >= 2


def test_files_that_cannot_be_read_are_said_to_be_so(toys: Path, tmp_path: Path) -> None:
    for form in ("caer", "caer-s", "webdataset"):
        folder = Path(shutil.copytree(toys / form, tmp_path / form))
        for file in [*folder.rglob("*.avi"), *folder.rglob("*.png"), *folder.glob("*.tar")]:
            file.write_bytes(b"nothing of the kind")
        html = render(of(folder))
        assert "This file cannot be read." in html
        assert not list(pictures(html))


def test_other_peoples_folders(tmp_path: Path) -> None:
    for k, name in enumerate(("train/Angry/1.png", "train/Sad/2.png", "test/Sad/3.png")):
        file = tmp_path / "CAER-S" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), np.full((60, 80, 3), 60 * k, np.uint8))
    out = tmp_path / "page.html"
    found = json.loads(caer("stats", tmp_path / "CAER-S", "-o", out, "--json").stdout)
    rows = {row["emotion"]: row for row in found["categories"]}
    assert (rows["Sad"]["stills"], rows["Sad"]["percent"]) == (2, "66.67")
    assert rows["Sad"]["stills_by_split"] == {"train": 1, "test": 1}
    assert rows["Anger"]["clips"] == 0
    assert found["in_several_splits"] == {"persons": None, "episodes": None, "shows": None}
    assert found["alpha"]["value"] is None
    html = out.read_text("utf-8")
    assert len(list(pictures(html))) == 3
    assert "Agreement" not in html
    assert "not known" in html


def test_the_command_prints_a_table(toys: Path, tmp_path: Path) -> None:
    said = caer("stats", toys / "caer", "-o", tmp_path).stdout
    assert re.search(r"Anger +│ +2 │ 16\.67 │ +12 │ +2 │ +0 │ +0", said)
    assert "answers that agree: 12 with 2 of 3" in said
    assert (tmp_path / "stats.html").is_file()
