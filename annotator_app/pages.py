"""Which pages there are, and for whom. The server and the navigation both go by this table."""

from __future__ import annotations

from dataclasses import dataclass

EVERYBODY = ("annotator", "adjudicator", "manager")


@dataclass(frozen=True, slots=True)
class AppPage:
    """A page of the app.

    Attributes:
        path: in its URL, and the name of its file in ``app_pages``.
        icon: of Google's Material Symbols.
        roles: who may open it; the first page of a role is its home.
    """

    path: str
    title: str
    icon: str
    roles: tuple[str, ...]


PAGES = (
    AppPage("annotate", "Label clips", "play_circle", ("annotator", "adjudicator")),
    AppPage("progress", "Progress", "monitoring", ("manager",)),
    AppPage("agreement", "Agreement", "handshake", ("manager",)),
    AppPage("review", "Clips", "movie", ("manager",)),
    AppPage("adjudicate", "Ties", "balance", ("adjudicator", "manager")),
    AppPage("people", "People", "group", ("manager",)),
    AppPage("export", "Export", "download", ("manager",)),
    AppPage("guide", "Guide", "menu_book", EVERYBODY),
    AppPage("account", "Account", "account_circle", EVERYBODY),
)


def pages_of(role: str) -> list[AppPage]:
    """The pages of a role, its home first."""
    return [page for page in PAGES if role in page.roles]


def is_home(path: str, role: str) -> bool:
    """Whether a URL path names the role's first page, which Streamlit knows as ``/`` only."""
    return path.strip("/") == pages_of(role)[0].path


def is_forbidden(path: str, role: str) -> bool:
    """Whether a URL path names a page of other roles."""
    name = path.strip("/").split("/")[0]
    return any(page.path == name and role not in page.roles for page in PAGES)
