"""Who I am here, and the way out."""

from __future__ import annotations

import streamlit as st

from annotator_app.managing import begin, plain
from annotator_app.session import sign_out, visit

here = visit()
begin(plain(here.account.name))
st.write(f"You take part in **{here.office.settings.title}** as {here.account.role}.")
if here.account.languages:
    st.write(f"Languages you understand: {here.account.languages}")
if st.button("Sign out", icon=":material/logout:"):
    sign_out()
