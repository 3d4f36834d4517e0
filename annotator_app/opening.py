"""From what the command line was told to the place that is served."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from annotator_app.place import Network, Place
from caer_build.annotation.database import Database
from caer_build.annotation.freezing import FOLDER
from caer_build.annotation.office import Office
from caer_build.annotation.whereabouts import recall
from caer_build.errors import RecipeError
from caer_build.store import Workspace

SECRETS = "secrets.toml"


def place_of(
    workspace: Workspace,
    database: Database,
    base_url: str | None,
    trust_header: str | None,
    trusted_proxies: Sequence[str],
) -> Place:
    """The place to serve.

    Raises:
        RecipeError: if an option cannot be right.
        VoteError: if the database holds no project.
    """
    networks = tuple(_network(proxy) for proxy in trusted_proxies)
    if trust_header is not None and not networks:
        raise RecipeError(
            "--trust-header without --trusted-proxy would let anybody be anybody.",
            "Name the proxy's address with --trusted-proxy.",
        )
    return Place(
        workspace=workspace,
        office=Office(database),
        base_url=_checked(base_url or recall(workspace).base_url),
        trust_header=trust_header,
        trusted_proxies=networks,
        secrets=_secrets(workspace),
    )


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise RecipeError(
            f"--trusted-proxy: {text!r} is no address.", "Give one such as 127.0.0.1."
        ) from error


def _checked(base_url: str | None) -> str | None:
    if base_url is None:
        return None
    parts = urlsplit(base_url)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.path.strip("/"):
        raise RecipeError(
            f"--base-url: expected https://HOST without a path, found {base_url!r}.",
            "The app needs a host name of its own.",
        )
    return base_url.rstrip("/")


def _secrets(workspace: Workspace) -> dict[str, Any]:
    file = workspace.root / FOLDER / SECRETS
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is no TOML: {error}.", "Correct it.") from error
