"""What a run says of itself: ``run.json``, ``log.csv``, and events for TensorBoard where
tensorboardX is.

The epochs stand in the checkpoint itself: whatever stops a run, they are those that its weights
have behind them. The files here are written from them.
"""

from __future__ import annotations

import csv
import io
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from caer_build import __version__
from caer_build.caernet import checkpoint
from caer_build.errors import CheckpointError
from caer_build.store import write_atomically

LOG, EVENTS = "log.csv", "events"
_PACKAGES = ("torch", "numpy", "opencv-python-headless", "safetensors")


@dataclass(frozen=True)
class Epoch:
    """What came of an epoch.

    Attributes:
        number: 1-based.
        loss, accuracy: of training, as it went.
        validation_loss, validation_accuracy: after it.
        lr: at its end.
        seconds: it took.
    """

    number: int
    loss: float
    accuracy: float
    validation_loss: float
    validation_accuracy: float
    lr: float
    seconds: float

    @property
    def score(self) -> tuple[float, float]:
        """Better accuracy; of equals the lower loss."""
        return self.validation_accuracy, -self.validation_loss


class RunLog:
    """The logs of a run.

    Args:
        plan: what it trains, JSON.
        about: what else it says of itself.
    """

    def __init__(self, run: Path, plan: Mapping[str, Any], about: Mapping[str, Any]) -> None:
        self._run, self._plan, self._about = run, plan, about
        self._events: Any = None
        self._planned = [{"from_epoch": 1, "epochs": plan["regime"]["epochs"]}]

    def said(self, done: Sequence[Epoch]) -> dict[str, str]:
        """What stands in the checkpoint beside the weights."""
        return {
            "epochs": json.dumps([asdict(epoch) for epoch in done]),
            "plan": json.dumps(self._plan),
            "planned": json.dumps(self._planned),
            "data": self._data_key(),
        }

    def take_up(self, said: Mapping[str, str], epochs: int) -> None:
        """A run goes on as it began; it may be made longer, and says from which epoch on.

        Args:
            said: in its checkpoint.
            epochs: how many are planned now.

        Raises:
            CheckpointError: if it is another one.
        """
        _refuse_other(self._run, said, self._plan)
        if said.get("data") != self._data_key():
            raise CheckpointError(
                f"{self._run} holds a run on other data.", "Give another folder, or its data set."
            )
        self._planned = json.loads(said["planned"])
        if self._planned[-1]["epochs"] != epochs:
            now = {"from_epoch": len(epochs_of(said)) + 1, "epochs": epochs}
            self._planned.append(now)

    def write(self, done: Sequence[Epoch]) -> None:
        """Bring all files up to date."""
        best = max(done, key=lambda epoch: epoch.score)
        checkpoint.write_run(
            self._run,
            {
                "plan": self._plan,
                "planned": self._planned,
                "epochs": [asdict(epoch) for epoch in done],
                "best": best.number,
                **self._about,
            },
        )
        lines = io.StringIO()
        table = csv.DictWriter(lines, [f.name for f in fields(Epoch)], lineterminator="\n")
        table.writeheader()
        table.writerows(asdict(epoch) for epoch in done)
        write_atomically(self._run / LOG, lines.getvalue().encode())
        self._note_events(done[-1])

    def _note_events(self, epoch: Epoch) -> None:
        if find_spec("tensorboardX") is None:
            return
        if self._events is None:
            from tensorboardX import SummaryWriter

            # What a run wrote of this epoch and later ones before it was stopped is not shown. The
            # names of its files have seconds: two of one second would be one file.
            self._events = SummaryWriter(
                str(self._run / EVENTS),
                purge_step=epoch.number,
                filename_suffix=f".{epoch.number}",
            )
        for name, value in asdict(epoch).items():
            if name != "number":
                self._events.add_scalar(name, value, epoch.number)
        self._events.flush()

    def close(self) -> None:
        """Wait until the events are written: a thread does it."""
        if self._events is not None:
            self._events.close()

    def _data_key(self) -> str:
        return str(self._about.get("data", {}).get("key", ""))


def epochs_of(said: Mapping[str, str]) -> list[Epoch]:
    """The epochs that a checkpoint has behind it."""
    return [Epoch(**facts) for facts in json.loads(said["epochs"])]


def surroundings() -> dict[str, Any]:
    """What a run was made with, JSON."""
    return {
        "caer_build": __version__,
        "revision": _revision(),
        "python": platform.python_version(),
        "packages": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision() -> str | None:
    """Of a checkout, with ``+changes`` where files differ from it; None: this is no checkout."""
    here = Path(__file__)
    git = ["git", "-C", str(here.parent)]
    if _told([*git, "ls-files", here.name]) != here.name:
        return None
    return _told([*git, "describe", "--always", "--dirty=+changes", "--abbrev=12", "--exclude=*"])


def _told(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None


def refuse_other_plan(run: Path, plan: Mapping[str, Any]) -> None:
    """See that a folder can take a run, before there are frames to train on.

    Args:
        plan: what is to be trained, JSON.

    Raises:
        CheckpointError: if it holds one with other settings (its length aside).
    """
    if (run / checkpoint.LAST).is_file():
        _refuse_other(run, checkpoint.said_of(run / checkpoint.LAST), plan)


def _refuse_other(run: Path, said: Mapping[str, str], plan: Mapping[str, Any]) -> None:
    theirs = json.loads(said.get("plan", "{}"))
    theirs.get("regime", {})["epochs"] = plan["regime"]["epochs"]
    # JSON knows no tuples.
    mine = json.loads(json.dumps(plan))
    if theirs != mine:
        other = ", ".join(_differences(theirs, mine))
        raise CheckpointError(
            f"{run} holds a run with other settings: {other}.",
            "Give another folder, or its settings.",
        )


def _differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """``section.key is a, not b`` of everything that differs."""
    found = []
    for name in sorted(one.keys() | other.keys()):
        theirs, mine = one.get(name), other.get(name)
        if theirs == mine:
            continue
        if isinstance(theirs, dict) and isinstance(mine, dict):
            found += [f"{name}.{said}" for said in _differences(theirs, mine)]
        else:
            found.append(f"{name} is {theirs!r} there and {mine!r} here")
    return found
