"""Names, folders and contents of episodes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from caer_build.errors import MediaError, ProbeError
from caer_build.sources import Proof, Title, find_files, register, slug, title_of
from caer_build.store import Workspace, read_json, write_json


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
    files, passed_over, _ = find_files([tmp_path / "tv"])
    assert [f.name for f in files] == ["a.mp4", "b.mkv"]
    assert sorted(f.name for f in passed_over) == [".hidden.mp4", "notes.txt"]
    assert find_files([tmp_path / "tv" / "notes.txt"]).files[0].name == "notes.txt"


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


def test_of_equal_files_the_one_named_after_its_episode_counts(tmp_path: Path) -> None:
    make(tmp_path, a_copy_mp4=b"same", lobby_s01e02_mp4=b"same", z_copy_mp4=b"same")
    workspace = Workspace.create(tmp_path / "work")
    found = register(workspace, sorted(tmp_path.glob("*.mp4")))
    assert [(s.episode_id, s.season, s.number) for s in found.sources] == [("lobby.s01e02", 1, 2)]
    assert [path.name for path, _ in found.doubles] == ["a.copy.mp4", "z.copy.mp4"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1")
    gone = tmp_path / "b.mp4"
    gone.symlink_to(tmp_path / "nowhere")
    found = register(workspace, [tmp_path / "a.mp4", gone])
    assert [s.episode_id for s in found.sources] == ["a"]
    assert found.unreadable[0][0] == gone


def scanned(workspace: Workspace, episode_id: str) -> None:
    with workspace.draft("scan", episode_id, "k") as draft:
        draft.commit({})


def test_a_source_in_whose_place_another_file_is_has_gone(
    tmp_path: Path, workspace: Workspace
) -> None:
    make(tmp_path, a_mp4=b"1")
    path = tmp_path / "a.mp4"
    ids(workspace, path)
    scanned(workspace, "a")
    make(tmp_path, a_mp4=b"22")
    found = register(workspace, [path])
    assert found.replaced == ((path, "a"),)
    old, new = found.sources
    assert (old.episode_id, old.size) == ("a", -1)
    Proof(new).check()
    with pytest.raises(MediaError, match=r"source of a is no longer at .*expected the content"):
        Proof(old).check()
    # Said once; and the old file is known wherever it comes back.
    assert register(workspace, [path]).replaced == ()
    make(tmp_path, b_mp4=b"1")
    back = register(workspace, [tmp_path / "b.mp4"]).sources[0]
    assert (back.episode_id, back.path.name, back.size) == ("a", "b.mp4", 1)
    Proof(back).check()


def test_a_replaced_source_that_was_never_scanned_is_forgotten(
    tmp_path: Path, workspace: Workspace
) -> None:
    make(tmp_path, a_mp4=b"half")
    ids(workspace, tmp_path / "a.mp4")
    make(tmp_path, a_mp4=b"half and half")
    assert ids(workspace, tmp_path / "a.mp4") == ["a"]


def test_proof_reads_a_touched_file_and_refuses_another(
    tmp_path: Path, workspace: Workspace
) -> None:
    make(tmp_path, a_mp4=b"1")
    path = tmp_path / "a.mp4"
    proof = Proof(register(workspace, [path]).sources[0])
    os.utime(path, ns=(1, 1))
    proof.check()
    path.write_bytes(b"2")
    with pytest.raises(MediaError, match="no longer at"):
        proof.check()
    path.unlink()
    with pytest.raises(MediaError, match="No such file"):
        proof.check()
    os.mkfifo(path)
    with pytest.raises(MediaError, match="found no file"):
        proof.check()


def test_workspaces_hold_no_episodes(tmp_path: Path) -> None:
    make(tmp_path / "tv", a_mp4=b"1")
    make(tmp_path / "tv" / "code", b_mp4=b"1", workspace_json=b'{"folder": "of another program"}')
    inside = Workspace.create(tmp_path / "tv" / "work")
    make(inside.clips, c_mp4=b"2")
    found = find_files([tmp_path / "tv"])
    assert [f.name for f in found.files] == ["a.mp4", "b.mp4"]
    assert found.workspaces == [inside.root]
    for given in (inside.root, inside.clips, inside.clips / "c.mp4"):
        with pytest.raises(ProbeError, match="lies in the workspace"):
            find_files([tmp_path / "tv", given])


def test_clips_that_were_once_taken_as_episodes_are_dropped(
    tmp_path: Path, workspace: Workspace
) -> None:
    make(tmp_path, a_mp4=b"1")
    make(workspace.clips, c_mp4=b"2")
    assert ids(workspace, tmp_path / "a.mp4", workspace.clips / "c.mp4") == ["a", "c"]
    assert ids(workspace) == ["a"]


@pytest.mark.parametrize("letter", ["a", "ド"])
def test_long_names_give_short_ids(tmp_path: Path, workspace: Workspace, letter: str) -> None:
    stem = letter * (250 // len(letter.encode()))
    make(tmp_path, **{f"{stem}_mp4": b"1", f"{stem[:-1]}_mp4": b"2"})
    files = find_files([tmp_path]).files
    found = register(workspace, files, show=letter * 300).sources
    assert len({s.episode_id for s in found}) == 2
    for s in found:
        assert max(len(s.episode_id.encode()), len(s.show.encode())) <= 107
    assert slug(found[0].episode_id) != "episode"


def test_a_long_id_of_an_earlier_version_is_shortened(tmp_path: Path, workspace: Workspace) -> None:
    make(tmp_path, a_mp4=b"1")
    ids(workspace, tmp_path / "a.mp4")
    book = workspace.root / "sources.json"
    entries = read_json(book)
    for length, becomes in ((150, 150), (230, 107)):
        entries[0]["episode_id"] = "a" * length
        write_json(book, entries)
        assert len(ids(workspace)[0]) == becomes
