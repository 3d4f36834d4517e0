"""Shot boundaries from how colours change: no model, a few microseconds a frame.

A frame is 9 x 12 block means of its 48x27 picture, 324 numbers that hardly notice small motion.
Three questions are asked of every frame, each answered by a score in [0, 1] that is as high as
its weakest argument (:func:`_ramp`):

cut
    the step to the next frame stands out from the steps around it, it is large for the picture's
    contrast, it lasts (a flash does not: the picture comes back), and the structure changes (when
    a lamp goes on, the blocks keep their order).
dissolve
    the frames ``reach`` before and after differ, and the frame between is their linear mixture:
    it lies near the straight line between them, about half-way. That is asked of the blocks,
    which forgive motion within the two shots, and of the grey pixels, which tell a dissolve from
    a slow pan (at a coarse scale a pan is a mixture, too).
fade
    the contrast sinks to nothing or rises from it, over several frames.

The idea of content and adaptive thresholds is that of PySceneDetect's detectors
(https://www.scenedetect.com); the mixture test is the classical model of a dissolve (Hampapur,
Jain and Weymouth 1994).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from caer_build.frames import runs
from caer_build.models.protocols import Floats, Images
from caer_build.models.streaming import Block, blocks

REACHES = (4, 8, 12)
"""Frames on each side that a dissolve is sought over."""
NEIGHBOURS = 6
"""Frames on each side whose steps a cut must stand out from."""
MARGIN = 64
"""Frames around a block that its scores may depend on."""
CORE = 2048
LONGEST = 60
"""Frames of the longest gradual transition that is followed."""
_GRID = (9, 12)
_FLAT = 4.0
"""Contrast (grey levels) below which a picture is a plain colour."""


@dataclass(frozen=True)
class Signals:
    """What the scores are made of; every array (n,), one value a frame.

    Attributes:
        means: (n, 324), see :func:`block_means`.
        step: mean absolute difference to the next frame, grey levels.
        around: the fourth largest ``step`` of the twelve around it: four let a flash, or a cut
            next to this one, go by.
        contrast: standard deviation of the blocks, grey levels.
        lasting: the smaller of the differences between the frames 2 before and 3 after, and
            4 before and 5 after the step's end, grey levels (rms).
        structure: 1 - correlation of the frames 1 before and 2 after; 0 same, 1 unrelated.
        dissolve: score in [0, 1].
        reach: for which of :data:`REACHES` the dissolve's score was best.
    """

    means: Floats
    step: Floats
    around: Floats
    contrast: Floats
    lasting: Floats
    structure: Floats
    dissolve: Floats
    reach: npt.NDArray[np.int64]


def block_means(frames: Images) -> Floats:
    """(n, 324) float32 block means of (n, 27, 48, 3) frames."""
    rows, columns = _GRID
    n, height, width, _ = frames.shape
    tall = frames.reshape(n, rows, height // rows, width * 3).sum(axis=2, dtype=np.uint16)
    small = tall.reshape(n, rows, columns, width // columns, 3).sum(axis=3, dtype=np.uint16)
    scale = np.float32(1.0 / (height // rows * width // columns))
    return np.asarray(small.reshape(n, -1).astype(np.float32) * scale)


def _ramp(x: Floats, low: float, high: float) -> Floats:
    """0 at ``low``, 1 at ``high``, linear between; ``low > high`` falls."""
    return np.asarray(np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1))


def _weakest(arguments: list[Floats]) -> Floats:
    return np.asarray(np.minimum.reduce(arguments))


def _shifted(x: Floats, by: int) -> Floats:
    """``x[i + by]`` for every i, the first or last value beyond the ends."""
    return x[np.clip(np.arange(len(x)) + by, 0, len(x) - 1)]


def _rms(a: Floats, b: Floats) -> Floats:
    d = a - b
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", d, d) / np.float32(a.shape[1])))


def _unlike(a: Floats, b: Floats) -> Floats:
    """1 - correlation of the rows; plain pictures, which have none, count as unrelated."""
    a = a - a.mean(axis=1, keepdims=True)
    b = b - b.mean(axis=1, keepdims=True)
    power = np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b)
    floor = np.float32((a.shape[1] * 1.0) ** 2)  # a contrast of one grey level on both sides
    cosine = np.einsum("ij,ij->i", a, b) / np.sqrt(np.maximum(power, floor))
    return np.asarray(1 - cosine)


def grey_pixels(frames: Images) -> Floats:
    """(n, 1296) float32 mean of the three colours of (n, 27, 48, 3) frames."""
    summed = frames.sum(axis=3, dtype=np.uint16).reshape(len(frames), -1)
    return np.asarray(summed * np.float32(1 / 3))


def measure(frames: Images) -> Signals:
    """The signals of consecutive (n, 27, 48, 3) frames."""
    means = block_means(frames)
    step = np.abs(_shifted(means, 1) - means).mean(axis=1)
    padded = np.pad(step, NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)
    others = np.delete(windows, NEIGHBOURS, axis=1)
    around = np.partition(others, -4, axis=1)[:, -4]
    lasting = np.minimum(
        _rms(_shifted(means, -2), _shifted(means, 3)),
        _rms(_shifted(means, -4), _shifted(means, 5)),
    )
    structure = _unlike(_shifted(means, -1), _shifted(means, 2))
    best, reach = _dissolves(frames, means)
    return Signals(means, step, around, means.std(axis=1), lasting, structure, best, reach)


def _dissolves(frames: Images, means: Floats) -> tuple[Floats, npt.NDArray[np.int64]]:
    n = len(means)
    best, reach = np.zeros(n, np.float32), np.full(n, REACHES[0])
    for k in REACHES:
        score = _mixture(means, _shifted(means, -k), _shifted(means, k))
        # The fine look costs four times the coarse one: only where that leaves a chance.
        likely = np.flatnonzero(score > np.maximum(best, 0.1))
        if len(likely) == 0:
            continue
        near = [grey_pixels(frames[np.clip(likely + by, 0, n - 1)]) for by in (0, -k, k)]
        score = np.minimum(score[likely], _mixture(near[0], near[1], near[2]))
        better = score > best[likely]
        best[likely[better]], reach[likely[better]] = score[better], k
    return best, reach


def _mixture(frame: Floats, before: Floats, after: Floats) -> Floats:
    """How much ``frame`` looks like half-way through a dissolve, [0, 1]."""
    way = after - before
    length2 = np.maximum(np.einsum("ij,ij->i", way, way), np.float32(1e-3))
    gone = frame - before
    share = np.einsum("ij,ij->i", gone, way) / length2
    beside2 = np.einsum("ij,ij->i", gone, gone) - share * share * length2
    beside = np.sqrt(np.maximum(beside2, 0) / length2)
    distance = np.sqrt(length2 / np.float32(way.shape[1]))
    contrast = np.maximum(before.std(axis=1), after.std(axis=1)) + np.float32(10)
    return _weakest(
        [
            _ramp(distance / contrast, 0.12, 0.40),
            _ramp(beside, 0.42, 0.10),
            _ramp(np.abs(share - np.float32(0.5)), 0.34, 0.10),
            _ramp(_unlike(before, after), 0.02, 0.20),
        ]
    )


def cut_scores(s: Signals) -> Floats:
    """(n,) in [0, 1]: that a shot ends with the frame, by a cut."""
    contrast = np.maximum(s.contrast, _shifted(s.contrast, 1)) + np.float32(10)
    scores = _weakest(
        [
            _ramp(s.step / (s.around + np.float32(1)), 1.2, 3.0),
            _ramp(s.step / contrast, 0.03, 0.17),
            _ramp(s.step, 0.5, 3.0),
            _ramp(s.lasting / contrast, 0.06, 0.24),
            _ramp(s.structure, 0.02, 0.22),
        ]
    )
    # A cut is one step: of neighbours only the largest step counts.
    largest = np.maximum.reduce([_shifted(s.step, by) for by in (-2, -1, 1, 2)])
    scores[s.step < largest] = 0.0
    return scores


def fade_spans(contrast: Floats) -> list[tuple[int, int]]:
    """The [first, last] frames of fades through a plain colour.

    A stretch of plain pictures is one when the contrast sinks to it, or rises from it, over
    at least two frames, in steps none of which is most of the way: black between two cuts is
    not. A plain picture that stays for long is a shot of its own, faded into and out of.
    """
    spans = []
    for flat in runs(contrast < _FLAT):
        first = _slope_end(contrast, flat.start, -1)
        last = _slope_end(contrast, flat.end - 1, +1)
        sinks, rises = flat.start - first >= 2, last - flat.end + 1 >= 2
        if (sinks or rises) and last - first < LONGEST:
            spans.append((first, last))
            continue
        if sinks:
            spans.append((first, flat.start))
        if rises:
            spans.append((flat.end - 1, last))
    return spans


def _slope_end(contrast: Floats, at: int, direction: int) -> int:
    """Follows the contrast upwards from a plain frame as long as it keeps growing evenly."""
    end = at
    steepest = 0.0
    while 0 <= end + direction < len(contrast) and abs(end - at) < LONGEST // 2:
        rise = float(contrast[end + direction] - contrast[end])
        level = float(contrast[end])
        if rise < 0.5 or (level < 2 * _FLAT and rise > 20) or (steepest and rise > 3 * steepest):
            break
        steepest = max(steepest, rise)
        end += direction
    # The last frame reached is the first that is not faded.
    return end - direction if end != at else end


def dissolve_spans(s: Signals, threshold: float) -> list[tuple[int, int, int]]:
    """The dissolves whose score reaches ``threshold``: (first, last, centre) frames.

    Each is followed from its centre to both sides as long as the frames go on from one picture
    to the other: their place on the straight line between the two is what grows.
    """
    found = []
    means = s.means
    for near in runs(s.dissolve >= threshold):
        scores = s.dissolve[near.start : near.end]
        best = np.flatnonzero(scores >= scores.max() - 1e-6)
        centre = near.start + int(best[len(best) // 2])
        reach = 2 * int(s.reach[centre]) + 4
        a, b = max(0, centre - reach), min(len(means) - 1, centre + reach)
        own = int(s.reach[centre])
        before, after = means[max(0, centre - own)], means[min(len(means) - 1, centre + own)]
        way = after - before
        # Not BLAS, whose sums may depend on its threads.
        share = np.einsum("ij,j->i", means[a : b + 1] - before, way) / np.einsum("i,i->", way, way)
        first, last = centre - a, centre - a
        while first > 0 and share[first - 1] < share[first] - 0.015:
            first -= 1
        while last < len(share) - 1 and share[last + 1] > share[last] + 0.015:
            last += 1
        found.append((a + first + 1, a + last - 1, centre))
    return [(f, last, c) for f, last, c in found if last - f >= 1]


class ColourChange:
    """The scorer of ``quick.toml``.

    Args:
        dissolves: score in [0, 1] from which a dissolve is reported.
    """

    version = "colour-change-2"

    def __init__(self, dissolves: float = 0.5) -> None:
        self._dissolves = dissolves

    def scores(self, chunks: Iterator[Images]) -> Floats:
        """See :class:`~caer_build.models.protocols.ShotScorer`."""
        parts = [self._block(block) for block in blocks(chunks, CORE, MARGIN)]
        return np.concatenate(parts) if parts else np.empty((0, 2), np.float32)

    def _block(self, block: Block) -> Floats:
        s = measure(block.frames)
        scores = np.zeros((len(s.step), 2), np.float32)
        scores[:, 0] = cut_scores(s)
        gradual = [
            (first, last, centre, float(s.dissolve[centre]))
            for first, last, centre in dissolve_spans(s, self._dissolves)
        ]
        gradual += [(a, b, (a + b) // 2, 1.0) for a, b in fade_spans(s.contrast)]
        for first, last, centre, score in gradual:
            # A cut next to which everything looks like a mixture is a cut.
            if score < 1 and scores[first - 1 : last + 1, 0].max(initial=0.0) >= 0.5:
                continue
            scores[first : last + 1, 0] = 0
            scores[centre, 0] = max(scores[centre, 0], score)
            scores[first : last + 1, 1] = score
        return scores[block.core]
