"""One label out of several answers: every rule against answers whose truth is known."""

from __future__ import annotations

import csv
import importlib.metadata
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.data import test_data
from benchmarks.reporting import Row
from benchmarks.simulated_votes import Said, simulate
from caer_build.dataset.ballots import Ballot
from caer_build.dataset.rules import RULES, Verdict, shares
from caer_build.records import EMOTIONS

PROTOCOL = """accuracy: share of items whose label is the truth; a tie, and a label that a rule does
not give because nobody is sure, count as wrong. accuracy.expected: a tie counts as what guessing
among its labels comes to. face_sentiment: 584 pictures, 27 workers, 5,242 answers (Zheng et al.,
PVLDB 2017); paper and agreeing are not in it: they ask for confidence, and these answers have none.
crowd-kit's own rows decide ties by order, and its MACE begins at random, worker by worker in the
order of the file; ours begins in an order that the answers decide. synthetic-sure: 3,000 clips, six
annotators, three answers each, who err more when they say that they are unsure; synthetic-noise:
the same, confidence drawn at random. synthetic-few-sure and -noise: 300 clips, 50 annotators, so 18
answers a person. Means over ten seeds."""

SEEDS = range(10)
_ASK_FOR_CONFIDENCE = ("paper", "agreeing")
_SIMULATED = {"": (3000, 6), "-few": (300, 50)}
"""clips and annotators of each kind"""
_PEERS = {"majority": "MajorityVote", "dawid-skene": "DawidSkene", "mace": "MACE", "glad": "GLAD"}


def face_sentiment() -> tuple[list[Ballot], list[str], tuple[str, ...]]:
    """The ballots, their truth, and the categories that there are."""
    place = test_data() / "votes"
    answers: dict[str, list[Said]] = defaultdict(list)
    for row in _rows(place / "face_sentiment_answers.csv"):
        answers[row["question"]].append(Said(row["worker"], row["answer"], None))
    truth = {row["question"]: row["truth"] for row in _rows(place / "face_sentiment_truth.csv")}
    ballots = [
        Ballot(question, tuple(sorted(said, key=lambda s: s.annotator_id)), None, len(said))
        for question, said in sorted(answers.items())
    ]
    return ballots, [truth[b.clip_id] for b in ballots], tuple(sorted(set(truth.values())))


def run() -> Iterator[Row]:
    ballots, truth, categories = face_sentiment()
    for name in (name for name in RULES if name not in _ASK_FOR_CONFIDENCE):
        verdicts = RULES[name](ballots, categories)
        yield Row("face_sentiment", "ours", f"accuracy.{name}", accuracy(verdicts, truth))
    expected = expected_accuracy(ballots, truth, categories)
    yield Row("face_sentiment", "ours", "accuracy.expected.majority", expected)
    yield from _peers(ballots, truth)
    for kind, (n_clips, n_people) in _SIMULATED.items():
        for confidence in ("sure", "noise"):
            found = defaultdict(list)
            for seed in SEEDS:
                ballots, truth = simulate(
                    seed, informative=confidence == "sure", n_clips=n_clips, n_people=n_people
                )
                for name, rule in RULES.items():
                    found[name].append(accuracy(rule(ballots, EMOTIONS), truth))
            for name, values in found.items():
                mean = sum(values) / len(values)
                yield Row(f"synthetic{kind}-{confidence}", "ours", f"accuracy.{name}", mean)


def accuracy(verdicts: Sequence[Verdict], truth: Sequence[str]) -> float:
    """Share of verdicts whose emotion is the true one."""
    right = [v.consensus.emotion == true for v, true in zip(verdicts, truth, strict=True)]
    return sum(right) / len(right)


def expected_accuracy(
    ballots: Sequence[Ballot], truth: Sequence[str], categories: Sequence[str]
) -> float:
    """What the majority comes to if a tie is decided by lot."""
    return sum(
        _expected(shares(ballot, categories) or (), categories, true)
        for ballot, true in zip(ballots, truth, strict=True)
    ) / len(truth)


def _expected(soft: Sequence[float], categories: Sequence[str], true: str) -> float:
    best = [name for name, p in zip(categories, soft, strict=True) if p == max(soft)]
    return (true in best) / len(best)


def _peers(ballots: Sequence[Ballot], truth: Sequence[str]) -> Iterator[Row]:
    import pandas as pd
    from crowdkit import aggregation

    rows = [(b.clip_id, a.annotator_id, a.emotion) for b in ballots for a in b.answers]
    table = pd.DataFrame(rows, columns=["task", "worker", "label"])
    system = f"crowd-kit {importlib.metadata.version('crowd-kit')}"
    for name, peer in _PEERS.items():
        found = getattr(aggregation, peer)().fit_predict(table)
        right = [found[b.clip_id] == true for b, true in zip(ballots, truth, strict=True)]
        yield Row("face_sentiment", system, f"accuracy.{name}", sum(right) / len(right))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))
