"""A clip to look at, inside a page: as a component, because the clip is served by our own route."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import streamlit as st

from caer_build.annotation.review import Dossier
from caer_build.annotation.viewing import Task

_FOLDER = Path(__file__).parent / "player"


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


_watch = st.components.v2.component(
    "caer_watch", html=_text("watch.html"), css=_text("player.css"), js=_text("watch_boot.js")
)


def watch_dossier(clip: Dossier, key: str) -> None:
    """Plays a clip in a loop, for a manager."""
    _show(
        clip.listed.public_id, clip.width, clip.height, clip.listed.length_ms, clip.has_audio,
        clip.times_ms, clip.boxes, key,
    )  # fmt: skip


def watch_task(task: Task, key: str) -> bool:
    """Plays a clip in a loop.

    Returns:
        Whether it was played once from start to end at normal speed, with its sound.
    """
    heard = _show(
        task.clip, task.width, task.height, task.length_ms, task.has_audio, task.times_ms,
        task.boxes, key,
    )  # fmt: skip
    return heard == task.clip


def _show(  # noqa: PLR0917
    public_id: str,
    width: int,
    height: int,
    length_ms: int,
    has_audio: bool,
    times_ms: Sequence[int],
    boxes: Sequence[Sequence[float] | None],
    key: str,
) -> str | None:
    found = _watch(
        data={
            "clip": public_id, "src": f"/clips/{public_id}.mp4", "width": width,
            "height": height, "length_ms": length_ms, "has_audio": has_audio,
            "times_ms": list(times_ms), "boxes": list(boxes),
        },
        default={"heard": None},
        on_heard_change=lambda: None,
        key=key,
    )  # fmt: skip
    heard = found.heard
    return heard if isinstance(heard, str) else None
