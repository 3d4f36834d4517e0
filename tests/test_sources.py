"""Names, folders and contents of episodes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caer_build.errors import ProbeError
from caer_build.sources import Title, find_files, register, slug, title_of
from caer_build.store import Workspace


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Lobby.S01E02.720p.mp4", Title("lobby", 1, 2)),
        ("lobby.s01e02.mp4", Title("lobby", 1, 2)),
        ("The Good Place - 3x07 - Pilot.mkv", Title("the-good-place", 3, 7)),
        ("Lobby 1x02.mkv", Title("lobby", 1, 2)),
        ("S02E11.mkv", Title("friends", 2, 11)),
        ("pilot.mov", Title("friends", None, None)),
        ("1920x1080 test.mov", Title("friends", None, None)),
        ("Café.S01E01.mp4", Title("café", 1, 1)),
    ],
)
def test_titles(name: str, title: Title) -> None:
    assert title_of(Path("/tv/Friends") / name) == title


def test_show_overrides() -> None:
    assert title_of(Path("/tv/x/Lobby.S01E02.mp4"), "My Show") == Title("my-show", 1, 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-rf", "rf"),
        ("A  B", "a-b"),
        ("...", "episode"),
        ("ドラマ01", "ドラマ01"),
        ("a/b\\c", "a-b-c"),
    ],
)
def test_slugs(text: str, expected: str) -> None:
    assert slug(text) == expected


def test_a_name_that_is_no_text_gets_a_slug() -> None:
    assert slug(os.fsdecode(b"caf\xe9.s01e01")) == "caf-.s01e01"


def make(folder: Path, **files: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name.replace("_", ".")).write_bytes(data)


def test_folders_give_videos_and_named_files_always_count(tmp_path: Path) -> None:
    make(tmp_path / "tv", a_mp4=b"1", notes_txt=b"2")
    make(tmp_path / "tv" / "s2", b_mkv=b"3")
    make(tmp_path / "tv" / ".trash", c_mkv=b"4")
    (tmp_path / "tv" / ".hidden.mp4").write_bytes(b"5")
    files, passed_over = find_files([tmp_path / "tv"])
    assert [f.name for f in files] == ["a.mp4", "b.mkv"]
    assert sorted(f.name for f in passed_over) == [".hidden.mp4", "notes.txt"]
    assert find_files([tmp_path / "tv" / "notes.txt"])[0][0].name == "notes.txt"


def test_nothing_to_build_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="No such file"):
        find_files([tmp_path / "nowhere"])
    with pytest.raises(ProbeError, match="No video files"):
        find_files([tmp_path])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "work")


def ids(workspace: Workspace, *files: Path) -> list[str]:
    return [s.episode_id for s in register(workspace, files).sources]


def test_a_moved_file_keeps_its_id(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1")
    assert ids(workspace, tmp_path / "a.mp4") == ["a"]
    (tmp_path / "a.mp4").rename(tmp_path / "z.mp4")
    found = register(workspace, [tmp_path / "z.mp4"]).sources
    assert [(s.episode_id, s.path.name) for s in found] == [("a", "z.mp4")]


def test_equal_stems_get_a_hash_and_nobody_is_renamed(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path / "x", a_mp4=b"1")
    make(tmp_path / "y", a_mp4=b"2")
    first, second = tmp_path / "x" / "a.mp4", tmp_path / "y" / "a.mp4"
    assert ids(workspace, first) == ["a"]
    both = ids(workspace, first, second)
    assert both[0] == "a"
    assert both[1].startswith("a-")
    other = Workspace.create(tmp_path / "other")
    assert ids(other, second, first) == ids(Workspace.create(tmp_path / "o2"), first, second)
    assert "a" not in ids(other)


def test_one_content_is_one_episode(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1", b_mp4=b"1")
    found = register(workspace, [tmp_path / "a.mp4", tmp_path / "b.mp4"])
    assert [s.episode_id for s in found.sources] == ["a"]
    assert found.doubles == ((tmp_path / "b.mp4", "a"),)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1")
    gone = tmp_path / "b.mp4"
    gone.symlink_to(tmp_path / "nowhere")
    found = register(workspace, [tmp_path / "a.mp4", gone])
    assert [s.episode_id for s in found.sources] == ["a"]
    assert found.unreadable[0][0] == gone


def test_a_changed_file_is_another_episode(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1")
    ids(workspace, tmp_path / "a.mp4")
    make(tmp_path, a_mp4=b"22")
    assert len(ids(workspace, tmp_path / "a.mp4")) == 2
