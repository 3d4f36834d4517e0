"""The paper's figures, of our networks: numbers and pictures in, a PNG out.

::

    4   what each stream was given, and which of them was trusted
    7   what is taken for what, of the face alone and of both
    8   where the context stream looks, with the faces hidden and without
    9   how often each emotion is found, network by network
    10  where the fine-tuned VGG looks (Grad-CAM), and where the context stream does
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.caernet.pictures import Box, Pixels
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Shares = npt.NDArray[np.float64]
_FACE, _CONTEXT = "#4878a8", "#d98032"
_DPI = 140


@dataclass(frozen=True)
class Example:
    """A test item as a network saw it.

    Attributes:
        face: (h, w, 3) RGB.
        context: the crop, (crop, crop, 3) RGB, faces hidden as they were.
        emotion, predicted: names.
        fusion: weights of face and context; None without fusion weights.
        attention: (H', W'), sums to 1; None without context attention.
        mass: share of the attention on the target's box; None where it is not known.
        box: of the target's face, xyxy px of the crop; None where it is not known.
    """

    face: Pixels
    context: Pixels
    emotion: str
    predicted: str
    fusion: tuple[float, float] | None
    attention: Shares | None
    mass: float | None = None
    box: Box | None = None


def fusion_weights(examples: Sequence[Example], file: Path) -> None:
    """Figure 4: faces, contexts and the weight of each."""
    figure = _figure(1.5 * len(examples) + 0.4, 4.1)
    rows = figure.subplots(3, len(examples), squeeze=False, height_ratios=(1, 1, 0.45))
    for column, example in zip(rows.T, examples, strict=True):
        column[0].imshow(example.face)
        _title(column[0], example)
        column[1].imshow(example.context)
        for axes in column[:2]:
            axes.set_axis_off()
        if example.fusion is None:
            column[2].set_axis_off()
            continue
        bars = column[2].barh([1, 0], example.fusion, color=[_FACE, _CONTEXT])
        column[2].bar_label(bars, fmt="%.2f", padding=2, fontsize=7)
        is_first = column[2] is rows[2, 0]
        names = ["face", "context"] if is_first else ["", ""]
        column[2].set(xlim=(0, 1.35), xticks=[])
        column[2].set_yticks([1, 0], names, fontsize=7)
        column[2].spines[["top", "right", "bottom"]].set_visible(False)
    figure.savefig(file, dpi=_DPI)


def confusions(matrices: Mapping[str, npt.NDArray[np.int64]], file: Path) -> None:
    """Figure 7: matrices side by side, percent of each row.

    Args:
        matrices: network -> (7, 7) counts, rows the true emotion.
    """
    figure = _figure(4.6 * len(matrices), 5.0)
    panels = figure.subplots(1, len(matrices), squeeze=False)[0]
    for axes, (name, counts) in zip(panels, matrices.items(), strict=True):
        shares = 100 * counts / np.maximum(1, counts.sum(1, keepdims=True))
        axes.imshow(shares, vmin=0, vmax=100, cmap="Blues")
        for row, column in np.ndindex(shares.shape):
            share = shares[row, column]
            is_there = counts[row].sum() > 0
            axes.text(column, row, f"{share:.0f}" if is_there else "–", ha="center", va="center",
                      color="white" if share > 55 else "black", fontsize=8)  # fmt: skip
        axes.set_xticks(range(len(EMOTIONS)), EMOTIONS, rotation=45, ha="right", fontsize=8)
        axes.set_yticks(range(len(EMOTIONS)), EMOTIONS, fontsize=8)
        axes.set(xlabel="predicted", ylabel="true")
        axes.set_title(f"{name} ({np.trace(counts) / counts.sum():.1%})", fontsize=10)
    figure.savefig(file, dpi=_DPI)


def attention_maps(panels: Mapping[str, Sequence[Example]], file: Path) -> None:
    """Figures 8 and 10: what the context stream was given, and where it looked: bright where most
    of a picture's attention is, with the target's face in a frame.

    Args:
        panels: network -> the same items as it saw them; a mean mass on faces is said for each in
            its name by whoever calls.
    """
    n = max(len(examples) for examples in panels.values())
    figure = _figure(1.5 * n, 3.7 * len(panels))
    parts = figure.subfigures(len(panels), 1, squeeze=False)[:, 0]
    for part, (name, examples) in zip(parts, panels.items(), strict=True):
        part.suptitle(name, fontsize=10, weight="bold")
        grid = part.subplots(2, n, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for k, example in enumerate(examples):
            grid[0, k].imshow(example.context)
            _title(grid[0, k], example)
            grid[1, k].imshow(overlaid(example.context, example.attention))
            if example.box is not None:
                _outline(grid[1, k], example.box)
            if example.mass is not None:
                grid[1, k].set_title(f"on the face {example.mass:.0%}", fontsize=7, pad=2)
    figure.savefig(file, dpi=_DPI)


def per_category(networks: Mapping[str, npt.NDArray[np.int64]], file: Path) -> None:
    """Figure 9: accuracy of each emotion, network by network.

    Args:
        networks: name -> (seeds, 7, 7) counts; lines on the bars are the deviation over seeds.
    """
    figure = _figure(9, 3.8)
    axes = figure.subplots()
    width = 0.8 / len(networks)
    for number, (name, counts) in enumerate(networks.items()):
        totals = counts.sum(2)
        recalls = 100 * np.diagonal(counts, axis1=1, axis2=2) / np.maximum(1, totals)
        places = np.arange(len(EMOTIONS)) + (number - (len(networks) - 1) / 2) * width
        spread = recalls.std(0, ddof=1) if len(counts) > 1 else None
        axes.bar(places, recalls.mean(0), width, yerr=spread, label=name,
                 error_kw={"linewidth": 0.8})  # fmt: skip
        for place, n_items in zip(places, totals[0], strict=True):
            if not n_items:
                axes.text(place, 1, "none", rotation=90, ha="center", fontsize=7)
    axes.set_xticks(range(len(EMOTIONS)), EMOTIONS)
    axes.set(ylabel="accuracy, %", ylim=(0, 100))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(file, dpi=_DPI)


def overlaid(context: Pixels, attention: Shares | None) -> Pixels:
    """The context with the attention over it: bright where most is, dark where least."""
    if attention is None:
        return context
    import matplotlib as mpl

    height, width = context.shape[:2]
    # Even looking is never drawn as if it were a peak.
    heat = attention / max(attention.max(), 2 * attention.mean())
    large = cv2.resize(heat.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    level = large.clip(0, 1)
    coloured = 255 * mpl.colormaps["inferno"](level)[..., :3]
    share = (0.45 + 0.35 * level)[..., None]
    mixed: Pixels = np.round((1 - share) * context + share * coloured).astype(np.uint8)
    return mixed


def _outline(axes: Any, box: Box) -> None:
    from matplotlib.patches import Rectangle

    x1, y1, x2, y2 = box
    for ink, line in (("black", 1.8), ("white", 0.9)):
        # Pixels are drawn around their middles.
        axes.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False,
                                 edgecolor=ink, lw=line))  # fmt: skip


def _title(axes: Any, example: Example) -> None:
    """What it is, and what was said where that is something else."""
    is_right = example.emotion == example.predicted
    text = example.emotion if is_right else f"{example.emotion}\nsaid: {example.predicted}"
    axes.set_title(text, fontsize=7, pad=2, color="black" if is_right else "#b02020")


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    # Inches around each of the axes.
    layout = ConstrainedLayoutEngine(w_pad=0.05, h_pad=0.05, hspace=0.02)
    return Figure(figsize=(width, height), layout=layout)
