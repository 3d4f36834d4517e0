"""How the templates of the HTML reports are read."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(**filters: Callable[..., Any]) -> Environment:
    """The templates that lie here, with ``css``, ``dataset_css`` and ``js``.

    Everything is escaped but those, which are our own.
    """
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    folder = resources.files("caer_build.report")

    def read(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    found = Environment(
        loader=FunctionLoader(read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(filters)
    found.globals["css"] = Markup(read("report.css"))
    found.globals["dataset_css"] = Markup(read("dataset.css"))
    found.globals["js"] = Markup(read("report.js"))
    return found
