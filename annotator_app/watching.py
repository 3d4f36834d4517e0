"""A clip to look at, inside a page: as a component, because the clip is served by our own route."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import streamlit as st

from caer_build.annotation.viewing import Film, Task

_FOLDER = Path(__file__).parent / "player"


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


_watch = st.components.v2.component(
    "caer_watch", html=_text("watch.html"), css=_text("player.css"), js=_text("watch_boot.js")
)


@dataclass(frozen=True, slots=True)
class Watched:
    """What somebody did with the clip that they look at.

    Attributes:
        heard: whether it was played once from start to end at normal speed, with its sound.
        keys: of the player's that are no playing, such as "emotion 2" or "send", since it appeared.
        mount: where they were pressed; another one begins from nothing.
    """

    heard: bool
    keys: tuple[str, ...]
    mount: str


def watch(film: Film, key: str) -> None:
    """Plays a clip in a loop, to look at."""
    _show(film, key)


def watch_task(task: Task, key: str, n_steps: int) -> Watched:
    """Plays a clip in a loop, and takes the keys of the player.

    Args:
        n_steps: of confidence.
    """
    found = _show(task, key, n_steps)
    pressed = found.pressed or {}
    is_this = pressed.get("clip") == task.clip
    keys = tuple(map(str, pressed["keys"])) if is_this else ()
    return Watched(found.heard == task.clip, keys, str(pressed.get("mount", "")))


def _show(film: Film, key: str, n_steps: int = 0) -> Any:
    shown = {field.name: getattr(film, field.name) for field in fields(Film)}
    return _watch(
        data={**shown, "src": f"/clips/{film.clip}.mp4", "n_steps": n_steps},
        default={"heard": None, "pressed": None},
        on_heard_change=lambda: None,
        on_pressed_change=lambda: None,
        key=key,
    )
