"""What only people know of a data set: name, licence, rights, consent, who labelled it, what for.

It is given as a TOML file (``caer export --about about.toml``), goes into ``dataset.json`` and
from there into the card and the Croissant metadata. Whatever is left away stays visibly missing
there: nothing is made up.
"""

from __future__ import annotations

import datetime
import textwrap
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from caer_build.errors import RecipeError

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Address = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^https?://\S+$")]


class About(BaseModel):
    """The statements of a data set's makers; all may be left away."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Text | None = Field(None, description="what the data set is called")
    version: Text | None = Field(None, description='of the data set, such as "1.0.0"')
    description: Text | None = Field(None, description="in a few sentences, what it is for")
    creators: list[Text] | None = Field(None, min_length=1, description="people who made it")
    institutions: list[Text] | None = Field(None, min_length=1, description="where it was made")
    contact: Text | None = Field(None, description="where questions and complaints go")
    url: Address | None = Field(None, description="its page")
    citation: Text | None = Field(None, description="how to cite it, BibTeX if possible")
    published: datetime.date | None = Field(None, description="the day it was published")
    licence: Text | None = Field(
        None, description='of labels, boxes and metadata: an SPDX name such as "CC-BY-4.0", or text'
    )
    licence_url: Address | None = Field(None, description="where the licence can be read")
    rights: Text | None = Field(
        None, description="who holds the rights of the episodes, and by what right they are used"
    )
    consent: Text | None = Field(
        None, description="whether the people who are seen agreed, and how one can object"
    )
    ethics: Text | None = Field(None, description="which board looked at it, and what it decided")
    collected_from: datetime.date | None = Field(None, description="first day of collection")
    collected_to: datetime.date | None = Field(None, description="last day of collection")
    languages: list[Text] | None = Field(
        None, min_length=1, description='spoken in the episodes, such as ["en"]'
    )
    annotator_recruitment: Text | None = Field(
        None, description="how those who labelled were found and instructed"
    )
    annotator_payment: Text | None = Field(None, description="what they were paid")
    annotator_demographics: Text | None = Field(
        None, description="their ages, genders, languages and countries, as far as they agreed"
    )
    intended_uses: Text | None = Field(None, description="what it is to be used for")
    uses_to_avoid: Text | None = Field(None, description="what it is not to be used for")
    maintenance: Text | None = Field(None, description="who mends errors, and for how long")

    @model_validator(mode="after")
    def _in_order(self) -> About:
        first, last = self.collected_from, self.collected_to
        if first is not None and last is not None and last < first:
            raise ValueError("collected_to: expected a day after collected_from")
        return self


def read_about(file: Path) -> dict[str, Any]:
    """The statements in a file, without those that are left away; JSON.

    Raises:
        RecipeError: naming every problem.
    """
    try:
        said = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise RecipeError(
            f"{file} cannot be read: {error.strerror}.", "Begin with `caer about > about.toml`."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{file} is not TOML: {error}.") from error
    try:
        about = About.model_validate(said)
    except ValidationError as error:
        problems = "\n  ".join(_problem(e) for e in error.errors())
        raise RecipeError(f"{file} cannot be right:\n  {problems}") from error
    return about.model_dump(mode="json", exclude_none=True)


def template() -> str:
    """A file to begin with: every statement as a comment under what it asks for."""
    lines = [
        "# What only you know of the data set: caer export WORK -o OUT --about about.toml",
        "# Take the # away before what you fill in. What you leave out is printed as NOT STATED.",
    ]
    for name, info in About.model_fields.items():
        lines += ["", *textwrap.wrap(f"# {info.description}", 98, subsequent_indent="# ")]
        lines.append(f"# {name} = {_example(str(info.annotation))}")
    return "\n".join(lines) + "\n"


def _example(annotation: str) -> str:
    if "datetime.date" in annotation:
        return "2026-01-31"
    return '[""]' if annotation.startswith("list") else '""'


def _problem(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{where}: no such statement; there are {', '.join(About.model_fields)}"
    if not where:
        return str(error["msg"].removeprefix("Value error, "))
    return f"{where}: {error['msg']}, found {error['input']!r}"
