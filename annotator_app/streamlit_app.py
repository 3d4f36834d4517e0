"""The script that Streamlit runs: which pages this visitor has."""

from __future__ import annotations

import streamlit as st

from annotator_app.pages import pages_of
from annotator_app.session import visit
from annotator_app.styling import ALL_PAGES
from annotator_app.web.rendering import icon_as_data

here = visit()
# As data: Streamlit would fetch the icon of a page from elsewhere.
st.set_page_config(page_title=here.office.settings.title, page_icon=icon_as_data(), layout="wide")
offered = [
    st.Page(
        f"app_pages/{page.path}.py",
        title=page.title,
        icon=f":material/{page.icon}:",
        url_path=page.path,
        default=number == 0,
    )
    for number, page in enumerate(pages_of(here.account.role))
]
st.html(ALL_PAGES)
st.navigation(offered, position="top").run()
