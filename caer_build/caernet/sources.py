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

    @property
    def feeds_gpu(self) -> bool:
        """A GPU takes them: what goes with them, too, waits for it in pinned memory."""

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:
        """Faces and contexts, (B, T, H, W, 3) uint8 RGB.

        Args:
            parts: (B,) of the store.
            frames: (B, T) within the parts.
        """


class MappedSource:
    """Reads the store's files; what was read lately the system keeps in memory.

    Args:
        feeds_gpu: into pinned memory, which can be copied to a GPU while it computes.
    """

    def __init__(self, store: FrameStore, *, feeds_gpu: bool = False) -> None:
        self._store, self.feeds_gpu = store, feeds_gpu

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
        return torch.empty(*shape, 3, dtype=torch.uint8, pin_memory=self.feeds_gpu)


class DeviceSource:
    """Holds parts of a store on a device and picks frames there.

    Args:
        parts: which.
    """

    def __init__(self, store: FrameStore, parts: Places, device: torch.device) -> None:
        counts = {int(n): store.n_frames(int(n)) for n in np.unique(parts)}
        firsts = np.cumsum([0, *counts.values()])
        self._first = np.zeros(max(counts, default=0) + 1, np.int64)
        self._first[list(counts)] = firsts[:-1]
        settings, n = store.settings, int(firsts[-1])
        sides = ((settings.face_px, settings.face_px),
                 (settings.context_height, settings.context_width))  # fmt: skip
        self._faces, self._contexts = (
            torch.empty(n, *side, 3, dtype=torch.uint8, device=device) for side in sides
        )
        self.feeds_gpu = self._faces.is_cuda
        for part, count in counts.items():
            every, here = np.arange(count), slice(self._first[part], self._first[part] + count)
            self._faces[here] = torch.from_numpy(store.faces(part, every)).to(device)
            self._contexts[here] = torch.from_numpy(store.contexts(part, every)).to(device)

    def frames(self, parts: Places, frames: Places) -> tuple[Tensor, Tensor]:
        where = torch.from_numpy(frames + self._first[parts][:, None])
        if self.feeds_gpu:
            where = where.pin_memory()
        where = where.to(self._faces.device, non_blocking=True)
        return self._faces[where], self._contexts[where]
