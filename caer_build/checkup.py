"""Is everything there that a build needs? What ``caer doctor`` prints.

Nothing is guessed: packages are held against what this package declares, those with native
libraries are loaded, and each stage of the recipe is asked for its models as a build asks it.
"""

from __future__ import annotations

import importlib
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from caer_build.errors import CaerError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

PACKAGE = "caer-build"
State = Literal["ok", "missing", "warning", "optional"]
FOR_DEVELOPERS = frozenset({"test", "all"})
"""Extras that add nothing for users."""
_LOADED = {
    "av": "av",
    "numpy": "numpy",
    "onnx": "onnx",
    "onnxruntime": "onnxruntime",
    "opencv-python-headless": "cv2",
    "pyarrow": "pyarrow",
    "scipy": "scipy",
    "zstandard": "zstandard",
}
"""Packages with native libraries, which may be there and yet not load: package -> its module."""
LEAST_MEMORY = 2 << 30
"""Bytes; a build stays below 1.5 GB."""
LEAST_DISK = 2 << 30
"""Bytes; a workspace takes about 0.4 GB for an hour of 720p, clips included."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        topic: machine, package, extra, program or model.
        found: what is there, in words; empty where nothing is.
        state: missing: the build cannot do without; warning: it may not get far; optional: it is
            not there, and this recipe does not need it.
        remedy: what to do; empty where nothing needs to be done.
    """

    topic: str
    name: str
    found: str
    state: State
    remedy: str = ""


def examine(recipe: str, place: Path) -> list[Finding]:
    """Look at everything a build with that recipe needs, and at what more there could be.

    Args:
        place: where a workspace would be; its disk is looked at.

    Raises:
        RecipeError: if there is no such recipe, or it cannot be right.
    """
    return [
        *machine(place),
        gpu(),
        *packages(),
        *codecs(),
        *stages(recipe),
        *added_models(),
    ]


def machine(place: Path) -> Iterator[Finding]:
    """Python, cores, memory, disk."""
    fits = (3, 11) <= sys.version_info[:2] < (3, 13)
    yield Finding(
        "machine",
        "Python",
        f"{platform.python_version()} ({sys.executable})",
        "ok" if fits else "missing",
        "" if fits else "Python 3.11 or 3.12 is needed.",
    )
    yield Finding("machine", "CPU", f"{len(os.sched_getaffinity(0))} cores", "ok")
    memory = memory_bytes()
    yield _amount("memory", memory, LEAST_MEMORY, "Close other programs, or build --workers 1.")
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    yield _amount(f"free disk in {place}", free, LEAST_DISK, "Free some, or name another disk.")


def _amount(name: str, found: int, least: int, remedy: str) -> Finding:
    enough = found >= least
    return Finding(
        "machine",
        name,
        f"{found / 1e9:.1f} GB",
        "ok" if enough else "warning",
        "" if enough else f"{least / 1e9:.1f} GB are advised. {remedy}",
    )


def memory_bytes() -> int:
    """What this process may use: the machine's memory, or the limit of its container."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    return min(total, int(text)) if text.isdigit() else total


def packages() -> Iterator[Finding]:
    """Every package of the base, which is needed, and every extra, which is not."""
    from packaging.requirements import Requirement

    declared = [Requirement(text) for text in metadata.requires(PACKAGE) or ()]
    base = [r for r in declared if r.marker is None or r.marker.evaluate({"extra": ""})]
    for needed in base:
        found, fits = _installed(needed)
        if fits and needed.name in _LOADED:
            try:
                importlib.import_module(_LOADED[needed.name])
            except (ImportError, OSError) as error:
                yield _lacking("package", needed.name, error)
                continue
        remedy = "" if fits else f"pip install '{needed.name}{needed.specifier}'"
        yield Finding("package", needed.name, found, "ok" if fits else "missing", remedy)
    for extra in metadata.metadata(PACKAGE).get_all("Provides-Extra") or []:
        if extra in FOR_DEVELOPERS:
            continue
        own = [
            r
            for r in declared
            if r not in base and r.marker and r.marker.evaluate({"extra": extra})
        ]
        states = [(r.name, *_installed(r)) for r in own]
        said = ", ".join(f"{name} {found or '-'}" for name, found, _ in states)
        whole = all(fits for _, _, fits in states)
        remedy = "" if whole else f"pip install '{PACKAGE}[{extra}]'"
        yield Finding("extra", extra, said, "ok" if whole else "optional", remedy)


def _installed(wanted: Requirement) -> tuple[str, bool]:
    """The version that is there (empty: none), and whether it is one that is wanted."""
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "", False
    fits = wanted.specifier.contains(version, prereleases=True)
    return (version if fits else f"{version}, not {wanted.specifier}"), fits


def codecs() -> Iterator[Finding]:
    """What encodes the clips."""
    try:
        from caer_build.media.clipfile import encoders

        found = encoders()
    except (CaerError, ImportError) as error:
        yield _lacking("codec", "encoders", error)
    else:
        yield Finding("codec", "encoders", found, "ok")


def stages(recipe: str) -> Iterator[Finding]:
    """What each stage of the recipe says of the models and codecs it will use.

    Raises:
        RecipeError: if there is no such recipe, or it cannot be right.
    """
    try:
        from caer_build import pipeline, recipes
    except ImportError as error:
        yield _lacking("model", "the build", error)
        return
    chosen = recipes.load(pipeline.STAGES, recipe)
    for stage in pipeline.STAGES:
        try:
            versions = stage.versions(chosen[stage.name])
        except (CaerError, ImportError) as error:
            yield _lacking("model", f"stage {stage.name}", error)
        else:
            if versions:
                yield Finding("model", f"stage {stage.name}", "; ".join(versions), "ok")


def _lacking(topic: str, name: str, error: CaerError | ImportError | OSError) -> Finding:
    if isinstance(error, CaerError):
        return Finding(topic, name, error.message, "missing", error.remedy)
    broken = name if topic == "package" else PACKAGE
    remedy = f"Install it again: pip install --force-reinstall {broken}"
    return Finding(topic, name, f"cannot be loaded: {error}", "missing", remedy)


def added_models() -> Iterator[Finding]:
    """Model files that users may add."""
    try:
        from caer_build.models.added import list_added
        from caer_build.models.catalogue import ADDABLE
        from caer_build.models.locations import model_folder
    except ImportError as error:
        yield _lacking("model", "added models", error)
        return
    there = list_added(model_folder())
    for entry in there:
        broken = entry.state == "changed"
        remedy = "It is not what was added: run `caer models add` again." if broken else ""
        state: State = "missing" if broken else "ok"
        yield Finding("model", entry.model.name, f"{entry.path} ({entry.state})", state, remedy)
    for model in ADDABLE:
        if all(entry.model is not model for entry in there):
            remedy = f"caer models add {model.published[0]}"
            yield Finding("model", model.name, "", "optional", remedy)


def gpu() -> Finding:
    """A GPU that torch sees; the build itself runs on the CPU."""
    try:
        import torch
    except (ImportError, OSError):
        return Finding("machine", "GPU", "", "optional", f"pip install '{PACKAGE}[train]'")
    if not torch.cuda.is_available():
        found = f"torch {torch.__version__} sees none"
        return Finding("machine", "GPU", found, "optional", "The build does not use one.")
    return Finding("machine", "GPU", torch.cuda.get_device_name(0), "ok")


def missing(findings: Iterable[Finding]) -> list[Finding]:
    """What a build cannot do without."""
    return [finding for finding in findings if finding.state == "missing"]
