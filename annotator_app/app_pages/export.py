"""The votes as files; for managers."""

from __future__ import annotations

import streamlit as st

from annotator_app.managing import begin
from annotator_app.session import visit_as
from caer_build.annotation.accounts import Account
from caer_build.annotation.office import Office

_FORMATS = {
    "CSV": ("csv", "For spreadsheets and R."),
    "JSON lines": ("jsonl", "One answer a line."),
    "Parquet": ("parquet", "For pandas and this package."),
    "Label Studio": ("json", "Tasks with annotations."),
}


def show(_office: Office, _account: Account) -> None:
    """The page."""
    begin("Export")
    st.write(
        "All answers of all purposes, with the times they were given and how often the clip was "
        "played. People are called by pseudonyms that stay the same from export to export and say "
        "nothing of who they are."
    )
    only_latest = st.toggle("Leave out answers that were changed later")
    query = "?latest=1" if only_latest else ""
    for column, (title, (ending, words)) in zip(
        st.columns(len(_FORMATS)), _FORMATS.items(), strict=True
    ):
        with column.container(border=True, height="stretch"):
            st.subheader(title)
            st.write(words)
            st.link_button(
                f"votes.{ending}", f"/files/votes.{ending}{query}",
                icon=":material/download:", width="stretch",
            )  # fmt: skip
    st.caption("The same from a terminal: caer annotate export WORK votes.csv")


if __name__ == "__main__":
    here = visit_as("manager")
    show(here.office, here.account)
