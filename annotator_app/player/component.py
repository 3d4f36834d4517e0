"""The player as a Streamlit component; imported once, drawn by the page at every run."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


_player = st.components.v2.component(
    "caer_player", html=_text("player.html"), css=_text("player.css"), js=_text("boot.js")
)


def show_player(desk: str, key: str) -> None:
    """The player at a desk; the page runs again after a decision that it tells of itself.

    Args:
        desk: where its requests go: ``/api``, or what :mod:`annotator_app.web.ties` serves.
    """
    _player(data={"desk": desk}, on_decided_change=lambda: None, key=key)
