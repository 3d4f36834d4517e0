"""The player as a Streamlit component; imported once, drawn by the page at every run."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).parent


def _text(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


show_player = st.components.v2.component(
    "caer_player", html=_text("player.html"), css=_text("player.css"), js=_text("boot.js")
)
