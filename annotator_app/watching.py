"""A clip to look at, inside a page: as a component, because the clip is served by our own route."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import streamlit as st

from caer_build.annotation.viewing import Film

_FOLDER = Path(__file__).parent / "player"


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


_watch = st.components.v2.component(
    "caer_watch", html=_text("watch.html"), css=_text("player.css"), js=_text("watch_boot.js")
)


def watch(film: Film, key: str) -> None:
    """Plays a clip in a loop, to look at."""
    shown = {field.name: getattr(film, field.name) for field in fields(Film)}
    _watch(data={**shown, "src": f"/clips/{film.clip}.mp4"}, key=key)
