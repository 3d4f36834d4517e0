"""What a running server works on. One process serves one project.

Routes are handed the place when they are made; pages, which Streamlit runs from their files, ask
:func:`current`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from caer_build.annotation.office import Office
from caer_build.store import Workspace

Network: TypeAlias = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Place:
    """A project that is being served.

    Attributes:
        base_url: under which people reach it, without a slash at the end; None: whatever they
            typed.
        trust_header: the header in which a reverse proxy names who signed in there.
        trusted_proxies: whose ``X-Forwarded-*`` and trusted header are believed.
        secrets: the project's ``secrets.toml`` (OIDC), empty without one.
    """

    workspace: Workspace
    office: Office
    base_url: str | None = None
    trust_header: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    secrets: Mapping[str, Any] = field(default_factory=dict)

    @property
    def origin(self) -> str | None:
        """``https://host:port`` of ``base_url``."""
        if self.base_url is None:
            return None
        parts = urlsplit(self.base_url)
        return f"{parts.scheme}://{parts.netloc}"


_current: list[Place] = []


def serve_from(place: Place) -> None:
    """Makes it the place of this process."""
    _current[:] = [place]


def current() -> Place:
    """The place of this process.

    Raises:
        RuntimeError: if the page was started by itself, past the server that guards it.
    """
    if not _current:
        raise RuntimeError("Start the app with: caer annotate serve WORK")
    return _current[0]
