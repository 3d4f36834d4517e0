"""Where a request comes from, and under which address it reached us.

Behind a reverse proxy both stand in headers, which anybody can write: they are believed only
from the addresses that were named when the server was started.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from starlette.datastructures import Headers
from starlette.types import Scope

from annotator_app.place import Place

_MAX_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as far as the network knows.

    Attributes:
        address: of the person's machine.
        origin: ``https://host:port`` under which this server was reached.
        vouched: the person's name as a trusted proxy gives it.
    """

    address: str
    origin: str
    vouched: str | None

    @property
    def is_tls(self) -> bool:
        return self.origin.startswith("https://")


def caller_of(scope: Scope, place: Place) -> Caller:
    """The caller of a request or socket."""
    headers = Headers(scope=scope)
    peer = scope["client"][0] if scope.get("client") else ""
    is_proxied = _is_trusted(peer, place)
    address, scheme = peer, {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
    vouched = None
    if is_proxied:
        address = _first_stranger(headers.get("x-forwarded-for", ""), place) or peer
        if headers.get("x-forwarded-proto", "").split(",")[-1].strip() == "https":
            scheme = "https"
        if place.trust_header is not None:
            vouched = headers.get(place.trust_header, "").strip()[:_MAX_SUBJECT] or None
    origin = place.origin or f"{scheme}://{headers.get('host', '')}"
    return Caller(address, origin, vouched)


def _is_trusted(address: str, place: Place) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in place.trusted_proxies)


def _first_stranger(forwarded_for: str, place: Place) -> str | None:
    """The nearest address that is none of our proxies; what stands before it may be made up."""
    for address in reversed([a.strip() for a in forwarded_for.split(",") if a.strip()]):
        if not _is_trusted(address, place):
            return address
    return None
