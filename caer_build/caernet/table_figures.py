"""The figures that belong to a table, drawn of the runs that its cells left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from caer_build.caernet import figures
from caer_build.caernet.figures import Example
from caer_build.caernet.pictures import Pixels
from caer_build.caernet.published import PaperRow
from caer_build.caernet.table_attention import Looked, Looks
from caer_build.caernet.tables import CellResult
from caer_build.records import EMOTIONS

_NAMES = {"caer-net": "CAER-Net", "caer-net-s": "CAER-Net-S"}


def draw(looks: Looks, table: int, results: Sequence[CellResult], out: Path) -> list[Path]:
    """Draw the figures of a table whose cells were run: 4, 7 and 8 of table 3, 9 and 10 of 4.

    Args:
        results: as :meth:`Looks.measured` gives them.
    """
    there = {r.row.name: r for r in results if r.confusions is not None}
    if table == 3:
        return [file for model in _NAMES for file in _of_ablations(looks, model, there, out)]
    if table == 4:
        return list(_of_peers(looks, there, out))
    return []


def _of_peers(looks: Looks, there: Mapping[str, CellResult], out: Path) -> Iterator[Path]:
    counts = {name: r.confusions for name, r in there.items() if r.confusions is not None}
    if counts:
        file = out / "figure9.png"
        figures.per_category(counts, file)
        yield file
    vgg, own = there.get("Fine-tuned VGGNet"), there.get("CAER-Net-S")
    if vgg is None or own is None:
        return
    peers = {f"{vgg.row.name}, Grad-CAM": vgg, f"{own.row.name}, attention": own}
    chosen = _chosen(*(looks.of_first(peer.row) for peer in peers.values()))
    file = out / "figure10.png"
    figures.attention_maps(_panels(looks, peers, chosen), file)
    yield file


def _of_ablations(
    looks: Looks, model: str, there: Mapping[str, CellResult], out: Path
) -> Iterator[Path]:
    name = _NAMES[model]
    face, whole = there.get(f"{name} F"), there.get(f"{name} F+C+cA+fA")
    shown = there.get(f"{name}, faces not hidden")
    pair = {r.row.name: r.confusions.sum(0) for r in (face, whole)
            if r is not None and r.confusions is not None}  # fmt: skip
    if len(pair) == 2:
        file = out / f"figure7-{model}.png"
        figures.confusions(pair, file)
        yield file
    if whole is None:
        return
    chosen = _chosen(looks.of_first(whole.row))
    file = out / f"figure4-{model}.png"
    figures.fusion_weights(_examples(looks, whole.row, chosen), file)
    yield file
    panels = {f"{name}, faces hidden": whole}
    if shown is not None:
        panels[f"{name}, faces not hidden"] = shown
    file = out / f"figure8-{model}.png"
    figures.attention_maps(_panels(looks, panels, chosen), file)
    yield file


def _panels(
    looks: Looks, named: Mapping[str, CellResult], chosen: Sequence[int]
) -> dict[str, list[Example]]:
    """What each network saw of the same items; its name says how much it looks at faces."""
    return {
        f"{name}{_said(result)}": _examples(looks, result.row, chosen)
        for name, result in named.items()
    }


def _said(result: CellResult) -> str:
    looking = result.looking
    if looking is None or looking.on_face.value is None or looking.even.value is None:
        return ""
    between = ""
    if looking.on_face.low is not None and looking.on_face.high is not None:
        low, high = 100 * looking.on_face.low, 100 * looking.on_face.high
        between = f" (95 % interval {low:.1f} to {high:.1f})"
    return (
        f": {looking.on_face.value:.1%}{between} of all attention on the target's face, "
        f"{looking.even.value:.1%} if even"
    )


def _chosen(*networks: Looked) -> list[int]:
    """Items of as many emotions as there are, of each the one that all say surest."""
    labels = networks[0].batches.labels
    own = torch.arange(len(labels))
    surest = torch.stack([n.found.probabilities[own, labels] for n in networks]).amin(0)
    return [
        int(mine[surest[mine].argmax()])
        for k in range(len(EMOTIONS))
        if len(mine := torch.where(labels == k)[0])
    ]


def _examples(looks: Looks, row: PaperRow, chosen: Sequence[int]) -> list[Example]:
    """Test items as the network of the first seed saw them."""
    looked, store = looks.of_first(row), looks.tables.store(row)
    crop = looks.tables.plan(row, 0).augmentation.crop
    predicted = looked.found.probabilities.argmax(1)
    attention, fusion = looked.found.attention, looked.found.fusion
    examples = []
    for k in chosen:
        item, on_face = looked.batches.items.iloc[k], float(looked.on_face[k])
        middle = np.array([item["first"] + item["n_sampled"] // 2])
        examples.append(
            Example(
                store.faces(item["part"], middle)[0],
                _middle(store.contexts(item["part"], middle)[0], crop),
                item["emotion"],
                EMOTIONS[int(predicted[k])],
                None if fusion is None else (float(fusion[k, 0]), float(fusion[k, 1])),
                None if attention is None else attention[k].numpy(),
                None if np.isnan(on_face) else on_face,
                None if np.isnan(on_face) else looked.boxes[k].tolist(),
            )
        )
    return examples


def _middle(context: Pixels, crop: int) -> Pixels:
    """What a network sees of a stored context in testing."""
    top, left = (context.shape[0] - crop) // 2, (context.shape[1] - crop) // 2
    return context[top : top + crop, left : left + crop]
