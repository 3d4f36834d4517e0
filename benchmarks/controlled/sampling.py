"""What a sample is, drawn before anything is painted: pure numbers, any sample by its index.

Everything that could betray the label is drawn from its own numbers: where things are does not
depend on what they are. The same index is the same face in the same place in every setting, so
that settings can be compared sample by sample.

::

    numbers of (seed, split, index)     -> label, face, blur, background, cue, bystander
    numbers of (seed, split, index, 1)  -> where everything is; colours and kinds of distractors
    numbers of (seed, split, index, 2)  -> how the face is turned
"""

from __future__ import annotations

import colorsys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np

from benchmarks.controlled.setting import ABSENT, N_CLASSES, SPLITS, Setting

Square = tuple[float, float, float]
"""left, top, side; shares of the picture's side, [0, 1]"""
LOW, HIGH = 0.0625, 0.9375
"""everything lies within what a network sees of the picture in testing (112 of 128 px)"""
FACE_SIDES = (0.28, 0.40)
_BYSTANDER_SIDES, _DISTRACTOR_SIDES = (0.14, 0.22), (0.09, 0.20)
N_DISTRACTOR_KINDS = 5
_GAP, _TRIES, _MAX_TURN = 0.015, 20, 15.0
_ZOOMS, _MAX_SHIFT, _CONTRASTS = (0.9, 1.2), 0.08, (0.75, 1.25)
BACKGROUNDS_OF_A_SPLIT = 1_000_000
"""backgrounds are numbered; a split's begin at a multiple of this"""


class FaceSource(Protocol):
    """Which faces there are."""

    def n(self, split: str, label: int) -> int:
        """How many faces of a class a split has."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is drawn in a scene.

    Attributes:
        kind: of a cue the emotion that it speaks for, 0 to 6; of a distractor 0 to 4.
        turn: degrees.
        colour: BGR grey levels.
        is_faint: drawn half through.
        phase: where on its way a moving cue is at first, [0, 1) of a round.
    """

    kind: int
    place: Square
    turn: float
    colour: tuple[int, int, int]
    is_faint: bool
    phase: float = 0.0


@dataclass(frozen=True, slots=True)
class Pose:
    """How a face of the pool is changed before it is pasted. Some emotions have a few hundred faces
    only, which a network would soon know by heart.

    Attributes:
        turn: degrees.
        zoom: 1: as it is.
        shift: right and down, shares of the face's side.
        mirrored: left is right.
        contrast: about the middle grey; 1: as it is.
    """

    turn: float
    zoom: float
    shift: tuple[float, float]
    mirrored: bool
    contrast: float


@dataclass(frozen=True, slots=True)
class Sample:
    """The truth about a sample.

    Attributes:
        label: place among the emotions.
        face: which of its class's faces in its split.
        blur: which of the setting's blurs.
        pose: how the face is changed.
        place: of the face.
        background: its number.
        cue_state: absent, faint or clear.
        cue: None where it is absent.
        bystander: class, which of its faces, and where; or None.
    """

    split: str
    index: int
    label: int
    face: int
    blur: int
    pose: Pose
    place: Square
    background: int
    cue_state: int
    cue: Mark | None
    distractors: tuple[Mark, ...]
    bystander: tuple[int, int, Square] | None

    @property
    def in_conflict(self) -> bool:
        """Whether there is a cue, and it speaks for another emotion than the face's."""
        return self.cue is not None and self.cue.kind != self.label


def draw(setting: Setting, split: str, index: int, faces: FaceSource) -> Sample:
    """The sample of an index, 0 and up."""
    number = SPLITS.index(split)
    u = np.random.default_rng([setting.seed, number, index]).random(9).tolist()
    layout = _layout(np.random.default_rng([setting.seed, number, index, 1]), setting.cue_sides)
    label = int(u[0] * N_CLASSES)
    state = _chosen(u[3], setting.cue_shares)
    # Of the others each as likely: one to six steps further round.
    kind = label
    if u[4] >= setting.reliability_of(state):
        kind = (label + 1 + int(u[5] * (N_CLASSES - 1))) % N_CLASSES
    cue = None
    if state != ABSENT:
        cue = Mark(kind, layout.cue, layout.turn, layout.colour, state == 1, layout.phase)
    bystander = None
    if layout.bystander is not None and u[6] < setting.bystander:
        other = int(u[7] * N_CLASSES)
        which = int((u[7] * N_CLASSES - other) * faces.n(split, other))
        bystander = other, which, layout.bystander
    return Sample(
        split,
        index,
        label,
        int(u[1] * faces.n(split, label)),
        _chosen(u[2], setting.blur_shares),
        _pose(np.random.default_rng([setting.seed, number, index, 2])),
        layout.face,
        number * BACKGROUNDS_OF_A_SPLIT + int(u[8] * setting.n_backgrounds),
        state,
        cue,
        layout.distractors,
        bystander,
    )


def _pose(rng: np.random.Generator) -> Pose:
    turn, zoom, right, down, mirror, contrast = rng.random(6).tolist()
    return Pose(
        turn=(2 * turn - 1) * _MAX_TURN,
        zoom=_ZOOMS[0] + zoom * (_ZOOMS[1] - _ZOOMS[0]),
        shift=((2 * right - 1) * _MAX_SHIFT, (2 * down - 1) * _MAX_SHIFT),
        mirrored=mirror < 0.5,
        contrast=_CONTRASTS[0] + contrast * (_CONTRASTS[1] - _CONTRASTS[0]),
    )


@dataclass(frozen=True, slots=True)
class _Layout:
    face: Square
    cue: Square
    turn: float
    colour: tuple[int, int, int]
    phase: float
    bystander: Square | None
    distractors: tuple[Mark, ...]


def _layout(rng: np.random.Generator, cue_sides: tuple[float, float]) -> _Layout:
    """Places for everything that may be there, whether it will be or not."""
    while True:
        face = _square(rng, FACE_SIDES)
        cue = _free(rng, cue_sides, [face])
        if cue is not None:
            break
    turn, colour = _turn(rng), _colour(rng)
    taken = [face, cue]
    bystander = _free(rng, _BYSTANDER_SIDES, taken)
    if bystander is not None:
        taken.append(bystander)
    distractors = []
    for _ in range(int(rng.integers(2, 5))):
        kind, is_faint = int(rng.integers(N_DISTRACTOR_KINDS)), bool(rng.random() < 0.4)
        place = _free(rng, _DISTRACTOR_SIDES, taken)
        if place is not None:
            taken.append(place)
            distractors.append(Mark(kind, place, _turn(rng), _colour(rng), is_faint))
    phase = float(rng.random())
    return _Layout(face, cue, turn, colour, phase, bystander, tuple(distractors))


def _square(rng: np.random.Generator, sides: tuple[float, float]) -> Square:
    side, x, y = rng.random(3).tolist()
    side = sides[0] + side * (sides[1] - sides[0])
    room = HIGH - LOW - side
    return LOW + x * room, LOW + y * room, side


def _free(
    rng: np.random.Generator, sides: tuple[float, float], taken: Sequence[Square]
) -> Square | None:
    """A square that overlaps with none of those; None: none was found."""
    for _ in range(_TRIES):
        square = _square(rng, sides)
        if not any(_touch(square, other) for other in taken):
            return square
    return None


def _touch(one: Square, other: Square) -> bool:
    return all(
        one[k] < other[k] + other[2] + _GAP and other[k] < one[k] + one[2] + _GAP for k in (0, 1)
    )


def _turn(rng: np.random.Generator) -> float:
    return float(rng.uniform(-_MAX_TURN, _MAX_TURN))


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    """Strong, and either light or dark: it stands out of every background."""
    hue, saturation, light = rng.random(3).tolist()
    value = 0.95 if light < 0.7 else 0.3
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.75 + 0.25 * saturation, value)
    return round(255 * blue), round(255 * green), round(255 * red)


def _chosen(u: float, shares: Sequence[float]) -> int:
    return min(bisect_right(list(accumulate(shares)), u), len(shares) - 1)
