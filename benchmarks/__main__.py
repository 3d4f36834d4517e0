"""``python -m benchmarks NAME… [--json]``: measure, write ``results/NAME.json``, redo tables.

What trains networks takes hours, and options: ``python -m benchmarks controlled --reduced``.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys

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
    how.add_argument("--device", help="cpu or cuda [cpu; controlled: cuda where there is one]")
    how.add_argument("--epochs", type=int, help="how many (ferplus)")
    how.add_argument("--targets", help="majority or distribution (ferplus)")
    how.add_argument("--only", action="append", metavar="CELL", help="a cell (controlled)")
    given = parser.parse_args()
    names = NAMES if "all" in given.names else [n for n in given.names if n != "readme"]
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
        path = reporting.write(name, module.PROTOCOL, module.run(**options), options)
        print(path.read_text() if given.json else path, file=sys.stdout)
    reporting.update_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
