"""What a worker writes down: each request before it is sent, each reply when it came, a line each.

A line is one JSON object and is written with one call, so a worker that is killed leaves whole
lines, or a last one that is cut off and counts as not written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class History:
    """The log of one worker process."""

    def __init__(self, file: Path) -> None:
        self._handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, what: str, **facts: Any) -> None:
        """Adds a line; it stands when this returns, whatever becomes of the process."""
        os.write(self._handle, (json.dumps({"what": what, **facts}) + "\n").encode())


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of all workers."""
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            try:
                yield json.loads(line)
            except json.JSONDecodeError:
                continue
