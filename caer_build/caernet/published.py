"""What the paper's tables say, row by row, and which network of ours a row is.

Numbers: Lee et al., ICCV 2019, tables 3 to 6, accuracy in percent. Where the ticks of table 3 are
not what the prose says, the row is what the prose says, and its note tells (65.65 and 71.94 are
printed with the ticks of F+C+cA; 71.94 and 74.94 would then be the same network).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caer_build.caernet.architecture import Streams

TrainedOn = Literal["own", "other", "both"]
NO_NETWORK = "published by others; no network of this package"
TICKS = "ticks read F+C+cA; the prose says context only"


@dataclass(frozen=True)
class PaperRow:
    """A row of a table.

    Attributes:
        table: 3, 4, 5 or 6.
        name: as the paper calls it.
        model: which network it is: caer-net (clips), caer-net-s (stills) or a baseline; None: a
            result of others that is only quoted.
        published: accuracy, percent; None: a row that the paper has no number for.
        streams, context_attention, fusion_attention: what is there of CAER-Net.
        shows_faces: nothing is hidden from the context stream.
        fine_tuned: of a baseline: all of it is trained, not the classifier alone.
        trained_on: table 6: the data set that is tested on, the other one, or both.
        note: what the reader should know.
    """

    table: int
    name: str
    model: str | None
    published: float | None
    streams: Streams = "both"
    context_attention: bool = True
    fusion_attention: bool = True
    shows_faces: bool = False
    fine_tuned: bool = True
    trained_on: TrainedOn = "own"
    note: str = ""

    @property
    def kind(self) -> str:
        """clip or still: what the network is given."""
        return "clip" if self.model in ("caer-net", "c3d", None) else "still"


def _ablation(model: str, ticks: str, published: float | None, note: str = "") -> PaperRow:
    """A row of table 3: of F C cA fA what is there."""
    there = ticks.split("+")
    streams: Streams = "both"
    if "C" not in there:
        streams = "face"
    elif "F" not in there:
        streams = "context"
    name = {"caer-net": "CAER-Net", "caer-net-s": "CAER-Net-S"}[model]
    return PaperRow(
        3, f"{name} {ticks}", model, published, streams, "cA" in there, "fA" in there, note=note
    )


ROWS: tuple[PaperRow, ...] = (
    _ablation("caer-net-s", "F", 70.09),
    _ablation("caer-net-s", "C+cA", 65.65, TICKS),
    _ablation("caer-net-s", "F+C+cA+fA", 73.51),
    PaperRow(3, "CAER-Net-S, faces not hidden", "caer-net-s", None, shows_faces=True,
             note="figure 8; the paper gives no number"),
    _ablation("caer-net", "F", 74.13),
    _ablation("caer-net", "C+cA", 71.94, TICKS),
    _ablation("caer-net", "F+C", 74.36),
    _ablation("caer-net", "F+C+cA", 74.94),
    _ablation("caer-net", "F+C+fA", 75.57),
    _ablation("caer-net", "F+C+cA+fA", 77.04),
    PaperRow(3, "CAER-Net, faces not hidden", "caer-net", None, shows_faces=True,
             note="figure 8; the paper gives no number"),
    PaperRow(4, "ImageNet-AlexNet", "alexnet", 47.36, fine_tuned=False),
    PaperRow(4, "ImageNet-VGGNet", "vgg16", 49.89, fine_tuned=False),
    PaperRow(4, "ImageNet-ResNet", "resnet50", 57.33, fine_tuned=False),
    PaperRow(4, "Fine-tuned AlexNet", "alexnet", 61.73),
    PaperRow(4, "Fine-tuned VGGNet", "vgg16", 64.85),
    PaperRow(4, "Fine-tuned ResNet", "resnet50", 68.46),
    PaperRow(4, "CAER-Net-S", "caer-net-s", 73.51),
    PaperRow(5, "Sports-1M-C3D", "c3d", 66.38, fine_tuned=False),
    PaperRow(5, "Fine-tuned C3D", "c3d", 71.02),
    PaperRow(5, "CAER-Net", "caer-net", 77.04),
    PaperRow(6, "VielZeuf et al. w/F", None, 48.60, note="FER+AFEW"),
    PaperRow(6, "Fan et al. 2016 w/F", None, 48.30, note="FER+AFEW"),
    PaperRow(6, "Hu et al. w/F", None, 42.55, note="AFEW"),
    PaperRow(6, "Fan et al. 2018 w/F", None, 57.43, note="FER+AFEW, an ensemble"),
    PaperRow(6, "CAER-Net w/F, AFEW", "caer-net", 41.86, streams="face"),
    PaperRow(6, "CAER-Net, CAER", "caer-net", 38.65, trained_on="other"),
    PaperRow(6, "CAER-Net, AFEW", "caer-net", 43.12),
    PaperRow(6, "CAER-Net, CAER+AFEW", "caer-net", 51.68, trained_on="both"),
)  # fmt: skip
TABLES = tuple(sorted({row.table for row in ROWS}))


def rows_of(table: int) -> tuple[PaperRow, ...]:
    """The rows of a table, as printed."""
    return tuple(row for row in ROWS if row.table == table)
