"""IDF1 and HOTA of tracks against known boxes.

IDF1: Ristani et al. 2016, "Performance Measures and a Data Set for Multi-Target, Multi-Camera
Tracking". HOTA: Luiten et al. 2021, "HOTA: A Higher Order Metric for Evaluating Multi-Object
Tracking". Counts are summed over shots before anything is divided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from caer_build.boxes import iou

ALPHAS = np.arange(1, 20) / 20
IDF1_IOU = 0.5

FrameBoxes = dict[str, npt.NDArray[np.float64]]
"""Who is where in one frame: name -> xyxy box (4,)."""


@dataclass(frozen=True)
class Shot:
    """The truth of one shot and what a tracker says of it, frame by frame."""

    truth: Sequence[FrameBoxes]
    found: Sequence[FrameBoxes]


@dataclass(frozen=True)
class _Frame:
    truth: npt.NDArray[np.int64]
    found: npt.NDArray[np.int64]
    overlap: npt.NDArray[np.float64]


def _frames(shots: Sequence[Shot]) -> tuple[list[_Frame], int, int]:
    """All frames with identities as numbers; a name means another identity in another shot."""
    names_t: dict[tuple[int, str], int] = {}
    names_f: dict[tuple[int, str], int] = {}
    frames = []
    for number, shot in enumerate(shots):
        for truth, found in zip(shot.truth, shot.found, strict=True):
            t = [names_t.setdefault((number, name), len(names_t)) for name in truth]
            f = [names_f.setdefault((number, name), len(names_f)) for name in found]
            a = np.array(list(truth.values()), np.float64).reshape(-1, 4)
            b = np.array(list(found.values()), np.float64).reshape(-1, 4)
            frames.append(_Frame(np.array(t, np.int64), np.array(f, np.int64), iou(a, b)))
    return frames, len(names_t), len(names_f)


def idf1(shots: Sequence[Shot]) -> float:
    """[0, 1]: F1 of boxes under the one-to-one naming of tracks that suits them best."""
    frames, n_truth, n_found = _frames(shots)
    together = np.zeros((n_truth, n_found))
    for frame in frames:
        together[np.ix_(frame.truth, frame.found)] += frame.overlap >= IDF1_IOU
    agreeing = together[linear_sum_assignment(-together)].sum()
    boxes = sum(len(f.truth) + len(f.found) for f in frames)
    return float(2 * agreeing / boxes) if boxes else 0.0


def hota(shots: Sequence[Shot]) -> float:
    """[0, 1]: the mean over overlaps of 0.05 … 0.95 of sqrt(detection x association accuracy)."""
    frames, n_truth, n_found = _frames(shots)
    length_t, length_f = np.zeros(n_truth), np.zeros(n_found)
    likeness = np.zeros((n_truth, n_found))
    for frame in frames:
        length_t[frame.truth] += 1
        length_f[frame.found] += 1
        whole = frame.overlap.sum(0)[None] + frame.overlap.sum(1)[:, None] - frame.overlap
        share = np.divide(frame.overlap, whole, out=np.zeros_like(whole), where=whole > 0)
        likeness[np.ix_(frame.truth, frame.found)] += share
    likeness /= np.maximum(length_t[:, None] + length_f[None] - likeness, 1e-12)

    matched = np.zeros((len(ALPHAS), n_truth, n_found))
    for frame in frames:
        worth = likeness[np.ix_(frame.truth, frame.found)] * frame.overlap
        rows, columns = linear_sum_assignment(-worth)
        good = frame.overlap[rows, columns] >= ALPHAS[:, None] - 1e-9
        np.add.at(matched, (slice(None), frame.truth[rows], frame.found[columns]), good)
    hits = matched.sum((1, 2))
    detection = hits / np.maximum(length_t.sum() + length_f.sum() - hits, 1)
    union = np.maximum(length_t[:, None] + length_f[None] - matched, 1)
    association = (matched**2 / union).sum((1, 2)) / np.maximum(hits, 1)
    return float(np.sqrt(detection * association).mean())
