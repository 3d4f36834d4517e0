"""Where model files that users add themselves are kept."""

from __future__ import annotations

import os
from pathlib import Path


def model_folder() -> Path:
    """``CAER_MODELS``, else the user's data folder; it need not exist."""
    chosen = os.environ.get("CAER_MODELS")
    if chosen:
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "caer-build" / "models"
