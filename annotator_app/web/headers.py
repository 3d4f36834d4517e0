"""Headers that tell the browser what our pages may do."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import MutableHeaders

from annotator_app.session import SCRIPTS

DOOR_POLICY = (
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
LEAVING_POLICY = f"{DOOR_POLICY}; script-src 'self'; connect-src 'self'"
"""of the way out, where a script of ours sends what has not arrived yet"""
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def add_security_headers(headers: MutableHeaders, path: str, is_tls: bool) -> None:
    """Adds what a response of ours always has; what a route set itself stays."""
    # Frames of components are our own pages inside our own pages.
    ancestors = "'self'" if path.startswith("/component/") else "'none'"
    wanted = {
        "Content-Security-Policy": f"{app_policy()}; frame-ancestors {ancestors}",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    }
    if not path.startswith("/static/"):
        wanted["Cache-Control"] = "private, no-store"
    if is_tls:
        wanted["Strict-Transport-Security"] = "max-age=31536000"
    for name, value in wanted.items():
        headers.setdefault(name, value)


@lru_cache(maxsize=1)
def app_policy() -> str:
    """What Streamlit's page needs: its own files, its one inline script, inline styles."""
    scripts = [*_INLINE_SCRIPT.findall(_streamlit_page()), *SCRIPTS]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'self'; script-src 'self' blob: {hashes}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; font-src 'self' data:; "
        "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'"
    )


def _streamlit_page() -> str:
    import streamlit

    return (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
