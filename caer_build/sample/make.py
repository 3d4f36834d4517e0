"""Makes the sample episode: frames, sound, truth and sources, written beside and then renamed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from caer_build.errors import CaerError, MediaError
from caer_build.media.encode import SAMPLE_RATE, encode_frames
from caer_build.media.probe import read_headers
from caer_build.media.sound import SoundReader
from caer_build.sample.edit import Pixels, frames_of
from caer_build.sample.material import PIECES, credits_text, find
from caer_build.sample.pictures import Pictures
from caer_build.sample.script import RATE, SHOTS, Shot
from caer_build.sample.soundtrack import Samples, soundtrack
from caer_build.sample.timeline import Placed, place, truth_of
from caer_build.store import disk_errors, flush, sha256_of

_NAME = "sample.s01e01"
Told = Callable[[int, int], None]
"""called with the frames that are done and those there will be"""


@dataclass(frozen=True)
class SamplePaths:
    """The files of a sample episode."""

    episode: Path
    """MP4, H.264 and AAC, 960x540, 25 frames per second"""
    truth: Path
    """JSON: cuts, gradual transitions, and for each shot its people and kind"""
    sources: Path
    """text: where the material comes from and under which licences"""

    def all(self) -> tuple[Path, Path, Path]:
        """The three, in the order in which they are put in place."""
        return self.episode, self.truth, self.sources


def _silent(done: int, total: int) -> None:
    pass


def make_sample(
    out: Path, force: bool = False, shots: Sequence[Shot] = SHOTS, told: Told = _silent
) -> SamplePaths:
    """Cut the sample episode (about 80 s) into the folder ``out``, with its truth and sources.

    The same versions on the same machine give the same bytes. Files that are there already and
    would not change are left as they are.

    Args:
        out: a folder; made where it does not exist.
        force: replace files of these names that differ.
        shots: the edit list.
        told: hears how far it is, frame by frame.

    Raises:
        ModelMissing: if the packages of the extra ``demo`` are not installed.
        CaerError: if a file of one of the names exists, differs, and ``force`` is not given.
    """
    pictures = Pictures(shots)
    if out.exists() and not out.is_dir():
        raise CaerError(f"{out} is a file, expected a folder.", "Name a folder, new or existing.")
    made = _paths(out)
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{_NAME}.", dir=out) as beside:
            drafts = _paths(Path(beside))
            _write(drafts, place(shots), pictures, told)
            _put_in_place(drafts, made, force)
    return made


def _paths(folder: Path) -> SamplePaths:
    names = (f"{_NAME}.mp4", f"{_NAME}.truth.json", "sample.sources.txt")
    return SamplePaths(*(folder / name for name in names))


def _write(paths: SamplePaths, placed: Sequence[Placed], pictures: Pictures, told: Told) -> None:
    sound = soundtrack(placed, _film_sound())
    frames = _counted(frames_of(placed, pictures), placed[-1].stop, told)
    encode_frames(frames, sound, Fraction(RATE), paths.episode)
    truth = json.dumps(truth_of(placed), indent=1, ensure_ascii=True)
    paths.truth.write_text(truth + "\n", encoding="utf-8")
    paths.sources.write_text(_sources_text(paths.episode), encoding="utf-8")


def _counted(frames: Iterable[Pixels], total: int, told: Told) -> Iterator[Pixels]:
    for done, frame in enumerate(frames):
        told(done, total)
        yield frame
    told(total, total)


def _film_sound() -> Samples:
    """All of the film's sound, (n, 2) at :data:`SAMPLE_RATE`."""
    path = find(PIECES["bunny"])
    headers = read_headers(path)
    if headers.audio is None or headers.duration_s is None:
        raise MediaError(f"{path.name} has no sound, which the sample needs.", "Reinstall it.")
    with SoundReader(path, headers.audio) as reader:
        if (reader.rate, reader.channels) != (SAMPLE_RATE, 2):
            raise MediaError(
                f"{path.name} has {reader.channels} channels at {reader.rate} Hz, "
                f"expected 2 or more at {SAMPLE_RATE} Hz.",
                "Reinstall its package.",
            )
        return reader.read(0.0, headers.duration_s)


def _sources_text(episode: Path) -> str:
    return (
        f"{episode.name} is a montage made by caer-build from the files below, which come with\n"
        "the named packages. The people's names in its truth are parts, not persons. Cropped,\n"
        "mirrored, graded and blurred; the murmur, the chords and the noises are synthetic.\n\n"
        f"{credits_text()}\n"
        f"sha256  {sha256_of(episode)}  {episode.name}\n"
    )


def _put_in_place(drafts: SamplePaths, made: SamplePaths, force: bool) -> None:
    pairs = list(zip(drafts.all(), made.all(), strict=True))
    changed = [(new, old) for new, old in pairs if not _same(new, old)]
    differing = [old.name for _, old in changed if old.exists()]
    if differing and not force:
        raise CaerError(
            f"{made.episode.parent} already holds {', '.join(differing)}, which would change.",
            "Name another folder, or add --force to replace them.",
        )
    for new, old in changed:
        flush(new)
        new.replace(old)
    flush(made.episode.parent)


def _same(new: Path, old: Path) -> bool:
    return old.is_file() and sha256_of(new) == sha256_of(old)
