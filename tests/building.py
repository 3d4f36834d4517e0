"""Running builds as users do, and comparing what they leave behind."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def caer(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the command line; with ``check`` a failure shows what it said."""
    command = [sys.executable, "-m", "caer_build.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    if check and done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def build(work: Path, *episodes: Path, options: Sequence[object] = ()) -> dict[str, Any]:
    """``caer build --json`` of these episodes; the object it printed."""
    done = caer("build", *episodes, "-o", work, "--json", *options)
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
