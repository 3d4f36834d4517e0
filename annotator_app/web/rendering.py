"""Turning the doors' templates into pages."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response

_FOLDER = Path(__file__).parent / "templates"
_STYLE, _ICON = "door.css", "icon.svg"


@lru_cache(maxsize=1)
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def page(template: str, status: int, policy: str, **said: object) -> HTMLResponse:
    """A page from its template; everything said is escaped."""
    text = _templates().get_template(f"{template}.html.jinja").render(**said)
    return HTMLResponse(text, status, {"Content-Security-Policy": policy})


async def style(request: Request) -> Response:
    """The pages' style sheet."""
    if request.path_params["name"] != _STYLE:
        return PlainTextResponse("Not found.", 404)
    return Response(_style(), media_type="text/css", headers={"Cache-Control": "no-cache"})


async def icon(_request: Request) -> Response:
    """What stands in the browser's tab."""
    return FileResponse(_FOLDER / _ICON, media_type="image/svg+xml")


@lru_cache(maxsize=1)
def icon_as_data() -> str:
    """The same as a URL that holds it."""
    return f"data:image/svg+xml;base64,{b64encode((_FOLDER / _ICON).read_bytes()).decode()}"


@lru_cache(maxsize=1)
def _style() -> str:
    """With the font of the app, which Streamlit brings along."""
    import streamlit

    media = Path(streamlit.__file__).parent / "static" / "static" / "media"
    fonts = sorted(media.glob("SourceSansVF-Upright*.woff2"))
    text = (_FOLDER / _STYLE).read_text("utf-8")
    if not fonts:
        return text
    return (
        '@font-face { font-family: "Source Sans"; font-weight: 200 900; '
        f'src: url("/static/media/{fonts[0].name}") format("woff2"); }}\n{text}'
    )
