"""What folders and files of others call the emotions and the splits."""

from __future__ import annotations

import re
from functools import lru_cache

from caer_build.records import Split

_EMOTIONS = {
    "Anger": "anger angry angr angery ang",
    "Disgust": "disgust disgusted disguest disgus digust dis",
    "Fear": "fear fearful feared afraid scared fea",
    "Happy": "happy happiness happyness hapiness hapy joy hap",
    "Neutral": "neutral netural nuetral nutral neutrality neu",
    "Sad": "sad sadness saddness",
    "Surprise": "surprise surprised suprise suprised surprize surpise surprice sur",
}
_EMOTION_OF = {word: name for name, words in _EMOTIONS.items() for word in words.split()}
_SPLITS: dict[Split, str] = {
    "train": "train training",
    "validation": "val valid validation dev",
    "test": "test testing",
}
_SPLIT_OF: dict[str, Split] = {
    word: name for name, words in _SPLITS.items() for word in words.split()
}


# Lists of 70,000 lines name seven classes.
@lru_cache
def emotion_of(name: str) -> str | None:
    """The emotion that a class of another's data set is; None: none of the seven.

    Any case, with a number before it ("0_Angry"), and the misspellings that are about.
    """
    return _EMOTION_OF.get(re.sub(r"^\d+[\s._-]*|\s+$", "", name.lower()))


@lru_cache
def split_of(name: str) -> Split | None:
    """The split that a folder's or file's name speaks of: "Train_AFEW", "instances_val2017"."""
    for word in re.split(r"[^a-z]+", name.lower()):
        if word in _SPLIT_OF:
            return _SPLIT_OF[word]
    return None
