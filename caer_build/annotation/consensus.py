"""From the answers of several people to one label: the paper's rule, as a pure function.

The paper (section 4.1): a clip is kept when at least two of its three annotators chose the same
category and the mean of the confidences is at least 0.5. What it leaves open is decided here:

- "Cannot tell" and "broken" are answers that agree with no emotion and carry no confidence.
- The rule for any number of answers is more than half of all of them, which is two of three, and
  never a tie. (Two thirds would be the other reading; then a clip that three people saw in three
  ways could not be rescued by two more who agree.)
- No emotion and no flags with more than half: a tie, never broken by order.
- The mean is over all answers with a confidence, agreeing or not, and exact: steps are whole
  numbers, so 0.6, 0.7 and 0.2 make 0.5 and are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, Protocol, get_args

Status = Literal["label", "tie", "low_confidence", "cannot_tell", "broken", "incomplete"]
STATUSES: tuple[str, ...] = get_args(Status)
THRESHOLD = Fraction(1, 2)
"""least mean confidence, [0, 1]"""


class Answered(Protocol):
    """What the rule looks at in an answer; votes and rows of the database have it."""

    @property
    def emotion(self) -> str | None: ...
    @property
    def flag(self) -> str | None: ...
    @property
    def confidence_step(self) -> int | None: ...
    @property
    def confidence_steps(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a clip's answers come to.

    Attributes:
        emotion: of the label; None unless the status is "label".
        n_agreeing: answers for the emotion that most chose, or, where flags reject the clip, for
            the flag that is its status.
        mean_confidence: [0, 1], exact; None where no answer has one.
    """

    emotion: str | None
    status: Status
    n_answers: int
    n_agreeing: int
    mean_confidence: Fraction | None


def paper_rule(
    answers: Sequence[Answered],
    needed: int = 3,
    threshold: Fraction | None = THRESHOLD,
    *,
    agreeing_only: bool = False,
) -> Consensus:
    """The paper's rule.

    Args:
        answers: of different people for one clip, in any order; those that stand.
        needed: answers that the clip is to get; with fewer it is incomplete.
        threshold: least mean confidence; None: it is not asked for.
        agreeing_only: the mean is over the answers for the emotion that most chose.
    """
    n = len(answers)
    emotions = Counter(a.emotion for a in answers if a.emotion is not None)
    flags = Counter(a.flag for a in answers if a.flag is not None)
    emotion, most = min(emotions.items(), key=_most_first, default=(None, 0))
    asked = [a for a in answers if a.emotion == emotion] if agreeing_only else answers
    mean = _mean_confidence(asked)
    if n < needed:
        return Consensus(None, "incomplete", n, most, mean)
    if 2 * flags.total() > n:
        # As many of both: a broken clip can be looked at and mended, and explains the others.
        broken = flags["broken"] >= flags["cannot_tell"]
        flag: Status = "broken" if broken else "cannot_tell"
        return Consensus(None, flag, n, flags[flag], mean)
    if 2 * most <= n or mean is None:
        return Consensus(None, "tie", n, most, mean)
    if threshold is not None and mean < threshold:
        return Consensus(None, "low_confidence", n, most, mean)
    return Consensus(emotion, "label", n, most, mean)


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    """By count, then by name: what is returned never depends on the order of the answers."""
    return -item[1], item[0]


def _mean_confidence(answers: Iterable[Answered]) -> Fraction | None:
    steps: Counter[int] = Counter()
    n_sure = 0
    for answer in answers:
        if answer.confidence_step is not None:
            steps[answer.confidence_steps] += answer.confidence_step
            n_sure += 1
    if not n_sure:
        return None
    return sum((Fraction(s, k - 1) for k, s in steps.items()), Fraction(0)) / n_sure
