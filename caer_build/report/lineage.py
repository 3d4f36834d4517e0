"""``caer explain`` of a data set: where a file came from, and which files came from an episode.

::

    file, item_id                              --> source, person, votes, label, split
    episode, shot, track, person, group, show  --> the files that were made of it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caer_build.dataset import metadata
from caer_build.dataset.reading import Dataset, read_dataset
from caer_build.errors import DatasetError
from caer_build.records import CountedVote, Cut, Episode, Item
from caer_build.report.item_names import MADE_OF, item_called, possible_names, suggestion
from caer_build.report.label_wording import group_line, label_lines, split_how, vote_lines
from caer_build.report.wording import Sections, plural, written


@dataclass(frozen=True)
class _Told:
    """A data set with the tables of ours that tell where items came from; empty of others."""

    dataset: Dataset
    votes: tuple[CountedVote, ...]
    cuts: Mapping[str, Cut]
    episodes: Mapping[str, Episode]

    @property
    def facts(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.dataset.facts.get("facts", {})
        return found


def explain_item(root: Path, what: str) -> str:
    """Everything that a data set says of a file, or of what its files were made of, as plain text.

    Args:
        root: the data set's folder.
        what: a file (its path, from here or from the data set's folder, or enough of its end), an
            item_id, or the id of an episode, clip, shot, track, person or group, or a show.

    Raises:
        DatasetError: if there is no such thing; it names those that look like it.
    """
    dataset = read_dataset(root)
    item = item_called(dataset, what)
    if item is not None:
        return written(*_of_item(_gather(dataset), item))
    made = [item for item in dataset.items if any(getattr(item, c) == what for c in MADE_OF)]
    if made:
        return written(*_of_origin(_gather(dataset), what, made))
    names = possible_names(dataset, what)
    inside = [i for i in dataset.items if i.file and any(i.file.startswith(f"{n}/") for n in names)]
    if inside:
        return written(what, f"{plural(len(inside), 'file')} in it.",
                       {"In it": [_line(item) for item in inside]})  # fmt: skip
    raise DatasetError(f"Nothing in {root} is called {what}.", suggestion(dataset, what))


def _gather(dataset: Dataset) -> _Told:
    if dataset.layout != "ours":
        return _Told(dataset, (), {}, {})
    return _Told(
        dataset,
        tuple(metadata.read_rows(dataset.root, CountedVote)),
        {cut.clip_id: cut for cut in metadata.read_rows(dataset.root, Cut)},
        {e.episode_id: e for e in metadata.read_rows(dataset.root, Episode)},
    )


def _of_item(told: _Told, item: Item) -> tuple[str, str, Sections]:
    clip = item.clip_id or item.item_id
    stills = [i for i in told.dataset.items if i.kind == "still" and i.clip_id == item.item_id]
    sections: dict[str, Iterable[str]] = {
        "Source": _source_lines(told, item),
        "Target": _target_lines(item),
        "Label": label_lines(item, told.facts.get("labels", {})),
        "Votes": _vote_lines(told, item, clip),
        "Split": _split_lines(told, item),
        "Faces": _face_lines(told, item),
        "Stills of it": [_line(still) for still in stills],
        "Made with": _made_lines(told),
    }
    verdict = ", ".join([item.emotion or "no emotion", item.split or "in no split"])
    return f"{item.kind.capitalize()} {item.item_id}", f"{verdict}. {_file(item)}", sections


def _of_origin(told: _Told, what: str, made: Sequence[Item]) -> tuple[str, str, Sections]:
    column = next(c for c in MADE_OF if any(getattr(item, c) == what for item in made))
    files = sum(item.file is not None for item in made)
    kinds = [(kind, sum(i.kind == kind for i in made)) for kind in ("clip", "still")]
    counted = " and ".join(plural(n, kind) for kind, n in kinds if n)
    sections: dict[str, Iterable[str]] = {
        "Source": _episode_lines(told, what) if column == "episode_id" else [],
        "Made of it": [_line(item) for item in made],
    }
    title = f"{column.removesuffix('_id').capitalize()} {what}"
    where = "all with a file" if files == len(made) else f"{files} with a file"
    return title, f"{counted} of this data set, {where}.", sections


def _file(item: Item) -> str:
    if item.file is None:
        return "There is no file of it: the data set is without media."
    facts = [item.file]
    if item.width is not None:
        facts.append(f"{item.width}x{item.height}")
    if item.crop_x is not None:
        facts.append(f"the part at {item.crop_x}, {item.crop_y}")
    if item.file_bytes is not None:
        facts.append(f"{item.file_bytes} bytes")
    if item.file_sha256 is not None:
        facts.append(f"sha256 {item.file_sha256}")
    return ", ".join(facts)


def _source_lines(told: _Told, item: Item) -> list[str]:
    lines = _episode_lines(told, item.episode_id)
    cut = told.cuts.get(item.clip_id or "")
    if item.kind == "still" and item.clip_id is not None:
        at = "" if cut is None else f", at about {_moment(cut, item):.2f} s"
        lines.append(f"frame {item.clip_frame} of the clip {item.clip_id}, which is frame "
                     f"{item.start_frame} of the episode{at}")  # fmt: skip
    elif item.start_frame is not None and item.end_frame is not None:
        lines.append(
            f"frames {item.start_frame} to {item.end_frame - 1} ({item.n_frames}), "
            f"{item.start_s:.2f} to {item.end_s:.2f} s"
        )
    if cut is not None:
        lines.append(f"cut out at the ticks {cut.start_pts} to {cut.stop_pts} of the file's video; "
                     f"sha256 of the clip {cut.clip_sha256}")  # fmt: skip
    return lines


def _moment(cut: Cut, item: Item) -> float:
    share = int(item.clip_frame or 0) / (cut.end_frame - cut.start_frame)
    return cut.start_s + share * (cut.stop_s - cut.start_s)


def _episode_lines(told: _Told, episode_id: str | None) -> list[str]:
    episode = told.episodes.get(episode_id or "")
    if episode is None:
        return []
    return [
        f"{episode.episode_id} of {episode.show}: {episode.source_name}, "
        f"{episode.frame_count} frames, {episode.duration_s:.2f} s",
        f"sha256 {episode.source_sha256}",
    ]


def _target_lines(item: Item) -> list[str]:
    ids = {"person": item.person_id, "face track": item.track_id, "shot": item.shot_id}
    return [f"{what} {id_}" for what, id_ in ids.items() if id_ is not None]


def _vote_lines(told: _Told, item: Item, clip: str) -> list[str]:
    lines = vote_lines(vote for vote in told.votes if vote.clip_id == clip)
    if lines:
        return lines
    counts = told.dataset.votes()
    if item.item_id not in counts.item_ids:
        return []
    row = counts.table[counts.item_ids.index(item.item_id)].tolist()
    return [f"{c}: {n}" for c, n in zip(counts.categories, row, strict=True) if n]


def _split_lines(told: _Told, item: Item) -> list[str]:
    how = split_how(told.facts.get("split", {}))
    lines = [f"{item.split}; {how}" if how else str(item.split)] if item.split else []
    if item.group_id is not None:
        clips = {i.clip_id for i in told.dataset.items if i.group_id == item.group_id}
        lines.append(group_line(item.group_id, len(clips) - 1))
    return lines


def _face_lines(told: _Told, item: Item) -> list[str]:
    """How many boxes there are; the one of a still in px."""
    import pyarrow.compute as pc

    faces = []
    for table in told.dataset.faces():
        faces += table.filter(pc.equal(table["item_id"], item.item_id)).to_pylist()
        if item.kind == "still" and item.clip_id is not None:
            # Without media a still has the faces of its clip.
            here = pc.and_(pc.equal(table["item_id"], item.clip_id),
                           pc.equal(table["frame"], item.clip_frame))  # fmt: skip
            faces += table.filter(here).to_pylist()
    targets = [face for face in faces if face["is_target"]]
    others = len({face["face"] for face in faces if not face["is_target"]})
    if not faces:
        return []
    lines = [
        f"{plural(len({f['face'] for f in targets}), 'target')}, {plural(others, 'other face')}"
    ]
    if item.kind == "clip":
        seen = sum(face["interpolated"] is False for face in targets)
        return [*lines, f"the target's box in {plural(len(targets), 'frame')}, seen in {seen}"]
    return [*lines, *("target at " + _corners(face) for face in targets)]


def _corners(face: Mapping[str, Any]) -> str:
    x1, y1, x2, y2 = (face[c] for c in ("x1", "y1", "x2", "y2"))
    return f"({x1:.0f}, {y1:.0f}) to ({x2:.0f}, {y2:.0f}) px"


def _made_lines(told: _Told) -> list[str]:
    if "made_with" not in told.facts:
        return []
    return [f"{told.facts['made_with']}, recipe {told.facts['recipe']}"]


def _line(item: Item) -> str:
    frames = ""
    if item.kind == "still":
        frames = f", frame {item.start_frame}"
    elif item.start_frame is not None and item.end_frame is not None:
        frames = f", frames {item.start_frame} to {item.end_frame - 1}"
    file = item.file or "no file"
    said = f"{item.emotion or 'no emotion'}, {item.split or 'no split'}"
    return f"{file}: {item.item_id}{frames}, {said}"
