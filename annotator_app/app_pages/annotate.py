"""The page on which clips are labelled. All of it happens in the player, which asks the server
itself: this script runs once a visit, not once a key."""

from __future__ import annotations

import streamlit as st

from annotator_app.player.component import show_player
from annotator_app.session import visit_as
from annotator_app.styling import CLOSE_TO_THE_EDGES

visit_as("annotator", "adjudicator")
st.html(CLOSE_TO_THE_EDGES)
show_player("/api", key="player")
