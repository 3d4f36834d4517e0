"""Shot boundaries as the paper's tool finds them: the displaced frame difference.

CAER's episodes were segmented with pyannote-video, whose shot detector compares each frame with
the next one moved back along its dense optical flow: what motion explains cancels out, a cut does
not. The mean difference is divided by its own running median, and where it exceeds the median
by more than ``threshold`` times the median, a shot ends.
https://github.com/pyannote/pyannote-video (``pyannote/video/structure/shot.py``); this is our own
code after that description.

Where it differs: it works on the 48x27 grey features rather than on frames 50 px high; the flow's
two components are used in the order in which OpenCV gives them (the tool swaps them, and its
width and height); the ends are padded with the first and last value rather than with zeros; and a
floor under the median keeps a still picture's faintest noise from counting as a cut. Like the
tool it knows no gradual transitions.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from caer_build.models.protocols import FEATURE_HEIGHT, FEATURE_WIDTH, Floats, Images
from caer_build.models.streaming import blocks

CORE = 1024
_FLOOR = 1.0
"""Smallest median difference, grey levels. Of 48x27 averages even noise leaves less than that;
without a floor every still shot falls to pieces (1.2 false cuts a second on our edited episodes,
0.6 with it; the tool itself gave 0.5 on 12 s of ours)."""


class DisplacedDifference:
    """The scorer of ``paper.toml``.

    Args:
        context_frames: length of the running median, made odd; the tool's is 2 s.
        threshold: excess over the median, in medians; the tool's is 1.
    """

    def __init__(self, context_frames: int = 51, threshold: float = 1.0) -> None:
        self._half = max(1, context_frames // 2)
        self._threshold = threshold
        self.version = f"displaced-difference-1-{2 * self._half + 1}-{threshold:g}"

    def scores(self, chunks: Iterator[Images]) -> Floats:
        """See :class:`~caer_build.models.protocols.ShotScorer`; 0.5 is the tool's threshold."""
        parts = [self._differences(block.frames) for block in blocks(chunks, CORE, 1)]
        if not parts:
            return np.empty((0, 2), np.float32)
        excess = self._excess(np.concatenate(parts))
        above = excess > self._threshold
        # Of neighbouring frames above the threshold only the first is a boundary.
        repeats = np.flatnonzero(above[1:] & above[:-1]) + 1
        excess[repeats] = 0.0
        scores = np.zeros((len(excess), 2), np.float32)
        scores[:, 0] = excess / (excess + self._threshold)
        return scores

    def _differences(self, frames: Images) -> Floats:
        """Of each core frame to the one after it; ``frames`` has one more on each side."""
        import cv2

        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames[1:]]
        x, y = np.meshgrid(
            np.arange(FEATURE_WIDTH, dtype=np.float32), np.arange(FEATURE_HEIGHT, dtype=np.float32)
        )
        differences = []
        for frame, following in pairwise(grey):
            start = np.zeros((FEATURE_HEIGHT, FEATURE_WIDTH, 2), np.float32)
            flow = cv2.calcOpticalFlowFarneback(frame, following, start, 0.5, 3, 15, 3, 5, 1.1, 0)
            moved = cv2.remap(
                following,
                np.asarray(x + flow[..., 0]),
                np.asarray(y + flow[..., 1]),
                cv2.INTER_NEAREST,
                borderMode=cv2.BORDER_REPLICATE,
            )
            differences.append(float(cv2.absdiff(frame, moved).mean()))
        return np.array(differences, np.float32)

    def _excess(self, differences: Floats) -> Floats:
        padded = np.pad(differences, self._half, mode="edge")
        medians = np.empty_like(differences)
        for start in range(0, len(differences), CORE):
            part = padded[start : start + CORE + 2 * self._half]
            windows = np.lib.stride_tricks.sliding_window_view(part, 2 * self._half + 1)
            medians[start : start + CORE] = np.median(windows, axis=1)
        medians = np.maximum(medians, np.float32(_FLOOR))
        return np.asarray(np.maximum((differences - medians) / medians, np.float32(0)))
