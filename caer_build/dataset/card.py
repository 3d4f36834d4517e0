"""The data card: ``README.md`` of every export, made of what was counted and what was stated.

Nothing is made up: what the makers did not state is printed as NOT STATED, with what to fill in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from caer_build.dataset.card_tables import (
    agreement,
    annotators,
    comparison,
    confidence,
    files,
    funnel,
    presence_by_split,
    splits_table,
    table_1,
    ways,
)  # fmt: skip
from caer_build.dataset.card_words import (
    GUARANTEES,
    LIMITS,
    LOADING,
    RULES,
    leaks,
    two_emotions,
)
from caer_build.dataset.describing import Described
from caer_build.dataset.voting import Voting, count_votes

_NAME = ("name", "Name")
_OF_IT = (
    ("version", "Version"),
    ("creators", "Made by"),
    ("institutions", "At"),
    ("contact", "Contact"),
    ("url", "Page"),
    ("published", "Published"),
    ("languages", "Languages spoken"),
)
_RIGHTS = (
    ("licence", "Licence of labels, boxes and metadata"),
    ("licence_url", "Its text"),
    ("rights", "Rights of the episodes"),
    ("consent", "Consent of the people seen"),
    ("ethics", "Ethics review"),
)
_COLLECTION = (
    ("collected_from", "Collected from"),
    ("collected_to", "Collected until"),
    ("annotator_recruitment", "How annotators were found"),
    ("annotator_payment", "What they were paid"),
    ("annotator_demographics", "Who they are"),
)
_USES = (
    ("intended_uses", "To be used for"),
    ("uses_to_avoid", "Not to be used for"),
    ("maintenance", "Maintenance"),
)
ASKED = ("name", "description", "citation",
         *(name for part in (_OF_IT, _RIGHTS, _COLLECTION, _USES) for name, _ in part))  # fmt: skip
"""every statement that the card has a place for"""


def card(d: Described) -> str:
    """The card as Markdown, with a line break at its end. Pure."""
    voting = count_votes(d.votes, d.items)
    lines = [line.rstrip() for line in _lines(d, voting)]
    # Parts that have nothing to say leave their blank lines behind.
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept) + "\n"


def _lines(d: Described, voting: Voting) -> Iterator[str]:
    yield from (f"# {_one_line(d.name)}", "", _stated(d, "description"), "")
    yield from _statements(d, _OF_IT if "name" in d.about else (_NAME, *_OF_IT))
    yield from ("", "## What is in it", "", *table_1(d.items), "", *comparison(d))
    yield from ("", "## Splits", "", *splits_table(d.items), "", *presence_by_split(d.items), "")
    yield from (_guarantee(d), "", *ways(d.facts.get("split")), "", *_leaks(d))
    yield from ("", "## From candidates to this data set", "", *funnel(d.facts.get("funnel")))
    yield from ("", "## Labels", "", _rule(d), "", *agreement(voting, d.items))
    yield from ("", *confidence(voting, d.items), "", *annotators(voting), "")
    yield from _statements(d, _COLLECTION)
    yield from ("", "## Rights", "", *_statements(d, _RIGHTS))
    yield from ("", "## Uses and limits", "", *_statements(d, _USES), "")
    yield from (f"- {limit}" for limit in (*LIMITS, *two_emotions(d.items)))
    yield from ("", "## Loading it", "", *LOADING.get(str(d.layout["name"]), ()))
    yield from ("", "## Files", "", *files(d), "", "## Citation", "")
    yield from ("```", _stated(d, "citation"), "```", "", _made_by(d))


def not_stated(name: str) -> str:
    """What stands where nothing was stated."""
    return f"NOT STATED: fill in `{name}` of `caer export --about`"


def _stated(d: Described, name: str) -> str:
    said = d.about.get(name)
    if said is None:
        return not_stated(name)
    return ", ".join(said) if isinstance(said, list) else str(said)


def _statements(d: Described, asked: Sequence[tuple[str, str]]) -> Iterator[str]:
    for name, heading in asked:
        yield f"- **{heading}:** {_one_line(_stated(d, name))}"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _guarantee(d: Described) -> str:
    split = d.facts.get("split")
    if split is None:
        return "NOT RECORDED: how it was split."
    ratio = "/".join(f"{100 * share:g}" for share in split["ratio"])
    n_left_out = len(d.facts.get("left_out", ()))
    left_out = f" {n_left_out} clips would have stood in two splits and were left out."
    released = (
        " Validation was joined to train, as in the released CAER-S."
        if d.layout.get("two_way") else ""
    )  # fmt: skip
    return (
        f"Split by **{split['by']}**, {ratio}, seed {split['seed']}. {GUARANTEES[split['by']]}"
        f"{left_out if n_left_out else ''}{released}"
    )


def _leaks(d: Described) -> Iterator[str]:
    found = leaks(d.said.get("leaks"))
    if found:
        yield "**This data set was exported with leaks** (`--allow-leaks`):"
        yield ""
        yield from (f"- {leak}" for leak in found)


def _rule(d: Described) -> str:
    labels = d.facts.get("labels")
    if labels is None:
        return "NOT RECORDED: the rule that made labels of answers."
    adjudicated = " Ties take what an adjudicator said." if labels.get("adjudicated") else ""
    return f"Rule `{labels['rule']}`: {RULES[labels['rule']]}{adjudicated}"


def _made_by(d: Described) -> str:
    recipe: Any = d.facts.get("recipe")
    of = f", recipe `{recipe}`" if recipe else ""
    program = d.facts.get("made_with", "an unknown program")
    return f"Made with {program}{of}; `dataset.json` has it all."
