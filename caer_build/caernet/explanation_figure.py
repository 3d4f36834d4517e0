"""A figure of what a network says of a person in a picture, as one would print it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from caer_build.caernet.pictures import Box, Pixels
from caer_build.records import EMOTIONS

if TYPE_CHECKING:
    from caer_build.caernet.explaining import Explanation

_HEIGHT_IN, _TITLE_IN, _GAP_IN, _EDGE_IN = 2.4, 0.24, 0.14, 0.08
_SCALE_IN, _SCALE_LABEL_IN = 0.1, 0.5
_NAMES_IN, _BARS_IN, _FUSION_IN = 0.72, 1.9, 0.27
_FINER = 16
_GREY, _FACE, _CONTEXT, _BEST = "#8a94a0", "#2f6fb3", "#d07a1e", "#1c1e22"


@dataclass(frozen=True)
class Scene:
    """What is explained.

    Attributes:
        picture: (h, w, 3) BGR.
        box: of the person's face there, px.
        context: (h, w, 3) RGB, as the network's store keeps it: the whole picture, stretched,
            faces hidden; of a clip its middle frame.
        crop: px of the square in its middle that the network sees.
    """

    picture: Pixels
    box: Box
    context: Pixels
    crop: int


def draw(scene: Scene, explanation: Explanation, out: Path) -> None:
    """Write the figure, PNG or PDF by the name: the picture, the context with where the network
    looked, the probabilities, and the weights of the streams."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    height, width = scene.picture.shape[:2]
    wide = _HEIGHT_IN * width / height
    # From left to right, inches: two pictures, the scale of the second, the bars.
    second = _EDGE_IN + wide + _GAP_IN
    scale = second + wide + _GAP_IN / 2
    bars = scale + _SCALE_IN + _SCALE_LABEL_IN + _NAMES_IN
    size = bars + _BARS_IN + 3 * _EDGE_IN, _HEIGHT_IN + _TITLE_IN + _EDGE_IN
    with mpl.rc_context({"font.size": 8, "axes.titlesize": 8, "font.family": "DejaVu Sans"}):
        figure = Figure(size)

        def place(left: float, bottom: float, w: float, h: float) -> Any:
            return figure.add_axes(
                (left / size[0], (bottom + _EDGE_IN) / size[1], w / size[0], h / size[1])
            )

        _picture(place(_EDGE_IN, 0, wide, _HEIGHT_IN), scene)
        heat = _context(place(second, 0, wide, _HEIGHT_IN), scene, explanation)
        if heat is not None:
            _scale(figure, place(scale, 0, _SCALE_IN, _HEIGHT_IN), heat, explanation)
        below = _FUSION_IN + _TITLE_IN + 3 * _EDGE_IN
        _probabilities(place(bars, below, _BARS_IN, _HEIGHT_IN - below), explanation)
        _weights(place(bars, 0, _BARS_IN, _FUSION_IN), explanation)
        figure.savefig(out, dpi=200)


def _picture(axes: Any, scene: Scene) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(scene.picture[:, :, ::-1])
    x1, y1, x2, y2 = scene.box
    for ink, line in (("black", 2.6), ("white", 1.4)):
        axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, edgecolor=ink, lw=line))
    axes.set_title("picture, and whose emotion it is", loc="left")
    axes.set_axis_off()


def _context(axes: Any, scene: Scene, explanation: Explanation) -> Any:
    """The context as wide as the picture: what the network does not see of it is dimmed.

    Returns:
        What a scale can be drawn of; None where the network does not say where it looked.
    """
    height, width = scene.picture.shape[:2]
    n_rows, n_columns = scene.context.shape[:2]
    left, top = (n_columns - scene.crop) // 2, (n_rows - scene.crop) // 2
    seen = scene.context.astype(np.float64) / 255
    dim = 0.35 * seen + 0.65
    rows, columns = slice(top, top + scene.crop), slice(left, left + scene.crop)
    dim[rows, columns] = seen[rows, columns]
    axes.imshow(dim, extent=(0, width, height, 0), aspect="auto", interpolation="bilinear")
    heat = None
    if explanation.looked is not None:
        share = 100 * explanation.looked
        # Even looking, 1 / n everywhere, is never drawn as if it were a peak.
        most = max(share.max(), 2 * share.mean())
        squares = np.kron(share, np.ones((_FINER, _FINER)))
        fine = cv2.GaussianBlur(squares, (0, 0), _FINER / 2.5, borderType=cv2.BORDER_REPLICATE)
        across, down = width / n_columns, height / n_rows
        extent = (left * across, (left + scene.crop) * across,
                  (top + scene.crop) * down, top * down)  # fmt: skip
        heat = axes.imshow(
            fine, extent=extent, aspect="auto", cmap="inferno", vmin=0, vmax=most,
            alpha=0.2 + 0.6 * np.clip(fine / most, 0, 1),
        )  # fmt: skip
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    what = "" if heat is None else f", and its {explanation.by}"
    axes.set_title(f"context as the network sees it{what}", loc="left")
    axes.set_axis_off()
    return heat


def _scale(figure: Any, axes: Any, heat: Any, explanation: Explanation) -> None:
    """The heat's colours; a line marks what even looking would be."""
    bar = figure.colorbar(heat, cax=axes)
    bar.solids.set_alpha(1)
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=7)
    bar.set_label("% of a place (line: even)", fontsize=7)
    if explanation.looked is not None:
        bar.ax.axhline(100 / explanation.looked.size, color="white", lw=1)


def _probabilities(axes: Any, explanation: Explanation) -> None:
    shares = explanation.probabilities
    best = int(np.argmax(shares))
    places = np.arange(len(EMOTIONS))[::-1]
    colours = [_BEST if k == best else _GREY for k in range(len(EMOTIONS))]
    axes.barh(places, shares, color=colours, height=0.66)
    for place, share in zip(places, shares, strict=True):
        axes.text(min(share, 0.86) + 0.02, place, f"{share:.0%}", va="center", fontsize=7,
                  color="white" if share > 0.88 else "black")  # fmt: skip
    axes.set_yticks(places, EMOTIONS)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "50%", "100%"])
    axes.tick_params(length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_title("probabilities", loc="left")


def _weights(axes: Any, explanation: Explanation) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_axis_off()
    if explanation.weights is None:
        axes.text(0, 0.5, "This network has no weights of streams.", va="center", color=_GREY)
        return
    face, context = explanation.weights
    axes.barh(0.5, face, color=_FACE, height=0.9)
    axes.barh(0.5, context, left=face, color=_CONTEXT, height=0.9)
    ends = ((face, 0.02, "left", "face"), (context, 0.98, "right", "context"))
    for share, at, side, name in ends:
        axes.text(at, 0.5, f"{name} {share:.0%}", ha=side, va="center", color="white")
    axes.set_title("adaptive fusion", loc="left")
