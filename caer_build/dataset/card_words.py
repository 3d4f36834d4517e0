"""What the data card says in words: rules, what splits promise, limits, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from caer_build.dataset.statistics import n_beside_several
from caer_build.records import Item

RULES: Mapping[str, str] = {
    "paper": "an emotion is the label if at least two of three annotators chose it and the mean "
    "confidence of all who gave one is at least 0.5 (section 4.1 of the paper); 1-1-1 is a tie, "
    "and ties are left out. Soft labels are shares of the votes.",
    "agreeing": "an emotion is the label if at least two of three annotators chose it and the "
    "mean confidence of those who chose it is at least 0.5; ties are left out. Soft labels are "
    "shares of the votes.",
    "majority": "the emotion that most annotators chose, however sure they were; ties are left "
    "out. Soft labels are shares of the votes.",
    "dawid-skene": "the most likely emotion by the annotators' confusion matrices (Dawid and "
    "Skene 1979). Soft labels are posteriors.",
    "mace": "the most likely emotion if annotators guess now and then (Hovy et al. 2013). Soft "
    "labels are posteriors.",
    "glad": "the most likely emotion by the annotators' skill and the clips' difficulty "
    "(Whitehill et al. 2009). Soft labels are posteriors.",
    "confidence-weighted": "the most likely emotion by the annotators' confusion matrices, in "
    "which answers weigh by what was learned of their confidence. Soft labels are posteriors.",
}

GUARANTEES: Mapping[str, str] = {
    "show": "No show is in two splits, and no set or title is. Persons are told apart within a "
    "show: an actor who plays in two shows is two persons here, and **may be in two splits**.",
    "person": "Nobody who is a target in one split is seen in another, as far as the clustering "
    "of faces knows them apart; clips that share frames stay together. Sets, titles and extras "
    "are shared, and so are actors who play in two shows: persons are told apart within a show.",
    "episode": "No episode is in two splits. **The cast is shared**: a model may know faces from "
    "training, and scores say nothing of people whom it has never seen.",
    "clip": "No frame is in two splits, and nothing else is kept apart (the paper's way: clips at "
    "random). **People, sets and scenes are shared**: scores on test say little of other "
    "footage.",
}

LIMITS = (
    "The label is the emotion that annotators perceived, not what anybody felt.",
    "The people are actors in TV shows; how they show emotions is staged, and differs from life.",
    "A label is about one target only, whose boxes are marked; others in the picture may show "
    "another emotion.",
    "Seven categories are all that could be chosen; mixed and other emotions went to one of them, "
    "or were left out.",
    "Clips on which annotators do not agree have no label and are not in it, so agreement and "
    "accuracy are as a rule higher than on all clips.",
    "Clips were labelled with their sound; a model that is given pictures alone knows less.",
    "Which faces were found, followed and kept depends on detectors that do better on some faces "
    "than on others.",
    "Categories are not balanced: beside accuracy report macro-F1 and the mean of recalls.",
    "Nothing in it supports conclusions on people in hiring, policing, education or health.",
)

_TABLES = """import pandas as pd

items = pd.read_parquet("metadata/items.parquet")   # file, split, emotion, soft label, lineage
faces = pd.read_parquet("metadata/faces.parquet")   # every face in every frame
target = faces[faces.is_target]
"""
_CODE: Mapping[str, str] = {
    "caer": _TABLES
    + """
import cv2

video = cv2.VideoCapture(items.file[0])             # CAER/<split>/<Emotion>/NNNN.avi
""",
    "caer-s": """from torchvision.datasets import ImageFolder

train = ImageFolder("CAER-S/train")                 # classes in alphabetical order
test = ImageFolder("CAER-S/test")
""",
    "media-free": _TABLES,
    "hf": """from pathlib import Path

from datasets import load_dataset

data = load_dataset(str(Path().resolve()))          # this folder, by its full path
data["train"].features["label"].names
""",
    "webdataset": """from glob import glob

import webdataset as wds

train = wds.WebDataset(sorted(glob("train-*.tar")), shardshuffle=False).decode()
""",
    "coco": """from pycocotools.coco import COCO

train = COCO("annotations/instances_train.json")
""",
    "kinetics": _TABLES
    + """
train = pd.read_csv("train.csv")
""",
}
_REMARKS: Mapping[str, str] = {
    "media-free": "There are no pictures in it. Whoever has the same episodes makes them, byte for "
    "byte: `caer rebuild . EPISODES -o CAER --format caer`.",
}
LOADING: Mapping[str, tuple[str, ...]] = {
    name: (
        *((_REMARKS[name], "") if name in _REMARKS else ()),
        "```python",
        *code.splitlines(),
        "```",
    )
    for name, code in _CODE.items()
}


def two_emotions(items: Sequence[Item]) -> list[str]:
    """A limit of data sets in which pictures of two people stand under the emotions of both."""
    n = n_beside_several(items, "file_sha256", "emotion")
    if not n:
        return []
    return [
        f"Files that stand under two emotions, byte for byte: {n}. They show two people, each of "
        "them the target once; who loads them without the target's boxes cannot tell which."
    ]


def leaks(found: Mapping[str, Any] | None) -> list[str]:
    """What stands in two splits although it should not, if that was allowed; a line a kind.

    Args:
        found: as ``dataset.json`` has it: {kind: {"n": …, "message": …, "examples": […]}}.
    """
    return [
        f"{leak['message']} ({leak['examples'][0]})" if leak["examples"] else leak["message"]
        for leak in (found or {}).values()
    ]
