"""Running builds as users do, and comparing what they leave behind."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from caer_build.cli.main import main


@dataclass(frozen=True)
class Ran:
    """What a command printed, and how it ended."""

    returncode: int
    stdout: str
    stderr: str


def caer(*arguments: object, check: bool = True) -> Ran:
    """Run the command line in this process, which has imported all it needs by the second time;
    with ``check`` a failure shows what it said.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["caer", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return _checked(Ran(code, out.getvalue(), err.getvalue()), arguments, check)


def caer_apart(*arguments: object, check: bool = True) -> Ran:
    """The same in a process of its own, as it is for users."""
    command = [sys.executable, "-m", "caer_build.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    return _checked(Ran(done.returncode, done.stdout, done.stderr), arguments, check)


def _checked(ran: Ran, arguments: Sequence[object], check: bool) -> Ran:
    if check and ran.returncode != 0:
        command = " ".join(map(str, arguments))
        raise AssertionError(
            f"caer {command} ended with {ran.returncode}:\n{ran.stdout}{ran.stderr}"
        )
    return ran


def build(work: Path, *episodes: Path, options: Sequence[object] = ()) -> dict[str, Any]:
    """``caer build --json`` of these episodes; the object it printed."""
    done = caer_apart("build", *episodes, "-o", work, "--json", *options)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def digests(work: Path) -> dict[str, str]:
    """name -> SHA-256 of every published table and clip."""
    files = [*work.glob("tables/*.parquet"), *work.glob("clips/*")]
    return {
        str(f.relative_to(work)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)
    }


@dataclass(frozen=True)
class TrueShot:
    """A shot of a truth file, without the frames of transitions."""

    episode_id: str
    frames: tuple[int, ...]
    kind: str
    people: tuple[str, ...]


def true_shots(data: Path, episode_id: str) -> list[TrueShot]:
    """The shots of an episode's truth; frames of gradual transitions belong to none."""
    truth = json.loads((data / "episodes" / f"{episode_id}.truth.json").read_text())
    mixed = {f for first, last, _ in truth["gradual"] for f in range(first, last + 1)}
    return [
        TrueShot(
            episode_id,
            tuple(f for f in range(s["start"], s["stop"]) if f not in mixed),
            s["kind"],
            tuple(s["people"]),
        )
        for s in truth["shots"]
    ]
