"""The import rules of the house: a module imports only what stands above it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "caer_build"

# From the ground up. A module may import from its own level only where it is the same room.
LEVELS = [
    ["errors"],
    ["records"],
    [
        "boxes",
        "frames",
        "faces",
        "repetition",
        "clustering",
        "naming",
        "placing",
        "tracking",
        "arrow",
        "rows",
    ],
    ["arrays", "store"],
    ["stage"],
    ["sources", "recipes", "overrides"],
    ["publishing", "tables"],
    ["media"],
    ["models"],
    ["stages"],
    ["units", "engines", "purging"],
    ["pipeline"],
    ["summary", "upkeep", "people", "handbook", "checkup", "inspection"],
    ["annotation"],
    ["dataset"],
    ["caernet"],
    ["inference"],
    ["report", "sample"],
    ["cli"],
]
LEVEL_OF = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
# Inside these rooms files build on one another.
ROOMS_OF_FILES = {
    "media",
    "models",
    "annotation",
    "dataset",
    "caernet",
    "inference",
    "report",
    "sample",
    "cli",
}


def imports_of(file: Path) -> set[str]:
    """The dotted names of the package's own modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "caer_build":
                found |= {f"caer_build.{alias.name}" for alias in node.names}
            else:
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("caer_build.")}


FILES = sorted(f for f in PACKAGE.rglob("*.py") if f.parent != PACKAGE or f.stem != "__init__")


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_imports_run_one_way(file: Path) -> None:
    room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert room in LEVEL_OF, f"{room} has no place in the house: add it to LEVELS"
    for name in imports_of(file):
        other = name.split(".")[1]
        if other == "__version__":
            continue
        if other == room:
            assert room in ROOMS_OF_FILES or room == "stages", name
            continue
        beside = other in LEVELS[LEVEL_OF[room]] and LEVEL_OF[room] < LEVEL_OF["stage"]
        below = LEVEL_OF[other] < LEVEL_OF[room]
        assert below or beside, f"{file.name} imports {name}, which stands above it"


def test_stages_do_not_import_each_other() -> None:
    for file in (PACKAGE / "stages").glob("*.py"):
        others = {n for n in imports_of(file) if n.startswith("caer_build.stages.")}
        assert not others, f"{file.name} imports {others}"


def test_only_media_opens_video() -> None:
    forbidden = {"av"}
    for file in FILES:
        if file.is_relative_to(PACKAGE / "media"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            used = {n.split(".")[0] for n in names} & forbidden
            assert not used, f"{file} imports {used}: only media opens video"


def test_the_command_line_is_light() -> None:
    heavy = "torch cv2 streamlit av onnxruntime dlib scipy pyarrow"
    code = (
        "import sys, caer_build.cli.main\n"
        f"print(*[m for m in '{heavy}'.split() if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == ""


def test_no_file_is_two_rooms() -> None:
    # records.py is the data model: one place to look, however long.
    # A migration is one step, and never edited again.
    files = [f for f in FILES if f.name != "records.py" and f.parent.name != "versions"]
    long = {f.name: n for f in files if (n := len(f.read_text().splitlines())) > 400}
    assert not long


# What a machine for training may be relied on to have, beside the standard library.
FOR_TRAINING = {
    "torch", "numpy", "pandas", "pyarrow", "PIL", "cv2", "sklearn", "matplotlib", "tqdm", "rich",
}  # fmt: skip


def test_the_networks_load_where_only_training_packages_are() -> None:
    code = (
        "import sys, importlib, pkgutil\n"
        # What it brings along depends on its kind, and on what else is there.
        "import torch\n"
        "before = set(sys.modules)\n"
        "import caer_build.caernet as room\n"
        "for module in pkgutil.iter_modules(room.__path__):\n"
        "    importlib.import_module(f'caer_build.caernet.{module.name}')\n"
        "loaded = {m.split('.')[0] for m in set(sys.modules) - before}\n"
        "print(*loaded - set(sys.stdlib_module_names))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(out.stdout.split()) - {"caer_build", "__mp_main__"}
    assert "cv2" in loaded
    assert loaded <= FOR_TRAINING
