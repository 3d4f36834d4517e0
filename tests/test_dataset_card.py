"""The data card: what was counted, what was stated, and what nobody stated."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caer_build.dataset.about import About, read_about, template
from caer_build.dataset.card import ASKED, card
from caer_build.dataset.card_tables import table_1
from caer_build.dataset.card_words import GUARANTEES, LOADING, RULES, two_emotions
from caer_build.dataset.describing import TABLES, Described, ListedFile
from caer_build.dataset.exporting import export
from caer_build.dataset.grouping import STRICTEST_FIRST
from caer_build.dataset.layouts.choice import FORMATS, layout_of
from caer_build.dataset.rules import RULES as RULES_THERE_ARE
from caer_build.dataset.statistics import (
    FaceSizes,
    Spread,
    agreeing,
    categories,
    face_sizes,
    percent,
    presence,
    shared,
)
from caer_build.dataset.voting import count_votes, mixed_up, together
from caer_build.errors import RecipeError
from caer_build.records import CountedVote, Item, ItemFace
from tests.building import caer
from tests.exporting import toy_catalogue


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("clips")


# Section 4.1 and table 1; the shares are rounded, not as printed (5.44 and 20.64 there).
PAPER = {
    "Anger": (1628, 139_681, "12.33"),
    "Disgust": (719, 59_630, "5.45"),
    "Fear": (514, 46_441, "3.89"),
    "Happy": (2726, 219_377, "20.65"),
    "Neutral": (4579, 377_276, "34.69"),
    "Sad": (1473, 138_599, "11.16"),
    "Surprise": (1562, 126_873, "11.83"),
}
TABLE_1 = """\
| Category | Clips | Frames | % |
| --- | ---: | ---: | ---: |
| Anger | 1,628 | 139,681 | 12.33 |
| Disgust | 719 | 59,630 | 5.45 |
| Fear | 514 | 46,441 | 3.89 |
| Happy | 2,726 | 219,377 | 20.65 |
| Neutral | 4,579 | 377,276 | 34.69 |
| Sad | 1,473 | 138,599 | 11.16 |
| Surprise | 1,562 | 126,873 | 11.83 |
| **Total** | **13,201** | **1,107,877** | **100** |"""


def paper_items() -> list[Item]:
    """As many clips and frames as the paper counts; the first clip has what does not divide."""
    items = []
    for emotion, (n_clips, n_frames, _) in PAPER.items():
        each, rest = divmod(n_frames, n_clips)
        items += [
            Item(f"{emotion}{k}", "clip", None, "train", emotion,
                 n_frames=each + rest * (k == 0), clip_id=f"{emotion}{k}")
            for k in range(n_clips)
        ]  # fmt: skip
    return items


def test_table_1_of_the_paper() -> None:
    assert "\n".join(table_1(paper_items())) == TABLE_1


def test_table_1_of_stills_and_of_both() -> None:
    clips = [Item(f"c{k}", "clip", None, "train", "Fear", n_frames=30) for k in range(3)]
    stills = [Item(f"s{k}", "still", None, "test", "Sad", n_frames=1) for k in range(4)]
    assert list(table_1(stills))[-3:] == [
        "| Sad | 4 | 100.00 |", "| Surprise | 0 | 0.00 |", "| **Total** | **4** | **100** |",
    ]  # fmt: skip
    both = list(table_1([*clips, *stills]))
    assert both[0] == "| Category | Clips | Frames | Stills | % |"
    assert both[4] == "| Fear | 3 | 90 | 0 | 100.00 |"
    assert both[-1] == "| **Total** | **3** | **90** | **4** | **100** |"
    unsaid = [replace(clips[0], n_frames=None), *clips[1:]]
    assert "| Fear | 3 | not known | 100.00 |" in list(table_1(unsaid))


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [
        (1, 3, "33.33"), (2, 3, "66.67"), (1, 800, "0.13"), (3, 800, "0.38"), (1, 16, "6.25"),
        (0, 7, "0.00"), (7, 7, "100.00"), (0, 0, "-"), (99_995, 100_000, "100.00"),
        (1005, 20_000, "5.03"),  # 5.025: in floating point it may become 5.02
    ],
)  # fmt: skip
def test_shares_are_rounded_half_up_and_exactly(part: int, whole: int, said: str) -> None:
    assert percent(part, whole) == said


def test_who_is_in_which_split() -> None:
    def item(name: str, split: Any, person: str | None, episode: str) -> Item:
        return Item(name, "clip", None, split, "Sad", person_id=person, episode_id=episode)

    items = [
        item("1", "train", "a", "e1"), item("2", "train", "b", "e1"),
        item("3", "test", "b", "e2"), item("4", None, None, "e2"),
    ]  # fmt: skip
    rows = [(r.split, r.n_items, r.persons, r.episodes, r.shows) for r in presence(items)]
    assert rows == [
        ("train", 2, 2, 1, None),
        ("test", 1, 1, 1, None),
        ("no split", 1, None, 1, None),
    ]
    assert [shared(items, name) for name in ("person_id", "episode_id", "show")] == [1, 1, None]
    assert categories(items)[5].clips == {"train": 2, "test": 1, "no split": 1}


def test_faces_are_measured_on_targets() -> None:
    from caer_build.arrow import to_table

    def face(item: str, target: bool, x2: float, y2: float) -> ItemFace:
        return ItemFace(item, 0, "t", target, 10.0, 10.0, x2, y2, False)

    items = [
        Item("a", "clip", None, None, None, width=100, height=50),
        Item("b", "still", None, None, None),
    ]
    tables = [
        to_table(ItemFace, [face("a", True, 30, 20), face("b", True, 20, 20)]),
        # Another table may go on with an item of the one before.
        to_table(ItemFace, [face("a", True, 30, 40), face("a", False, 90, 90)]),
    ]
    # Heights 10 and 30, areas 200 and 600 of 5000 px.
    assert face_sizes(tables, items) == FaceSizes([20.0, 10.0], [0.08])


def test_what_people_said_of_one_clip() -> None:
    def votes(clip: str, *said: str) -> list[CountedVote]:
        return [CountedVote(clip, f"p{k}", "vote", s, None, 2, 5) for k, s in enumerate(said)]

    cast = [*votes("1", "Sad", "Sad", "Fear"), *votes("2", "Sad", "Fear"), *votes("3", "Happy")]
    cast.append(CountedVote("1", "p9", "vote", None, "cannot_tell", None, 5))
    cast.append(CountedVote("2", "boss", "adjudication", "Sad", None, 4, 5))
    items = [Item(k, "clip", None, "train", "Sad", clip_id=k) for k in "123"]
    found = count_votes(cast, items)
    counts = found.rated.counts()
    # Clip 1: Sad beside Sad twice, Sad beside Fear twice; clip 2: once.
    assert mixed_up(counts) == [("Fear", "Sad", 3)]
    assert together(counts)[5, 5] == 2
    assert together(counts).sum() == 2 + 2 * 3
    assert [(w.annotator_id, w.n_answers, w.n_as_label, w.n_compared) for w in found.workers] == [
        ("p0", 3, 2, 3), ("p1", 2, 1, 2), ("p2", 1, 0, 1), ("p9", 1, 0, 0),
    ]  # fmt: skip
    assert (found.flags, found.n_adjudicated, found.n_answers) == ({"cannot_tell": 1}, 1, 7)
    assert found.steps == {(2, 5): 6}


def test_how_values_lie() -> None:
    assert Spread.of([4.0, 1.0, 2.0, 9.0]) == Spread(1.0, 3.0, 4.0, 9.0, 4)
    assert Spread.of([]) is None
    voted = Item("1", "clip", None, None, None, n_votes=3, n_agreeing=2)
    assert agreeing([voted, voted, Item("2", "clip", None, None, None)]) == {(2, 3): 2}


FACTS: dict[str, Any] = {
    "made_with": "caer-build 9",
    "recipe": "caer",
    "labels": {"rule": "paper", "adjudicated": True},
    "split": {"by": "person", "ratio": [0.7, 0.1, 0.2], "seed": 3},
    "left_out": {"x": "two splits"},
    "funnel": [
        {"name": "candidates", "n_clips": 0, "n_left": 1200, "why": "around one person"},
        {"name": "no_face", "n_clips": 1100, "n_left": 100, "why": "screening"},
    ],
    "about": {"name": "Toy", "licence": "CC-BY-4.0", "creators": ["A. B.", "C."]},
}


def described(facts: dict[str, Any], **said: Any) -> Described:
    layout = {"name": "caer", "suffix": ".avi", "archived": False, "two_way": False}
    items = [
        Item("1", "clip", "CAER/train/Sad/0001.avi", "train", "Sad", n_votes=3, n_agreeing=2,
             mean_confidence=0.5, n_frames=40, clip_id="1", show="s", episode_id="e",
             file_bytes=1000),
    ]  # fmt: skip
    tables = [ListedFile(f"metadata/{n}.parquet", 5, "ab" * 32, 1) for n in range(len(TABLES))]
    return Described(
        {"facts": facts, "layout": layout, **said}, items, [], FaceSizes([80], [0.25]),
        tables, [],
    )  # fmt: skip


def test_what_is_known_is_said() -> None:
    text = card(described(FACTS))
    assert text.startswith("# Toy\n\nNOT STATED: fill in `description` of `caer export --about`\n")
    for line in (
        "- **Made by:** A. B., C.",
        "- **Licence of labels, boxes and metadata:** CC-BY-4.0",
        "- **Consent of the people seen:** NOT STATED: fill in `consent` of `caer export --about`",
        "| Dynamic (videos) | **Toy** | **1 clip** | 1 show, 1 episode | 7 categories, up to 3 "
        "answers a clip | ✓ whole pictures; the target's face covers 25.0 % (median) |",
        "| no_face | screening | -1,100 | 100 |",
        "| 2 of 3 | 1 | 100.00 |",
        "1 file of items, 1,000 bytes, and these tables:",
        "There are no answers in it.",
    ):
        assert line in text.splitlines(), line
    assert "Split by **person**, 70/10/20, seed 3. Nobody who is a target" in text
    assert "1 clips would have stood in two splits and were left out." in text
    assert "Ties take what an adjudicator said." in text
    assert "Tried, the strictest first" not in text
    assert "leaks" not in text
    assert "\n\n\n" not in text


def test_how_the_way_to_split_was_chosen_is_in_the_card() -> None:
    shares = {"train": 0.76, "validation": 0.04, "test": 0.2}
    tried = [{"by": "person", "shares": shares, "n_left_out": 1, "taken": True, "why": "it fits"}]
    text = card(described({**FACTS, "split": {**FACTS["split"], "tried": tried}}))
    assert (
        "| Tried, the strictest first | Taken | Why | train | validation | test | Left out |\n"
        "| --- | --- | --- | ---: | ---: | ---: | ---: |\n"
        "| person | **yes** | it fits | 76.0 % | 4.0 % | 20.0 % | 1 |"
    ) in text


def test_what_is_not_known_is_not_made_up() -> None:
    text = card(described({}))
    assert text.startswith("# Unnamed data set\n")
    for name in ASKED:
        assert f"NOT STATED: fill in `{name}` of" in text
    assert "NOT RECORDED: how it was split." in text
    assert "NOT RECORDED: the rule" in text


def test_files_of_two_emotions_are_a_limit() -> None:
    items = [
        Item(k, "clip", f"{k}.avi", "train", emotion, file_sha256=digest)
        for k, emotion, digest in (("1", "Sad", "a"), ("2", "Fear", "a"), ("3", "Sad", "b"))
    ]
    assert two_emotions(items[1:]) == []
    (said,) = two_emotions(items)
    assert said.startswith("Files that stand under two emotions, byte for byte: 1.")


def test_leaks_are_in_the_card() -> None:
    found = {
        "person": {"n": 2, "message": "2 people are in several splits", "examples": ["p1", "p2"]},
        "duplicate": {"n": 1, "message": "1 file is there twice", "examples": []},
    }
    text = card(described(FACTS, leaks=found))
    assert (
        "**This data set was exported with leaks** (`--allow-leaks`):\n\n"
        "- 2 people are in several splits (p1)\n- 1 file is there twice\n"
    ) in text
    assert "with leaks" not in card(described(FACTS, leaks={}))


def test_leaks_that_were_allowed_are_in_the_card_of_the_export(clips: Path, tmp_path: Path) -> None:
    catalogue = toy_catalogue(clips)
    leaky = replace(
        catalogue,
        items=tuple(replace(i, person_id="p0") if i.item_id == catalogue.items[11].item_id else i
                    for i in catalogue.items),
    )  # fmt: skip
    out = tmp_path / "out"
    export(leaky, out, layout_of("caer"), lambda *_: None, allow_leaks=True)
    said = json.loads((out / "dataset.json").read_text())["leaks"]
    text = (out / "README.md").read_text("utf-8")
    assert said
    for leak in said.values():
        assert f"- {leak['message']}" in text


def test_the_card_has_words_for_everything() -> None:
    assert set(ASKED) == set(About.model_fields)
    assert set(RULES) == set(RULES_THERE_ARE)
    assert set(GUARANTEES) == set(STRICTEST_FIRST)
    assert set(LOADING) == set(FORMATS)


def test_statements_are_read() -> None:
    assert set(re.findall(r"^# (\w+) = ", template(), re.MULTILINE)) == set(About.model_fields)


def test_all_that_is_wrong_with_statements_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "about.toml"
    file.write_text(template())
    assert read_about(file) == {}
    file.write_text('name = " Toy "\npublished = 2026-02-03\nlanguages = ["en", "de"]\n')
    assert read_about(file) == {
        "name": "Toy", "published": "2026-02-03", "languages": ["en", "de"],
    }  # fmt: skip
    file.write_text(
        'name = ""\nurl = "caer.example"\nlicense = "MIT"\nversion = 1.0\ncreators = []'
    )
    with pytest.raises(RecipeError) as refused:
        read_about(file)
    for wrong in ("name: ", "url: ", "version: ", "creators: ", "license: no such statement"):
        assert f"\n  {wrong}" in str(refused.value)
    file.write_text("collected_from = 2026-02-03\ncollected_to = 2026-02-02")
    with pytest.raises(RecipeError, match="a day after collected_from"):
        read_about(file)
    for text in ("name = ", "\0"):
        file.write_text(text)
        with pytest.raises(RecipeError, match="is not TOML"):
            read_about(file)
    with pytest.raises(RecipeError, match=r"caer about > about\.toml"):
        read_about(tmp_path / "none.toml")


def test_the_command_prints_the_template() -> None:
    assert caer("about").stdout == template()


@pytest.mark.parametrize("form", [f for f in FORMATS if f != "caer-s"])
def test_an_export_has_a_card_whose_example_runs(form: str, clips: Path, tmp_path: Path) -> None:
    catalogue = toy_catalogue(clips).stating({"name": "Toy"})
    out = tmp_path / "out"
    export(catalogue, out, layout_of(form), lambda *_: None)
    text = (out / "README.md").read_text("utf-8")
    assert json.loads((out / "dataset.json").read_text())["facts"]["about"] == {"name": "Toy"}
    assert "\n# Toy\n" in f"\n{text}"
    assert text.startswith("---\n" if form == "hf" else "# Toy")
    assert "| `a` | 12 | 12 of 12 | 100.00 |" in text
    assert "| `c` | 12 | 0 of 12 | 0.00 |" in text
    assert "| 0.25 (step 2 of 5) | 12 | 33.33 |" in text
    if "clip" in layout_of(form).kinds:
        assert "| **Total** | **12** | **72** |" in text
    sums = (out / "SHA256SUMS").read_text()
    assert "  README.md\n" in sums
    assert "  croissant.json\n" in sums
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert example is not None
    check = {"hf": "assert data['train'].features['label'].names[5] == 'Sad'",
             "webdataset": "assert len(list(train)) == 8",
             "coco": "assert len(train.imgs) == 9",
             "kinetics": "assert len(train) == 8"}.get(form, "assert len(target)")  # fmt: skip
    code = f"{example[1]}\n{check}"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=out, capture_output=True, text=True, check=False,
        env={**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
