"""WebDataset: shards that are read from front to back.

::

    WDS/train-000000.tar       lobby_s01e02-s000113-t01-000120.mp4     (or .png)
                                                              .cls     number of the emotion
                                                              .json    label, votes, faces, lineage
        train-000001.tar       ...
        train.json             items and bytes of each shard, as wids takes it
        classes.json           {"Anger": 0, ...}
        validation-000000.tar  ...

Items are shuffled over the shards of a split by a hash of their ids, so that any shard is a fair
sample of them, and the same items make the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.dataset.drafts import MEDIA
from caer_build.dataset.layouts.layout import Seen, labelled
from caer_build.dataset.layouts.libraries import reading
from caer_build.dataset.layouts.opening import require_picture
from caer_build.dataset.layouts.telling import each_told
from caer_build.dataset.statistics import splits_of
from caer_build.errors import DatasetError
from caer_build.records import EMOTIONS, SPLITS, Item, ItemKind
from caer_build.rows import Rows, columns_of
from caer_build.store import write_json

SHARD_ITEMS = 1000
_KEYS = str.maketrans({".": "_", "_": "~"})


@dataclass(frozen=True)
class WebDataset:
    """Shards of at most ``shard_items`` clips or stills."""

    kinds: tuple[ItemKind, ...]
    suffix: str
    shard_items: int = SHARD_ITEMS
    name: str = "webdataset"
    archived: bool = True

    def described(self) -> dict[str, Any]:
        return asdict(self)

    def choose(self, items: Sequence[Item]) -> Iterator[Item]:
        return labelled(items, self.kinds[0])

    def places(self, items: Sequence[Item]) -> Iterator[str]:
        n_before: Counter[str] = Counter()
        splits = columns_of(Item, items, "split")["split"].to_pylist()
        shards = np.zeros(len(items), np.int64)
        for place in _by_lot(items):
            shards[place] = n_before[splits[place]] // self.shard_items
            n_before[splits[place]] += 1
        for item, shard in zip(items, shards, strict=True):
            yield f"{item.split}-{shard:06d}.tar/{key_of(item.item_id)}{self.suffix}"

    def write_index(self, folder: Path, items: Rows[Item]) -> None:
        """Packs what lies in ``media/``, shard by shard, and within them by lot."""
        mixed = items.reordered(_by_lot(items))
        shards = [_shard(file) for file in mixed.table(["file"])["file"].to_pylist()]
        packed = mixed.reordered(np.argsort(shards, kind="stable"))
        told = each_told(folder, packed)
        for shard, group in groupby(told, key=lambda pair: _shard(str(pair[0].file))):
            with tarfile.open(folder / shard, "w", format=tarfile.PAX_FORMAT) as tar:
                for item, record in group:
                    self._add(tar, folder / MEDIA / f"{item.item_id}{self.suffix}", item, record)
        n_items = Counter(shards)
        for split in splits_of(items):
            own = sorted(shard for shard in n_items if shard.startswith(f"{split}-"))
            write_json(folder / f"{split}.json", _index(folder, own, n_items))
        write_json(folder / "classes.json", {name: k for k, name in enumerate(EMOTIONS)})

    def _add(self, tar: tarfile.TarFile, media: Path, item: Item, told: dict[str, Any]) -> None:
        key = key_of(item.item_id)
        with media.open("rb") as file:
            tar.addfile(_member(f"{key}{self.suffix}", media.stat().st_size), file)
        number = EMOTIONS.index(str(item.emotion))
        for suffix, text in ((".cls", str(number)), (".json", json.dumps(told))):
            tar.addfile(_member(f"{key}{suffix}", len(text)), io.BytesIO(text.encode("ascii")))

    def read_back(self, folder: Path) -> Iterator[Seen]:
        """With ``webdataset``; the first item of each shard is opened."""
        import webdataset

        for split in SPLITS:
            for shard in sorted(folder.absolute().glob(f"{split}-*.tar")):
                with reading("webdataset", shard):
                    samples = webdataset.WebDataset([str(shard)], shardshuffle=False)
                    for number, sample in enumerate(samples):
                        if number == 0:
                            self._require(sample)
                        emotion = json.loads(sample["json"])["emotion"]
                        if EMOTIONS[int(sample["cls"])] != emotion:
                            raise DatasetError(f"{sample['__key__']} of {shard} has two emotions.")
                        yield Seen(f"{shard.name}/{sample['__key__']}{self.suffix}", split, emotion)

    def _require(self, sample: dict[str, Any]) -> None:
        with NamedTemporaryFile(suffix=self.suffix) as file:
            file.write(sample[self.suffix[1:]])
            file.flush()
            require_picture(Path(file.name))


def key_of(item_id: str) -> str:
    """The key of an item, for ever the same.

    Readers end a key at its first dot, so that dots become underscores; that two ids cannot get
    one key, underscores become tildes, which no id has.
    """
    return item_id.translate(_KEYS)


def _by_lot(items: Sequence[Item]) -> npt.NDArray[np.int64]:
    """(n,) places of items, in an order that their ids alone decide."""
    ids = columns_of(Item, items, "item_id")["item_id"].to_pylist()
    return np.argsort(np.array([hashlib.sha256(name.encode()).digest() for name in ids]))


def _shard(file: str) -> str:
    return file.partition("/")[0]


def _member(name: str, n_bytes: int) -> tarfile.TarInfo:
    """As ``tarfile`` makes them: of nobody, and of no time."""
    member = tarfile.TarInfo(name)
    member.size = n_bytes
    return member


def _index(folder: Path, shards: Sequence[str], n_items: Mapping[str, int]) -> dict[str, Any]:
    return {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "shardlist": [
            {
                "url": shard,
                "nsamples": n_items[shard],
                "filesize": (folder / shard).stat().st_size,
            }
            for shard in shards
        ],
    }
