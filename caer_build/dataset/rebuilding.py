"""A data set out of a media-free one and the episodes: every clip is cut again, to the byte."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from caer_build import sources
from caer_build.dataset import metadata
from caer_build.dataset.abreast import abreast
from caer_build.dataset.catalogue import Catalogue
from caer_build.dataset.exporting import facts_of
from caer_build.errors import DatasetError, IntegrityError, SchemaError
from caer_build.frames import Span
from caer_build.media.clipfile import ClipCodec, encoders
from caer_build.records import CountedVote, Cut, Episode, Item
from caer_build.store import disk_errors, sha256_of

_BATCH = 8
"""clips cut in one pass over an episode"""
_SHOWN = 5


@dataclass(frozen=True)
class MediaFreeSet:
    """What a media-free data set says.

    Attributes:
        leaks: kinds of leaks with which it was exported on purpose; of those that pictures tell it
            knows nothing.

    Raises:
        DatasetError: if the folder is none.
    """

    folder: Path
    facts: Mapping[str, Any]
    leaks: Collection[str]
    items: Sequence[Item]
    cuts: tuple[Cut, ...]
    episodes: tuple[Episode, ...]

    @classmethod
    def open(cls, folder: Path) -> MediaFreeSet:
        said = facts_of(folder)
        if said["layout"]["name"] != "media-free":
            raise DatasetError(
                f"{folder} was exported as {said['layout']['name']}, which has its files.",
                "Rebuild from an export --format media-free.",
            )
        try:
            return cls(
                folder,
                said["facts"],
                tuple(said["leaks"]),
                metadata.packed_rows(folder, Item),
                tuple(metadata.read_rows(folder, Cut)),
                tuple(metadata.read_rows(folder, Episode)),
            )
        except SchemaError as error:
            raise DatasetError(
                f"{folder} was written by another version: {error.message}",
                f"It was made with {said['facts']['made_with']}; install that.",
            ) from error

    @property
    def codec(self) -> ClipCodec:
        """How its clips were encoded."""
        return ClipCodec.model_validate(self.facts["codec"]["settings"])

    @property
    def other_versions(self) -> str | None:
        """A sentence, if clips were encoded by another version than this machine has."""
        here, there = encoders(), self.facts["codec"]["versions"]
        if here in there:
            return None
        return f"The clips were encoded by {', '.join(there)}; here there is {here}."

    def catalogue(self, clips: Path) -> Catalogue:
        """The catalogue that it was made of, with the clips in a folder."""
        suffix = self.codec.suffix
        return Catalogue(
            facts=self.facts,
            items=self.items,
            votes=metadata.packed_rows(self.folder, CountedVote),
            cuts=self.cuts,
            episodes=self.episodes,
            faces=lambda: metadata.face_tables(self.folder),
            clip_file=lambda clip_id: clips / f"{clip_id}{suffix}",
        )


def find_episodes(wanted: Iterable[Episode], paths: Sequence[Path]) -> dict[str, Path]:
    """The files of episodes, known by their content; by episode_id.

    Raises:
        DatasetError: if one of them is not among the files.
        ProbeError: if a path does not exist.
    """
    missing = {e.source_sha256: e for e in wanted}
    found = {}
    for file in sources.find_files(paths).files:
        episode = missing.pop(sha256_of(file), None)
        if episode is not None:
            found[episode.episode_id] = file
        if not missing:
            return found
    shown = [f"{e.source_name} ({e.source_sha256[:12]})" for e in missing.values()][:_SHOWN]
    raise DatasetError(
        f"{len(missing)} of {len(missing) + len(found)} episodes are not among these files: "
        f"{', '.join(shown)}{', …' if len(missing) > _SHOWN else ''}.",
        "They are known by their content: the same release, to the byte, is needed.",
    )


def cut_again(
    dataset: MediaFreeSet,
    files: Mapping[str, Path],
    clips: Path,
    jobs: int,
    tell: Callable[[int, int], None],
) -> None:
    """Cut the clips that are not there yet, and hold each against its digest.

    Args:
        files: of the episodes, by episode_id.
        clips: the folder for them.
        jobs: passes over episodes at once.
        tell: called with (clips done, all clips).

    Raises:
        IntegrityError: if a clip comes out otherwise than it was.
    """
    with disk_errors(clips.parent):
        clips.mkdir(parents=True, exist_ok=True)
    suffix = dataset.codec.suffix
    todo = [c for c in dataset.cuts if not _is_there(clips / f"{c.clip_id}{suffix}", c)]
    n_done = len(dataset.cuts) - len(todo)
    tell(n_done, len(dataset.cuts))
    timestamps_repaired = {e.episode_id: e.timestamps_repaired for e in dataset.episodes}

    def cut(batch: Sequence[Cut]) -> int:
        episode_id = batch[0].episode_id
        with disk_errors(clips):
            _cut(batch, files[episode_id], dataset, clips, timestamps_repaired[episode_id])
        return len(batch)

    for n_more in abreast(cut, _batches(todo), jobs):
        n_done += n_more
        tell(n_done, len(dataset.cuts))


def _is_there(file: Path, cut: Cut) -> bool:
    return file.is_file() and sha256_of(file) == cut.clip_sha256


def _batches(cuts: Iterable[Cut]) -> Iterator[list[Cut]]:
    """Neighbours of one episode and sound track, some at a time."""
    tracks: dict[tuple[str, str | None], list[Cut]] = defaultdict(list)
    for cut in cuts:
        tracks[cut.episode_id, cut.audio_language].append(cut)
    for own in tracks.values():
        own.sort(key=_start)
        yield from (own[i : i + _BATCH] for i in range(0, len(own), _BATCH))


def _start(cut: Cut) -> tuple[int, str]:
    return cut.start_frame, cut.clip_id


def _cut(
    batch: Sequence[Cut], file: Path, dataset: MediaFreeSet, clips: Path, repaired: bool
) -> None:
    from caer_build.media.cut import CutRequest, cut_clips
    from caer_build.media.probe import read_headers
    from caer_build.media.spans import TimedSpan

    codec = dataset.codec
    requests = {}
    for cut in batch:
        span = TimedSpan(
            Span(cut.start_frame, cut.end_frame), cut.start_pts, cut.stop_pts, cut.start_s,
            cut.last_s, cut.stop_s,
        )  # fmt: skip
        out = clips / f"{cut.clip_id}{codec.suffix}"
        requests[out] = cut, CutRequest(span, out)
    headers = read_headers(file, batch[0].audio_language)
    asked = [request for _, request in requests.values()]
    for made in cut_clips(file, headers, asked, codec, timestamps_repaired=repaired):
        cut, _ = requests[made.out]
        if made.sha256 != cut.clip_sha256:
            made.out.unlink()
            others = dataset.other_versions
            raise IntegrityError(
                f"{cut.clip_id} of {file.name} came out otherwise than it was cut "
                f"({made.sha256[:12]}, expected {cut.clip_sha256[:12]}). "
                f"{others or 'The versions of the encoders are the same.'}",
                "Install the versions with which it was made."
                if others
                else "That should not be: report it, with the output of `caer doctor`.",
            )
