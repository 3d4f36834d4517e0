"""From candidates to data set, reason by reason: the paper gives the two ends, 20,484 and 13,201,
and no reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from caer_build.records import LABEL_STATUSES, REJECT_REASONS, Clip, Label
from caer_build.rows import columns_of

LABELLED = ("label", "adjudicated")


@dataclass(frozen=True, slots=True)
class Step:
    """One reason, or one station, on the way.

    Attributes:
        n_clips: that stopped here; of a station, none.
        n_left: that went on.
        why: in words.
    """

    name: str
    n_clips: int
    n_left: int
    why: str


_WHY = {
    "tie": "no emotion was chosen by enough annotators",
    "low_confidence": "they agree, and are not sure enough",
    "cannot_tell": "most cannot tell",
    "broken": "most say that the clip is broken",
    "incomplete": "answers are missing",
}


def funnel(clips: Sequence[Clip], labels: Sequence[Label]) -> list[Step]:
    """The way of every candidate.

    Args:
        clips: all candidates of the build; labels of clips that it does not keep any more are
            passed over.
    """
    import pyarrow.compute as pc

    candidates = columns_of(Clip, clips, "clip_id", "reject_reason")
    rejected: Counter[str | None] = Counter(candidates["reject_reason"].to_pylist())
    steps = [Step("candidates", 0, len(clips), "around one person in one shot")]

    def lose(name: str, n_clips: int, why: str) -> None:
        if n_clips:
            steps.append(Step(name, n_clips, steps[-1].n_left - n_clips, why))

    def reach(name: str, why: str) -> None:
        steps.append(Step(name, 0, steps[-1].n_left, why))

    for reason in REJECT_REASONS:
        lose(reason, rejected[reason], "screening")
    reach("clips", "kept by the build")
    kept = candidates["clip_id"].filter(candidates["reject_reason"].is_null())
    said = columns_of(Label, labels, "clip_id", "status")
    said = said.filter(pc.is_in(said["clip_id"], kept.combine_chunks()))
    statuses: Counter[str] = Counter(said["status"].to_pylist())
    lose("not asked", len(kept) - statuses.total(), "in no labelling project, so nobody saw them")
    for status in LABEL_STATUSES:
        if status not in LABELLED:
            lose(status, statuses[status], _WHY[status])
    reach("labelled", "clips with a label")
    return steps


def to_data_set(steps: Sequence[Step], n_left_out: int) -> list[Step]:
    """The rest of the way of labelled clips.

    Args:
        steps: of :func:`funnel`.
        n_left_out: labelled clips to which no split was given.
    """
    n_left = steps[-1].n_left - n_left_out
    lost = Step("left out", n_left_out, n_left, "would have stood in two splits")
    return [*steps, *([lost] if n_left_out else []), Step("data set", 0, n_left, "in a split")]
