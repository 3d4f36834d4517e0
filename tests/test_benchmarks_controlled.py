"""The controlled experiment gives nothing away but by face and cue, and its ceilings are true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import chi2_contingency

from benchmarks.controlled.ceilings import (
    ceiling,
    conflict_share,
    context_ceiling,
    face_ceiling,
    together,
    unweighted_ceiling,
)
from benchmarks.controlled.cues import moved
from benchmarks.controlled.face_pool import FacePool
from benchmarks.controlled.filling import export, fill
from benchmarks.controlled.sampling import HIGH, LOW, Sample, Square, draw
from benchmarks.controlled.scenes import background, face_boxes, pictures_of
from benchmarks.controlled.setting import CHANCE, SETTINGS, SPLITS, Setting, setting
from caer_build.caernet.framestore import StoreSettings, part_folder
from caer_build.caernet.storing import make_store
from caer_build.dataset.reading import read_dataset
from caer_build.records import EMOTIONS

N = 20_000
MAIN = SETTINGS["main"]
READER = (0.8, 0.6, 0.3)
"""how often a reader of faces is right, of one of each blur"""


class Plenty:
    """Enough faces of every class."""

    def n(self, split: str, label: int) -> int:  # noqa: ARG002
        return 500


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [draw(MAIN, "train", index, Plenty()) for index in range(N)]


def bits_shared(labels: Sequence[int], values: Sequence[object]) -> tuple[float, float]:
    """Mutual information, and the chance that independent draws share as much."""
    names = {value: k for k, value in enumerate(sorted(set(values)))}  # type: ignore[type-var]
    table = np.zeros((7, len(names)))
    for label, value in zip(labels, values, strict=True):
        table[label, names[value]] += 1
    found = chi2_contingency(table, lambda_="log-likelihood")
    return float(found.statistic / (2 * len(labels) * np.log(2))), float(found.pvalue)


def eighths(values: Sequence[float]) -> list[int]:
    """In eight bins of as many values each."""
    edges = np.quantile(values, np.linspace(0, 1, 9)[1:-1])
    return np.searchsorted(edges, values).tolist()  # type: ignore[no-any-return]


def test_nothing_but_face_and_cue_tells_the_label(samples: list[Sample]) -> None:
    labels = [s.label for s in samples]
    told: dict[str, list[object]] = {
        "background": [s.background % 97 for s in samples],
        "blur": [s.blur for s in samples],
        "cue's state": [s.cue_state for s in samples],
        "distractors": [len(s.distractors) for s in samples],
        "first distractor": [s.distractors[0].kind if s.distractors else -1 for s in samples],
        "distractor's colour": eighths(
            [sum(s.distractors[0].colour) if s.distractors else 0 for s in samples]
        ),
        "bystander": [s.bystander[0] if s.bystander else -1 for s in samples],
        "cue's colour": [s.cue.colour[0] // 64 if s.cue else -1 for s in samples],
        "which face": [s.face // 50 for s in samples],
        "face's turn": eighths([s.pose.turn for s in samples]),
        "face's zoom": eighths([s.pose.zoom for s in samples]),
    }
    for k, name in enumerate(("left", "top", "side")):
        told[f"face's {name}"] = eighths([s.place[k] for s in samples])
        told[f"cue's {name}"] = [*eighths([s.cue.place[k] if s.cue else 0.0 for s in samples])]
    # Some twenty tests: one in a thousand tests of independent draws says otherwise.
    for name, values in told.items():
        bits, chance = bits_shared(labels, values)
        assert chance > 0.001, f"{name} tells {bits:.4f} bits of the label"
    # The same test does find what is there.
    bits, chance = bits_shared(labels, [s.cue.kind if s.cue else -1 for s in samples])
    assert bits > 0.3
    assert chance < 1e-9


def test_it_draws_what_its_setting_says(samples: list[Sample]) -> None:
    share = np.bincount([s.label for s in samples], minlength=7) / N
    assert np.abs(share - CHANCE).max() < 0.012
    for k, wanted in enumerate(MAIN.cue_shares):
        mine = [s for s in samples if s.cue_state == k]
        assert len(mine) / N == pytest.approx(wanted, abs=0.015)
        assert all((s.cue is None) == (k == 0) for s in mine)
        if k:
            right = np.mean([s.cue is not None and s.cue.kind == s.label for s in mine])
            assert right == pytest.approx(MAIN.reliability_of(k), abs=0.02)
    conflict = np.mean([s.in_conflict for s in samples])
    assert conflict == pytest.approx(conflict_share(MAIN), abs=0.015)
    assert conflict_share(MAIN) == pytest.approx(0.3 * 0.5 + 0.4 * 0.15)
    for s in samples[:2000]:
        places = [s.place, *(m.place for m in s.distractors)]
        places += [s.cue.place] if s.cue else []
        places += [s.bystander[2]] if s.bystander else []
        for x, y, side in places:
            assert min(x, y) >= LOW
            assert max(x, y) + side <= HIGH
        assert not any(overlap(a, b) for k, a in enumerate(places) for b in places[:k]), (
            "things are beside one another"
        )


def overlap(a: Square, b: Square) -> bool:
    return all(a[k] < b[k] + b[2] and b[k] < a[k] + a[2] for k in (0, 1))


def test_a_sample_is_the_same_face_and_place_in_every_setting() -> None:
    for index in range(200):
        main = draw(MAIN, "test", index, Plenty())
        assert main == draw(MAIN, "test", index, Plenty())
        for other in SETTINGS.values():
            again = draw(other, "test", index, Plenty())
            kept = ("label", "face", "blur", "pose", "place", "background", "cue_state",
                    "bystander")  # fmt: skip
            assert all(getattr(again, name) == getattr(main, name) for name in kept)
    null = [draw(SETTINGS["uninformative"], "test", k, Plenty()) for k in range(5000)]
    there = [s for s in null if s.cue]
    _, chance = bits_shared([s.label for s in there], [s.cue.kind for s in there if s.cue])
    assert chance > 0.001


def test_two_witnesses_by_hand() -> None:
    assert together(1.0, 0.2) == pytest.approx(1.0)
    # One who knows nothing adds nothing.
    assert together(0.6, CHANCE) == pytest.approx(0.6)
    # Equally good: where they differ either is right 0.8 * 0.2 of the time.
    assert together(0.8, 0.8) == pytest.approx(0.64 + 0.16)
    # Worse than chance is known to be wrong.
    assert together(0.0, 0.0) == pytest.approx(1 / 36 + 1 / 6)
    assert context_ceiling(MAIN) == pytest.approx(0.3 / 7 + 0.3 * 0.5 + 0.4 * 0.85)
    assert face_ceiling(MAIN, (1, 1, 1)) == pytest.approx(1)
    for null in ("uninformative", "mask-only"):
        assert context_ceiling(SETTINGS[null]) == pytest.approx(CHANCE)
        assert ceiling(SETTINGS[null], READER) == pytest.approx(face_ceiling(MAIN, READER))


@pytest.mark.parametrize("name", ["main", "uninformative"])
def test_ceilings_are_what_the_best_observer_reaches(name: str) -> None:
    """An observer who computes what each label is worth, over the generator's own samples."""
    world, n = SETTINGS[name], 8000
    drawn = [draw(world, "test", index, Plenty()) for index in range(n)]
    rng = np.random.default_rng(5)
    labels = np.array([s.label for s in drawn])
    right = rng.random(n) < np.array(READER)[[s.blur for s in drawn]]
    others = (labels + rng.integers(1, 7, n)) % 7
    said = np.where(right, labels, others)
    states = np.array([s.cue_state for s in drawn])
    kinds = np.array([s.cue.kind if s.cue else -1 for s in drawn])
    blurs = np.array([s.blur for s in drawn])
    shares = np.array(world.blur_shares)

    a = np.array(READER)[blurs]
    r = np.array([world.reliability_of(s) for s in range(3)])[states]
    face, cue = worth(said, a), worth(kinds, r)
    spread = 4 * 0.5 / np.sqrt(n)
    assert share_right(face, labels) == pytest.approx(face_ceiling(world, READER), abs=spread)
    assert share_right(cue, labels) == pytest.approx(context_ceiling(world), abs=spread)
    assert share_right(face * cue, labels) == pytest.approx(ceiling(world, READER), abs=spread)
    blind_a = np.full(n, float(shares @ READER))
    there = np.array([0, *world.cue_shares[1:]])
    blind_r = float(there @ [0, *world.reliability] / there.sum())
    blind = worth(said, blind_a) * worth(kinds, np.full(n, blind_r))
    expected = unweighted_ceiling(world, READER)
    assert share_right(blind, labels) == pytest.approx(expected, abs=spread)
    if name == "main":
        assert ceiling(world, READER) > expected + 0.02, "there is something to gain by weighting"
        assert ceiling(world, READER) > face_ceiling(world, READER) + 0.1
        assert ceiling(world, READER) > context_ceiling(world) + 0.1


def worth(said: npt.NDArray[np.int64], right: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(n, 7): how likely it is that this is said if that is the label; nothing said: 1."""
    table = np.repeat(((1 - right) / 6)[:, None], 7, 1)
    table[np.arange(len(said)), said] = right
    table[said < 0] = 1
    return table


def share_right(table: npt.NDArray[np.float64], labels: npt.NDArray[np.int64]) -> float:
    """How often the best label is right; where several are best a share of them."""
    best = np.isclose(table, table.max(1, keepdims=True))
    return float((best[np.arange(len(labels)), labels] / best.sum(1)).mean())


def test_splits_share_no_face_and_no_background(data: Path) -> None:
    pool = FacePool()
    seen: dict[bytes, str] = {}
    for split in SPLITS:
        for label in range(7):
            for which in range(pool.n(split, label)):
                picture = pool.picture(split, label, which).tobytes()
                assert seen.setdefault(picture, split) == split
    small = Setting(px=32)
    drawn = {split: {draw(small, split, k, pool).background for k in range(3000)}
             for split in SPLITS}  # fmt: skip
    assert not drawn["train"] & drawn["test"]
    assert not drawn["train"] & drawn["validation"]
    assert not drawn["validation"] & drawn["test"]
    pictures = {background(number, small).tobytes() for used in drawn.values() for number in used}
    assert len(pictures) == sum(len(used) for used in drawn.values()), "no two are alike"


def test_pictures_show_the_truth(data: Path) -> None:
    pool = FacePool()
    main, plain = setting("main", 128), setting("mask-only", 128)
    for index in range(20):
        sample = draw(main, "test", index, pool)
        (picture,) = pictures_of(sample, main, pool)
        assert (picture == next(pictures_of(sample, main, pool))).all()
        (x1, y1, x2, y2), others = face_boxes(sample, main)
        face = picture[y1:y2, x1:x2]
        assert (face[:, :, 0] == face[:, :, 2]).all(), "faces are grey"
        assert len(others) == (sample.bystander is not None)
        # Of mask only, what is not the face is one grey.
        (alone,) = pictures_of(sample, plain, pool)
        assert (alone[y1:y2, x1:x2] == face).all()
        alone[y1:y2, x1:x2] = 128
        assert (alone == 128).all()
    sample = next(s for k in range(99) if (s := draw(main, "test", k, pool)).cue_state == 2)
    x, y, side = (value * 128 for value in (sample.cue or pytest.fail("none")).place)
    (shown,) = pictures_of(sample, main, pool)
    patch = shown[int(y) : int(y + side), int(x) : int(x + side)]
    near = np.abs(patch.astype(int) - sample.cue.colour).max(2) < 8  # type: ignore[union-attr]
    assert 0.15 < near.mean() < 0.9, "the cue is drawn where it is said to be"


def test_only_motion_tells_and_no_frame_of_it(data: Path) -> None:
    """Where a mark is at first, within its place, is alike for every emotion but for the shape of
    the path; in the world that is frozen nothing moves at all."""
    pool = FacePool()
    motion, frozen = setting("motion", 64), setting("frozen", 64)
    for index in range(12):
        sample = draw(motion, "test", index, pool)
        clip = np.stack(list(pictures_of(sample, motion, pool))).astype(int)
        assert clip.shape == (16, 64, 64, 3)
        still = np.stack(list(pictures_of(sample, frozen, pool)))
        assert (still == clip[0]).all()
        changed = (clip != clip[0]).any((0, 3))
        if sample.cue is None:
            assert not changed.any()
            continue
        x, y, side = (value * 64 for value in sample.cue.place)
        inside = np.zeros_like(changed)
        inside[int(y) : int(y + side) + 2, int(x) : int(x + side) + 2] = True
        assert changed.any()
        assert not (changed & ~inside).any(), "it stays in its place"
    first = next(cue for k in range(99) if (cue := draw(motion, "test", k, pool).cue) is not None)
    cue = replace(first, phase=0.1)
    places = {
        kind: [moved(replace(cue, kind=kind), k / 16).place for k in range(16)]
        for kind in range(7)
    }  # fmt: skip
    assert len({tuple(path) for path in places.values()}) == 7
    one_way, other_way = np.array(places[0]), np.array(places[1])
    middle = cue.place[1] + cue.place[2] / 4
    assert one_way[:, 0] == pytest.approx(other_way[:, 0])
    assert one_way[:, 1] - middle == pytest.approx(middle - other_way[:, 1])
    assert context_ceiling(frozen) == CHANCE
    assert context_ceiling(motion) == context_ceiling(MAIN)


def test_a_store_holds_what_the_exported_folder_holds(data: Path, tmp_path: Path) -> None:
    world = setting("main", 128)
    counts = {"train": 9, "validation": 3, "test": 5}
    settings = StoreSettings(face_px=48, context_width=72, context_height=72)
    told: list[tuple[int, int]] = []
    store = fill(tmp_path / "store", world, settings, counts, lambda *n: told.append(n), workers=1)
    assert told[-1] == (17, 17)
    kept = part_folder(tmp_path / "store", 0).stat().st_ino
    fill(tmp_path / "store", world, settings, counts, lambda *_: None, workers=1)
    assert part_folder(tmp_path / "store", 0).stat().st_ino == kept, "nothing is made twice"
    assert store.items.split.value_counts().to_dict() == counts
    test = store.items[store.items.split == "test"]
    expected = [EMOTIONS[draw(world, "test", k, FacePool()).label] for k in range(5)]
    assert test.emotion.tolist() == expected

    export(tmp_path / "set", world, counts)
    dataset = read_dataset(tmp_path / "set")
    assert dataset.layout == "coco"
    again = make_store(dataset, tmp_path / "again", settings, lambda *_: None, 1)
    mine = {s: store.items[store.items.split == s] for s in SPLITS}
    for split in SPLITS:
        theirs = again.items[again.items.split == split]
        assert theirs.emotion.tolist() == mine[split].emotion.tolist()
        for (_, one), (_, other) in zip(mine[split].iterrows(), theirs.iterrows(), strict=True):
            for read in ("faces", "contexts"):
                a = getattr(store, read)(one["part"], np.array([one["first"]]))
                b = getattr(again, read)(other["part"], np.array([other["first"]]))
                assert (a == b).all()
    truth = (tmp_path / "set" / "truth.csv").read_text().splitlines()
    assert len(truth) == 18
