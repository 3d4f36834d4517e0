"""``python -m benchmarks NAME… [--json]``: measure, write ``results/NAME.json``, redo tables."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks import reporting

NAMES = ("shots", "tracks", "identities", "build", "annotation", "labels", "export")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    choices = [*NAMES, "all", "readme"]
    choice = f"one of {', '.join(NAMES)}, all, or readme (only the tables)"
    parser.add_argument("names", nargs="+", choices=choices, metavar="NAME", help=choice)
    parser.add_argument("--json", action="store_true", help="print the result file too")
    given = parser.parse_args()
    names = NAMES if "all" in given.names else [n for n in given.names if n != "readme"]
    for name in names:
        module = importlib.import_module(f"benchmarks.{name}")
        path = reporting.write(name, module.PROTOCOL, module.run())
        print(path.read_text() if given.json else path, file=sys.stdout)
    reporting.update_readme()
    return 0


if __name__ == "__main__":
    sys.exit(main())
