"""Where batches take their frames from: files mapped into memory, or the GPU's own memory."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from caer_build.caernet.framestore import FrameStore

Places = npt.NDArray[np.int64]


class Source(Protocol):
    """Gives frames."""

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:
        """Faces and contexts, (B, T, H, W, 3) uint8 RGB.

        Args:
            parts: (B,) of the store.
            frames: (B, T) within the parts.
        """


class MappedSource:
    """Reads the store's files; what was read lately the system keeps in memory.

    Args:
        pinned: what is read can be copied to a GPU while it computes.
    """

    def __init__(self, store: FrameStore, *, pinned: bool = False) -> None:
        self._store, self._pinned = store, pinned

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:
        settings = self._store.settings
        n, length = frames.shape
        faces = self._room(n, length, settings.face_px, settings.face_px)
        contexts = self._room(n, length, settings.context_height, settings.context_width)
        for k, part in enumerate(parts.tolist()):
            faces[k] = torch.from_numpy(self._store.faces(part, frames[k]))
            contexts[k] = torch.from_numpy(self._store.contexts(part, frames[k]))
        return faces, contexts

    def _room(self, *shape: int) -> Tensor:
        return torch.empty(*shape, 3, dtype=torch.uint8, pin_memory=self._pinned)


class DeviceSource:
    """Holds parts of a store on a device and picks frames there.

    Args:
        parts: which.
    """

    def __init__(self, store: FrameStore, parts: Places, device: torch.device) -> None:
        counts = {int(n): store.n_frames(int(n)) for n in np.unique(parts)}
        firsts = np.cumsum([0, *counts.values()])
        self._first = dict(zip(counts, firsts[:-1].tolist(), strict=True))
        settings, n = store.settings, int(firsts[-1])
        sides = ((settings.face_px, settings.face_px),
                 (settings.context_height, settings.context_width))  # fmt: skip
        self._faces, self._contexts = (
            torch.empty(n, *side, 3, dtype=torch.uint8, device=device) for side in sides
        )
        for part, count in counts.items():
            every, here = np.arange(count), slice(self._first[part], self._first[part] + count)
            self._faces[here] = torch.from_numpy(store.faces(part, every)).to(device)
            self._contexts[here] = torch.from_numpy(store.contexts(part, every)).to(device)

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:
        firsts = np.array([self._first[part] for part in parts.tolist()], np.int64)
        where = torch.from_numpy(frames + firsts[:, None])
        if self._faces.is_cuda:
            where = where.pin_memory().to(self._faces.device, non_blocking=True)
        return self._faces[where], self._contexts[where]
