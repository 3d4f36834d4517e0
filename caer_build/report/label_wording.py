"""Votes, labels and splits in words, of workspaces and of data sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from caer_build.records import EMOTIONS, CountedVote, Item, Label

_STATUSES = {
    "tie": "no emotion was chosen by enough annotators (a tie)",
    "low_confidence": "they agree, but are not sure enough (low_confidence)",
    "cannot_tell": "more than half of the answers flag the clip, most as one of which nobody can "
    "tell (cannot_tell)",
    "broken": "more than half of the answers flag the clip, most as broken (broken)",
    "incomplete": "answers are missing (incomplete)",
}


def label_lines(label: Label | Item, rule: Mapping[str, Any]) -> list[str]:
    """What the label is, why, and the soft label.

    Args:
        rule: the facts with which labels are kept; empty: not known.
    """
    lines = []
    by = f" by the rule {rule['rule']}" if "rule" in rule else ""
    if isinstance(label, Label) and label.emotion is None:
        lines.append(f"None{by}: {_STATUSES[label.status]}")
    else:
        settled = isinstance(label, Label) and label.status == "adjudicated"
        lines.append(f"{label.emotion or 'none is known'}{', by adjudication' if settled else by}")
    if label.n_votes:
        sure = label.mean_confidence
        confidence = "" if sure is None else f", mean confidence {sure:.3g}"
        lines.append(f"{label.n_agreeing} of {label.n_votes} answers agree{confidence}")
    soft = [(emotion, getattr(label, f"p_{emotion.lower()}")) for emotion in EMOTIONS]
    said = ", ".join(f"{emotion} {p:.3g}" for emotion, p in soft if p)
    return [*lines, f"soft label: {said}"] if said else lines


def vote_lines(votes: Iterable[CountedVote]) -> list[str]:
    """A line an answer; people have pseudonyms."""
    return [f"{vote.annotator_id}: {_said(vote)}" for vote in votes]


def split_how(split: Mapping[str, Any]) -> str:
    """How a split was made, by the facts with which it is kept."""
    if "by" not in split:
        return ""
    ratio = "/".join(f"{100 * share:g}" for share in split["ratio"])
    return f"split by {split['by']}, {ratio}, seed {split['seed']}"


def group_line(group_id: str, n_others: int) -> str:
    """What a clip was kept together with."""
    if not n_others:
        return f"alone in the group {group_id}"
    return f"in the group {group_id} with {n_others} other{'' if n_others == 1 else 's'}"


def _said(vote: CountedVote) -> str:
    as_whom = " (an adjudicator)" if vote.purpose == "adjudication" else ""
    if vote.emotion is None:
        return f"{str(vote.flag).replace('_', ' ')}{as_whom}"
    if vote.confidence_step is None:
        return f"{vote.emotion}{as_whom}"
    return f"{vote.emotion}, confidence {_confidence(vote.confidence_step, vote)}{as_whom}"


def _confidence(step: int, vote: CountedVote) -> str:
    return f"{step / (vote.confidence_steps - 1):.3g}"
