"""The report as a file: complete, self-contained, bounded, and safe to open."""

from __future__ import annotations

import base64
import gzip
import html.parser
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from caer_build import overrides
from caer_build.errors import StoreError
from caer_build.media.encode import encode_frames
from caer_build.records import Person, TrackBox
from caer_build.report.build_report import MAX_OPEN, write_report
from caer_build.store import Workspace
from tests.toy_workspace import Toy, add_episode, clip, track


class Page(html.parser.HTMLParser):
    """What a report is made of, as a browser reads it."""

    VOID = frozenset({"meta", "img", "br", "input", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href", "poster") and value is not None:
                self.addresses.append(value)
            if name == "id" and value is not None:
                self.ids.add(value)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def report_of(workspace: Workspace) -> str:
    return write_report(workspace, None).read_text(encoding="utf-8")


@pytest.fixture
def toy() -> Toy:
    """Five shots: a kept clip, one without a face, a blurred, a short and a turned one."""
    made = Toy()
    add_episode(made, "toy.s01e01", 5)
    one, none, blurred, short, turned = made.clips
    made.clips = [
        one,
        replace(clip(made.shots[1]), n_frames=50),
        replace(blurred, sharpness=6.0, reject_reason="ambiguous_blurred"),
        replace(short, n_frames=12, reject_reason="too_short"),
        replace(turned, yaw=80.0, reject_reason="ambiguous_turned"),
    ]
    assert none.clip_id not in {c.clip_id for c in made.clips}
    return made


def test_it_lies_in_the_workspace_and_needs_nothing_else(toy: Toy, tmp_path: Path) -> None:
    workspace = toy.write(tmp_path / "work")
    path = write_report(workspace, None)
    assert path == workspace.root / "report.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.open
    inside = {a[1:] for a in page.addresses if a.startswith("#")}
    assert inside <= page.ids
    assert all(a.startswith(("#", "data:")) for a in page.addresses)
    assert "link" not in page.tags
    assert list(workspace.root.glob(".report*")) == []
    assert write_report(workspace, tmp_path) == tmp_path / "report.html"


def test_every_reason_that_occurs_has_its_sample(toy: Toy, tmp_path: Path) -> None:
    text = report_of(toy.write(tmp_path / "work"))
    for reason in ("no_face", "ambiguous_blurred", "too_short", "ambiguous_turned"):
        assert f'id="reason-{reason}"' in text
    assert 'id="reason-group"' not in text
    assert "The sharpness is 6; it must be at least 15." in text
    assert "It has 12 frames; a clip needs at least 30 frames." in text


def test_names_from_outside_are_text(toy: Toy, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    person = toy.persons[0]
    toy.persons[0] = replace(person, name=evil)
    toy.persons.append(Person("toy-x", "toy", "t", None, person.person_id, evil))
    work = toy.write(tmp_path / "work", failed=[evil])
    overrides.add(work, "reject", toy.clips[0].clip_id, None, evil)
    toy.clips[0] = replace(toy.clips[0], reject_reason="by_hand")
    text = report_of(work)
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert(1)") >= 3
    assert Page(text).tags.count("script") == 1


def test_one_thing_is_not_called_several(tmp_path: Path) -> None:
    toy = Toy()
    add_episode(toy, "toy.s01e01", 1)
    text = report_of(toy.write(tmp_path / "work"))
    for thing in ("episode", "shot", "face track", "person", "clip kept"):
        assert f"<dt>{thing}</dt><dd>1</dd>" in text
    assert "of 1 candidate<" in text
    assert "(1 candidate)" in text
    assert not re.search(r"(?<![\d,.])1 (episodes|candidates|persons|clips|rows|tracks)\b", text)


def test_two_clips_of_one_picture_count_its_footage_once(tmp_path: Path) -> None:
    toy = Toy()
    add_episode(toy, "toy.s01e01", 2)
    other = track(toy.shots[0], 1)
    toy.tracks.append(other)
    toy.clips.append(clip(toy.shots[0], other))
    text = report_of(toy.write(tmp_path / "work"))
    assert "<dt>of clips</dt><dd>6 s</dd><small>4 s of distinct footage (100 %)</small>" in text
    assert "of 3 candidates; 2 share their picture with another" in text
    assert "up to 2 people of comparable size" in text


def test_a_duration_is_written_in_one_way(toy: Toy, tmp_path: Path) -> None:
    toy.episodes = [replace(e, duration_s=71.84) for e in toy.episodes]
    text = report_of(toy.write(tmp_path / "work"))
    assert text.count("72 s<") == 3
    assert ">1:11<" not in text


def test_a_failed_episode_is_named_with_its_remedy(toy: Toy, tmp_path: Path) -> None:
    text = report_of(toy.write(tmp_path / "work", failed=["toy.s01e02"]))
    assert "1 failed and is missing here" in text
    assert "toy.s01e02.mp4 is empty (0 bytes)." in text
    assert "Copy or download it again." in text
    assert "missing here" not in report_of(toy.write(tmp_path / "fine"))


def test_without_kept_clips_it_says_what_took_them(toy: Toy, tmp_path: Path) -> None:
    toy.clips = [replace(c, reject_reason=c.reject_reason or "too_short") for c in toy.clips]
    text = report_of(toy.write(tmp_path / "work"))
    assert "No clip was kept" in text
    assert "<strong>too short</strong> (2 of 5)" in text


def test_without_any_episode_it_still_says_why(tmp_path: Path) -> None:
    text = report_of(Toy().write(tmp_path / "work", failed=["toy.s01e01"]))
    assert "There were no candidates at all" in text
    assert not Page(text).open


def test_nothing_built_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="Nothing was built"):
        write_report(Workspace.create(tmp_path / "work"), None)


def test_fifty_episodes_stay_small(tmp_path: Path) -> None:
    toy = Toy()
    for number in range(50):
        add_episode(toy, f"toy.s01e{number:02d}", 40, person=f"toy-p{number % 30}")
    workspace = toy.write(tmp_path / "work")
    path = write_report(workspace, tmp_path / "elsewhere" / "r.html")
    text = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 3_000_000
    # Every episode has its timeline: some at once, the others when they are opened.
    packed = re.findall(r'data-packed="([^"]+)"', text)
    assert text.count('class="card timeline"') == MAX_OPEN == 50 - len(packed)
    for number, one in enumerate(packed, MAX_OPEN):
        drawn = gzip.decompress(base64.b64decode(one)).decode()
        assert f"Shots, faces and clips of toy.s01e{number:02d} along time" in drawn
    assert "6 more persons" in text


def test_deleted_persons_are_not_shown(toy: Toy, tmp_path: Path) -> None:
    target = toy.clips[0]
    toy.clips[0] = replace(target, reject_reason="person_deleted", person_id=None)
    text = report_of(toy.write(tmp_path / "work"))
    assert "Not shown: the person was deleted." in text


def colours(n_frames: int, size: tuple[int, int]) -> list[np.ndarray]:
    """Frames that are black up to 50 and then blue."""
    frames = np.zeros((n_frames, size[1], size[0], 3), np.uint8)
    frames[50:, :, :, 2] = 200
    return list(frames)


def test_pictures_come_from_the_clip_and_its_source(toy: Toy, tmp_path: Path) -> None:
    import cv2

    source = tmp_path / "toy.s01e01.mp4"
    silence = np.zeros((10 * 48000, 2), np.float32)
    encode_frames(iter(colours(250, (640, 360))), silence, Fraction(25), source)
    toy.sources["toy.s01e01"] = source
    kept = toy.clips[0]
    toy.clips[0] = replace(kept, file=f"clips/{kept.clip_id}.mp4")
    toy.boxes.append(TrackBox(str(kept.track_id), 25, 160, 90, 320, 270, False))
    workspace = toy.write(tmp_path / "work")
    workspace.clips.mkdir()
    encode_frames(
        iter(colours(50, (640, 360))),
        silence,
        Fraction(25),
        workspace.root / f"clips/{kept.clip_id}.mp4",
    )
    text = write_report(workspace, tmp_path / "shown" / "r.html").read_text(encoding="utf-8")

    def picture(name: str) -> np.ndarray:
        found = re.search(name + r'="data:image/jpeg;base64,([^"]+)"', text, re.DOTALL)
        assert found is not None
        pixels = np.frombuffer(base64.b64decode(found[1]), np.uint8)
        return np.asarray(cv2.imdecode(pixels, cv2.IMREAD_COLOR))

    poster = picture('class="play".*?src')
    assert poster.shape == (202, 360, 3)
    # The target's frame is yellow (BGR), the rest of the black picture is not.
    left_edge = poster[100, 88:93].astype(int)
    assert (left_edge[:, 1] - left_edge[:, 0]).max() > 60
    assert poster[100, 130].max() < 30
    assert f'href="../work/clips/{kept.clip_id}.mp4"' in text
    # A rejected one, from frame 75 of the source, which is blue.
    blue = picture(r'card">\s<img src').astype(int)[100, 200]
    assert blue[0] > 150
    assert blue[2] < 60
