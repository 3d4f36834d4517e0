"""When each shot of the edit list is on screen, and the truth that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from caer_build.sample.material import PIECES
from caer_build.sample.script import RATE, Shot

_CONVENTION = (
    "frames are 0-based in presentation order; a cut is the first frame of the new shot; "
    "gradual = [first, last] frame of the transition; shot = [start, stop), without the frames of "
    "gradual transitions that follow it; it begins with its dissolve in, or in the middle of its "
    "fade through black"
)


@dataclass(frozen=True)
class Placed:
    """A shot and its frames in the episode: ``[first, clear)`` is the transition into it."""

    shot: Shot
    first: int
    clear: int
    stop: int
    """where the next shot's transition begins, or the next shot"""

    @property
    def start(self) -> int:
        """The first frame in which this shot, rather than the one before, is what is seen."""
        fades = self.shot.transition == "fade through black"
        return (self.first + self.clear) // 2 if fades else self.first


def place(shots: Sequence[Shot]) -> list[Placed]:
    """The shots one after the other, from frame 0."""
    placed, at = [], 0
    for shot in shots:
        clear = at + shot.transition_frames
        placed.append(Placed(shot, at, clear, clear + shot.n_frames))
        at = clear + shot.n_frames
    return placed


def truth_of(placed: Sequence[Placed]) -> dict[str, Any]:
    """The truth of the episode in the form that shot scoring reads, JSON-able."""
    gradual = [p for p in placed if p.shot.transition_frames]
    cuts = [p.first for p in placed[1:] if not p.shot.transition_frames]
    return {
        "convention": _CONVENTION,
        "fps": [RATE, 1],
        "n_frames": placed[-1].stop,
        "cuts": cuts,
        "gradual": [[p.first, p.clear - 1, p.shot.transition] for p in gradual],
        "shots": [
            {
                "start": p.start,
                "stop": p.stop,
                "people": list(p.shot.people),
                "kind": p.shot.kind,
                "source": " + ".join(dict.fromkeys(_source(x.file) for x in p.shot.layers)),
            }
            for p in placed
        ],
    }


def _source(file: str) -> str:
    piece = PIECES[file]
    return f"{piece.package}/{piece.path.rsplit('/', 1)[-1]}"
