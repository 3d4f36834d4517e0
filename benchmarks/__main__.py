"""``python -m benchmarks NAME… [--json]``: measure, write ``results/NAME.json``, redo tables.

What trains networks takes hours, and options: ``python -m benchmarks controlled --reduced``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import sys
from types import ModuleType

from benchmarks import reporting

TRAINING = ("controlled", "ferplus", "training")
NAMES = ("shots", "tracks", "identities", "build", "annotation", "labels", "export")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = [*NAMES, *TRAINING, "all", "readme"]
    choice = (
        f"one of {', '.join(NAMES)}, all (of these), {', '.join(TRAINING)}, "
        "or readme (only the tables)"
    )
    parser.add_argument("names", nargs="+", choices=choices, metavar="NAME", help=choice)
    parser.add_argument("--json", action="store_true", help="print the result file too")
    how = parser.add_argument_group("of what trains networks")
    how.add_argument("--reduced", action="store_true", default=None, help="small enough for a CPU")
    how.add_argument("--device", help="auto, cpu or cuda [auto: a GPU where there is one]")
    how.add_argument("--epochs", type=int, help="how many (ferplus)")
    how.add_argument("--targets", help="majority or distribution (ferplus)")
    how.add_argument("--only", action="append", metavar="CELL",
                     help="a cell (controlled, training)")  # fmt: skip
    given = parser.parse_args()
    names = NAMES if "all" in given.names else [n for n in given.names if n != "readme"]
    failures = 0
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        options = {
            option: value
            for option in ("reduced", "device", "epochs", "targets", "only")
            if (value := getattr(given, option)) is not None
        }
        refused = options.keys() - inspect.signature(module.run).parameters.keys()
        if refused:
            parser.error(f"{name} has no --{', --'.join(sorted(refused))}")
        device = _device(module, given.device)
        asked = options if device is None else {**options, "device": device}
        path = reporting.write(name, module.PROTOCOL, module.run(**asked), options, device or "cpu")
        print(path.read_text() if given.json else path, file=sys.stdout)
        for failed in json.loads(path.read_text()).get("failures", []):
            print(f"not measured: {failed['what']}: {failed['error']}", file=sys.stderr)
            failures += 1
    reporting.update_readme()
    return 1 if failures else 0


def _device(module: ModuleType, asked: str | None) -> str | None:
    """Where a benchmark that trains runs; None: it does not train."""
    if "device" not in inspect.signature(module.run).parameters:
        return None
    from caer_build.caernet.distributed import device_of

    return device_of(asked or "auto")


if __name__ == "__main__":
    sys.exit(main())
