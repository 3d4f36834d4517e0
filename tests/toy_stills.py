"""A CAER-S as it was released, small: the colour of the face says the emotion.

::

    CAER-S/train/<Emotion>/0001.png …   80 x 60 px noise; the face is at (20, 10) to (52, 42)
           test/<Emotion>/0001.png …
           train.txt, test.txt          the boxes
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from caer_build.records import EMOTIONS

BOX = (20, 10, 52, 42)
SMALL = ("store.face_px=32", "store.context_width=43", "store.context_height=32",
         "augmentation.crop=32", "regime.batch_size=8", "regime.warm_up=0")  # fmt: skip
"""settings for pictures as small as these"""


def face_picture(emotion: int, seed: int) -> npt.NDArray[np.uint8]:
    """A picture of an emotion, BGR."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (60, 80, 3)).astype(np.uint8)
    colour = np.array([40 * (emotion % 3) + 60, 40 * (emotion // 3) + 60, 30 * emotion + 30])
    picture[10:42, 20:52] = np.clip(colour + rng.normal(0, 10, (32, 32, 3)), 0, 255)
    return picture


def released_stills(root: Path, n_train: int = 6, n_test: int = 2) -> Path:
    """Write the set, so many pictures an emotion; the number of an item decides its noise."""
    for split, n in (("train", n_train), ("test", n_test)):
        lines = []
        for number, emotion in enumerate(EMOTIONS):
            folder = root / split / emotion
            folder.mkdir(parents=True)
            for k in range(n):
                seed = (split == "test") * 1000 + number * 100 + k
                cv2.imwrite(str(folder / f"{k + 1:04d}.png"), face_picture(number, seed))
                box = ",".join(map(str, BOX))
                lines.append(f"{emotion}/{k + 1:04d}.png,{number},{box}\n")
        (root / f"{split}.txt").write_text("".join(lines))
    return root
