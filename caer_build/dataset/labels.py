"""Labels of a workspace: made of its ballots by a rule, kept with what they were made of.

``WORK/tables/labels.parquet`` says in its own metadata by which rule and from which clips and
votes it was made, so nobody can split or export labels of another build without being told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, cast

from caer_build.dataset.ballots import Answer, Ballot
from caer_build.dataset.rules import RULES, Verdict
from caer_build.errors import DatasetError, RecipeError
from caer_build.records import EMOTIONS, CountedVote, Label, LabelStatus, VoteFlag, VotePurpose
from caer_build.store import Workspace, sha256_of
from caer_build.tables import facts_of


def make_labels(
    ballots: Sequence[Ballot], rule: str = "paper", *, adjudicated: bool = False
) -> list[Label]:
    """The labels of ballots, by clip_id. Pure.

    Args:
        rule: one of ``RULES``.
        adjudicated: a tie, or an agreement without confidence, takes the emotion that an
            adjudicator gave the clip, if one did. The paper knows no adjudicators.

    Raises:
        RecipeError: if there is no such rule.
    """
    if rule not in RULES:
        raise RecipeError(f"No rule {rule!r}.", f"The rules are {', '.join(RULES)}.")
    ordered = sorted(ballots, key=lambda ballot: ballot.clip_id)
    verdicts = RULES[rule](ordered, EMOTIONS)
    return [
        _label(verdict, ballot.adjudication if adjudicated else None)
        for ballot, verdict in zip(ordered, verdicts, strict=True)
    ]


def _label(verdict: Verdict, adjudication: Answer | None) -> Label:
    found = verdict.consensus
    emotion: str | None = found.emotion
    status: LabelStatus = found.status
    decided = None if adjudication is None else adjudication.emotion
    if decided is not None and status in ("tie", "low_confidence"):
        emotion, status = decided, "adjudicated"
    soft = verdict.soft or (None,) * len(EMOTIONS)
    mean = None if found.mean_confidence is None else float(found.mean_confidence)
    return Label(verdict.clip_id, emotion, status, found.n_answers, found.n_agreeing, mean, *soft)


def counted_votes(ballots: Sequence[Ballot]) -> list[CountedVote]:
    """What labels are made of, as it is kept beside them and goes into exports."""
    rows = []
    for ballot in ballots:
        rows += [_counted(ballot.clip_id, "vote", answer) for answer in ballot.answers]
        if ballot.adjudication is not None:
            rows.append(_counted(ballot.clip_id, "adjudication", ballot.adjudication))
    return rows


def _counted(clip_id: str, purpose: VotePurpose, answer: Answer) -> CountedVote:
    return CountedVote(
        clip_id, answer.annotator_id, purpose, answer.emotion, cast("VoteFlag | None", answer.flag),
        answer.confidence_step, answer.confidence_steps,
    )  # fmt: skip


def facts_about(workspace: Workspace, ballots: Sequence[Ballot], **how: object) -> dict[str, Any]:
    """What labels are made of: the digests of the clips and of the answers, and how."""
    return {
        "clips_sha256": sha256_of(workspace.tables / "clips.parquet"),
        "answers_sha256": _digest(ballots),
        **how,
    }


def made_of(workspace: Workspace) -> dict[str, Any]:
    """What the labels of a workspace were made of.

    Raises:
        DatasetError: if the clips were built anew since, or the votes beside them are others.
    """
    facts = facts_of(workspace, Label)
    if facts_of(workspace, CountedVote) != facts:
        raise DatasetError(
            f"The votes that {workspace.root} keeps are not those that its labels were made of.",
            "Run `caer label` again: it was stopped half way, or its tables come from two runs.",
        )
    if facts["clips_sha256"] != sha256_of(workspace.tables / "clips.parquet"):
        raise DatasetError(
            f"The labels of {workspace.root} are of an earlier build than its clips.",
            "Run `caer annotate init` and `caer label` again.",
        )
    return facts


def _digest(ballots: Sequence[Ballot]) -> str:
    said = [
        [
            b.clip_id,
            b.needed,
            [_said(a) for a in b.answers],
            b.adjudication and _said(b.adjudication),
        ]
        for b in ballots
    ]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def _said(answer: Answer) -> list[Any]:
    return [
        answer.annotator_id,
        answer.emotion or answer.flag,
        answer.confidence_step,
        answer.confidence_steps,
    ]
