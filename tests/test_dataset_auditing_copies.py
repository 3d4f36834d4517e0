"""Copies of pictures are found whatever was done to them; other pictures are not taken for some."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryFile

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from caer_build.dataset.auditing import matching
from caer_build.dataset.auditing.auditing import audit
from caer_build.dataset.auditing.descriptors import describe, mirrored
from caer_build.dataset.auditing.findings import Audit, Finding
from caer_build.dataset.auditing.likeness import likeness
from caer_build.dataset.auditing.matching import Match, Pictures, copies, repeats
from caer_build.dataset.auditing.thumbnails import Thumbnail, Thumbnails, packed, thumbnail
from caer_build.dataset.reading import read_dataset
from tests.building import true_shots

Picture = npt.NDArray[np.uint8]


def scene(number: int, person_x: float = 0.5) -> Picture:
    """(400, 712, 3): a room like no other, and somebody in it who can move."""
    chance = np.random.default_rng(number)
    picture = np.zeros((400, 712, 3), np.float32)
    for rows, columns, share in ((4, 6, 0.5), (13, 22, 0.35), (40, 70, 0.15)):
        blobs = chance.integers(0, 256, (rows, columns, 3)).astype(np.float32)
        picture += share * cv2.resize(blobs, (712, 400), interpolation=cv2.INTER_CUBIC)
    look = cv2.resize(chance.integers(0, 256, (9, 9, 3)).astype(np.float32), (320, 320))
    left = int(person_x * 712) - 160
    picture[80:400, left : left + 320] = look
    return np.clip(picture, 0, 255).astype(np.uint8)


def edits(picture: Picture) -> Iterator[tuple[str, Picture]]:
    """What is done to pictures before they are put into a data set again."""
    h, w = picture.shape[:2]
    values = picture.astype(np.float32)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 40])[1]
    yield "jpeg", np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)
    yield "square", np.asarray(cv2.resize(picture, (224, 224)), np.uint8)
    yield "mirrored", picture[:, ::-1]
    for percent in (2, 5, 10):
        y, x = h * percent // 100, w * percent // 100
        yield f"cropped {percent}", picture[y : h - y, x : w - x]
    yield "cropped mirrored", picture[h // 20 : h - h // 20, w // 20 : w - w // 20][:, ::-1]
    yield "lighter", np.clip(values + 20, 0, 255).astype(np.uint8)
    yield "contrast", np.clip((values - 128) * 1.2 + 128, 0, 255).astype(np.uint8)
    yield "gamma", (255 * (values / 255) ** 1.5).astype(np.uint8)
    yield "grey", np.repeat(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)[..., None], 3, axis=2)
    titled = picture.copy()
    for line, text in enumerate(("- What are you talking about?", "- I never said that.")):
        place = w // 5, h - h // 7 + line * h // 14
        cv2.putText(titled, text, place, cv2.FONT_HERSHEY_SIMPLEX, h / 500, (255, 255, 255), 2)
    yield "subtitle", titled
    black = cv2.BORDER_CONSTANT
    letterboxed = cv2.copyMakeBorder(picture, h // 10, h // 10, 0, 0, black, value=(0, 0, 0))
    yield "letterbox", np.asarray(letterboxed, np.uint8)
    pillarboxed = cv2.copyMakeBorder(picture, 0, 0, w // 6, w // 6, black, value=(0, 0, 0))
    yield "pillarbox", np.asarray(pillarboxed, np.uint8)
    yield "blur", np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.uint8)
    noise = np.random.default_rng(0).normal(0, 12, picture.shape)
    yield "noise", np.clip(values + noise, 0, 255).astype(np.uint8)


EDITS = [name for name, _ in edits(scene(0))]


def write(root: Path, split: str, name: str, picture: Picture) -> None:
    file = root / split / "Sad" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(file), np.ascontiguousarray(picture))


def looked(root: Path) -> Audit:
    return audit(read_dataset(root), 2, lambda *_: None)


def by_kind(found: Audit) -> dict[str, Finding]:
    return {finding.kind: finding for finding in found.findings}


def kept(thumbs: list[Thumbnail], file: object) -> Pictures:
    there = Thumbnails(file)  # type: ignore[arg-type]
    there.append([packed(thumb) for thumb in thumbs])
    there.settle()
    return Pictures(np.stack([describe(thumb) for thumb in thumbs]), there)


def test_edited_copies_of_stills_are_found(tmp_path: Path) -> None:
    for number in range(4):
        picture = scene(number)
        write(tmp_path, "train", f"{number}.png", picture)
        for k, (name, edited) in enumerate(edits(picture)):
            write(tmp_path, "test", f"{name}_{number}.png", edited)
            write(tmp_path, "test", f"other_{k}_{number}.png", scene(1000 + 100 * k + number))
    found = by_kind(looked(tmp_path))
    assert (found["near_duplicate"].severity, found["near_duplicate"].n) == ("leak", 4 * len(EDITS))
    assert "same_take" not in found


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_is_found_and_called_by_its_name(name: str) -> None:
    pictures = [scene(number) for number in range(6)]
    thumbs = [thumbnail(p) for p in pictures]
    thumbs += [thumbnail(np.ascontiguousarray(dict(edits(p))[name])) for p in pictures]
    with TemporaryFile() as file:
        first, second = np.arange(6), np.arange(6, 12)
        found = list(copies(kept(thumbs, file), first, second, 2, lambda *_: None))
    assert [(m.there, m.here, m.likeness) for m in found] == [(k, k + 6, "picture") for k in first]
    assert {m.way.turned for m in found} == {"mirrored" in name}
    if "10" in name:
        assert {m.way.zoom for m in found} == {1}


def test_other_moments_of_a_take_are_told_from_copies(tmp_path: Path) -> None:
    for number in range(6):
        write(tmp_path, "train", f"{number:04d}.png", scene(number, 0.47))
        write(tmp_path, "test", f"{number:04d}.png", scene(number, 0.5))
    for number in range(100, 160):
        write(tmp_path, "test", f"{number:04d}.png", scene(number))
    found = by_kind(looked(tmp_path))
    assert (found["same_take"].severity, found["same_take"].n) == ("leak", 6)
    assert found["same_take"].examples[0] == "train/Sad/0000.png and test/Sad/0000.png"
    assert "near_duplicate" not in found
    # One of 60 is more than 1 in 100, but fewer than three may be an accident.
    for number in range(1, 6):
        (tmp_path / "test" / "Sad" / f"{number:04d}.png").unlink()
    found = by_kind(looked(tmp_path))
    assert (found["same_take"].severity, found["same_take"].n) == ("note", 1)


def test_copies_within_a_split_are_a_note(tmp_path: Path) -> None:
    for number in range(4):
        write(tmp_path, "train", f"{number}.png", scene(number))
    write(tmp_path, "train", "9.jpg", scene(2))
    write(tmp_path, "test", "5.png", scene(5))
    found = by_kind(looked(tmp_path))
    again = found["near_duplicate_in_split"]
    assert (again.severity, again.n) == ("note", 1)
    assert again.examples == ("train/Sad/2.png and train/Sad/9.jpg",)
    assert not looked(tmp_path).leaks


def test_mirrored_descriptors_are_those_of_the_mirrored_picture() -> None:
    thumb = thumbnail(scene(1))
    turned = describe(np.ascontiguousarray(thumb[:, ::-1]))
    assert (turned * mirrored(describe(thumb))).sum(axis=1) == pytest.approx(1, abs=0.001)
    assert np.linalg.norm(turned, axis=1) == pytest.approx(1)


def test_bars_are_cut_off_and_the_dark_is_not() -> None:
    picture = scene(3)
    for top, bottom, left, right in ((60, 60, 0, 0), (0, 0, 100, 100), (40, 0, 0, 0)):
        boxed = cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT)
        difference = thumbnail(np.asarray(boxed, np.uint8)).astype(int) - thumbnail(picture)
        assert np.abs(difference).mean() < 6
    night = (picture * np.linspace(0, 1, 400)[:, None, None] ** 2).astype(np.uint8)
    lighter = np.clip(night * 1.5 + 10, 0, 255).astype(np.uint8)
    assert likeness(thumbnail(night), thumbnail(lighter), 0) == "picture"


def test_flat_pictures_are_like_nothing() -> None:
    noise = np.random.default_rng(1).normal(30, 2, (2, 400, 712, 3))
    thumbs = [thumbnail(p) for p in np.clip(noise, 0, 255).astype(np.uint8)]
    assert not describe(thumbs[0]).any()
    assert likeness(thumbs[0], thumbs[1], 0) is None


def test_blocks_are_one_with_comparing_everything_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    thumbs = [thumbnail(scene(k % 23, 0.3 + 0.01 * (k % 2))) for k in range(90)]
    a, b = np.arange(50), np.arange(50, 90)
    with TemporaryFile() as file:
        pictures = kept(thumbs, file)

        def found() -> tuple[list[Match], list[Match]]:
            return (
                list(copies(pictures, a, b, 2, lambda *_: None)),
                list(repeats(pictures, a, np.arange(90) // 2, 2, lambda *_: None)),
            )

        whole = found()
        monkeypatch.setattr(matching, "_ROWS", 7)
        monkeypatch.setattr(matching, "_COLUMNS", 11)
        assert found() == whole
    assert {m.here for m in whole[0]} == set(range(50, 90))
    assert all(m.there < m.here and m.there // 2 != m.here // 2 for m in whole[1])
    assert {m.here for m in whole[1]} >= set(range(26, 50))


@pytest.mark.slow
def test_real_frames(data: Path) -> None:
    """Two episodes, every sixth frame: copies of all are found; of different people none is."""
    from caer_build.media.decode import Decoder
    from caer_build.media.probe import read_headers

    frames: dict[tuple[str, int], list[Picture]] = {}
    people: dict[tuple[str, int], frozenset[str]] = {}
    for name in ("lobby.s01e01", "lobby.s01e02"):
        of_frame = {f: k for k, s in enumerate(true_shots(data, name)) for f in s.frames}
        for k, shot in enumerate(true_shots(data, name)):
            people[name, k] = frozenset(shot.people)
        file = data / "episodes" / f"{name}.mp4"
        with Decoder(file, read_headers(file), threads=2) as decoder:
            for frame in decoder:
                if frame.ordinal % 6 == 0 and frame.ordinal in of_frame:
                    shot_frames = frames.setdefault((name, of_frame[frame.ordinal]), [])
                    shot_frames.append(cv2.resize(frame.bgr_full(), (712, 400)))  # type: ignore[arg-type]
    shots = [shot for shot in frames if frames[shot][0].std() > 10]
    middles = [frames[shot][len(frames[shot]) // 2] for shot in shots]
    thumbs = [thumbnail(p) for p in middles]
    missed = dict.fromkeys(EDITS, 0)
    for k, picture in enumerate(middles):
        with TemporaryFile() as file:
            edited = [thumbnail(np.ascontiguousarray(p)) for _, p in edits(picture)]
            pictures = kept([thumbs[k], *edited], file)
            there = copies(
                pictures, np.array([0]), np.arange(1, len(EDITS) + 1), 2, lambda *_: None
            )
            seen = {m.here - 1 for m in there if m.likeness == "picture"}
        for number, name in enumerate(EDITS):
            missed[name] += number not in seen
    assert {name: n for name, n in missed.items() if n > 1} == {}, len(middles)

    everything = [(shot, thumbnail(p)) for shot in shots for p in frames[shot]]
    with TemporaryFile() as file:
        pictures = kept([thumb for _, thumb in everything], file)
        accused = []
        for shot in shots:
            here = np.array([n for n, (s, _) in enumerate(everything) if s == shot])
            there = np.array(
                [n for n, (s, _) in enumerate(everything) if people[s] != people[shot]]
            )
            accused += list(copies(pictures, there, here, 2, lambda *_: None))
    assert not [m for m in accused if m.likeness == "picture"]
    # Three people before one plain wall, from one camera, are taken for one take now and then.
    assert len(accused) <= 0.05 * len(everything)
    wall = {frozenset([name]) for name in ("Alan", "Ben", "Cora", "Dan")}
    assert {people[everything[n][0]] for m in accused for n in (m.there, m.here)} <= wall
