"""Toy workspaces whose clips are labelled: no video, no build, no project."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from caer_build.annotation.vote_files import write_csv
from caer_build.arrow import to_table
from caer_build.records import EMOTIONS, ClipBox
from caer_build.store import Workspace
from tests.building import caer
from tests.toy_workspace import Toy, add_episode
from tests.voting import vote


def labelled_toy(root: Path, casts: Sequence[str]) -> Workspace:
    """An episode a cast; each letter of it is a clip of that person, in a shot of its own.

    Three people agree on each clip; emotions go round. Beside it lies ``votes.csv``.
    """
    toy = Toy()
    for number, cast in enumerate(casts, start=1):
        add_episode(toy, f"toy.s01e{number:02d}", len(cast))
    people = "".join(casts)
    toy.clips = [replace(c, person_id=who) for c, who in zip(toy.clips, people, strict=True)]
    toy.identities = [
        replace(i, person_id=who) for i, who in zip(toy.identities, people, strict=True)
    ]
    workspace = toy.write(root)
    boxes = [
        ClipBox(clip.clip_id, frame, clip.track_id, True, 10.0, 10.0, 60.0, 70.0, False)
        for clip in toy.clips
        for frame in range(2)
    ]
    pq.write_table(to_table(ClipBox, boxes), workspace.tables / f"{ClipBox.table}.parquet")
    votes = [
        vote(clip.clip_id, f"a{person}", EMOTIONS[k % len(EMOTIONS)])
        for k, clip in enumerate(toy.clips)
        for person in range(3)
    ]
    with (root.parent / "votes.csv").open("wb") as file:
        write_csv(file, votes)
    caer("label", root, "--votes", root.parent / "votes.csv")
    return workspace
