"""The page on which clips are labelled. All of it happens in the player, which asks the server
itself: this script runs once a visit, not once a key."""

from __future__ import annotations

import streamlit as st

from annotator_app.player.component import show_player
from annotator_app.session import visit_as

_CLOSE_TO_THE_EDGES = """<style>
[data-testid="stMainBlockContainer"] { padding: 3.9rem 1.5rem 0.25rem; max-width: 1500px; }
@media (max-width: 640px) { [data-testid="stMainBlockContainer"] { padding: 3.8rem 0.6rem 0; } }
</style>"""
"""A clip, an answer and all keys fit on a screen of 1366x768 only without wide margins."""

visit_as("annotator", "adjudicator")
st.html(_CLOSE_TO_THE_EDGES)
show_player(key="player")
