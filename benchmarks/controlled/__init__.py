"""A controlled experiment: what face, context, attention, fusion and hiding are each worth."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from benchmarks.controlled.cells import CELLS, FULL, REDUCED
from benchmarks.controlled.reckoning import rows
from benchmarks.controlled.rules import verdicts
from benchmarks.controlled.running import outcome_of, run_cells
from benchmarks.data import cache_folder
from benchmarks.reporting import Row
from caer_build.caernet.distributed import device_of
from caer_build.errors import RecipeError

PROTOCOL = """
CAER-Net-S in a world whose truth is known (benchmarks/controlled): an emotion, uniform over seven,
is told by a real face (FER+, majority protocol, its own splits, pictures that stand in several
splits kept in one) and by an emblem among distractors in a drawn room. The face is turned,
enlarged, shifted, mirrored at random, and sharp (0.4), blurred (0.3) or badly blurred (0.3); the
cue is absent (0.3), faint (0.3; the label's in 0.5) or clear (0.4; in 0.85). Boxes, backgrounds,
distractors and bystanders say nothing about the label; splits share no face and no background.
Every cell has the same samples, epochs and search: the first seed is trained with each learning
rate, the one that is best on validation holds for all
seeds. full: 40,000 samples to train on, 4,000, 10,000 to test on, 96 and 112 px, 20 epochs, three
rates, five seeds. reduced: 90,000 to train on, 2,000, 10,000, 48 and 64 px, two epochs,
one rate (no search), one seed, eleven cells, no motion, and larger cues (0.3 to 0.5 of the
picture's side, not 0.14 to 0.32), so that so short a training can learn them.
motion: CAER-Net, clips of 16 frames in which one emblem tells the emotion by how it moves; 8,000
to train on, 1,000, 4,000; frozen: one moment of that, in which nothing is told.
Figures are means over seeds on the test split; low and high: the 95 % interval of 2,000 resamples
of the test split's face pictures (not of seeds, whose deviation is sd); a difference is of the same
samples, in points. conflict: samples with a cue that speaks against the label. attention_on_face:
share of the attention on the target's box, hidden or not; even: what even attention would leave
there, as a network without attention does. validation: accuracy of the first seed's best epoch
there. bits: of the numbers that convolutions compute with (bf16 where the machine has it).
face_weight: of the fusion, where the face is sharp and no cue is there, and where it is badly
blurred and the cue clear. ceiling: the best any observer can do who reads cues perfectly, and faces
perfectly or as often right, of each blur, as the network that is trained on the faces alone (face,
not placed; without it: face); unweighted: blind to blur and faintness.
Rules, set before the test split of this seed was seen (passed: 1 or 0). Required: both - face and
both - context have an interval above 0. Null controls: the interval of cue says nothing: both -
face includes 0 or is below; mask only: context has an interval that contains 1/7, as has motion
frozen: context; cue everywhere: context has an interval above 2/7, and that of its difference to
no attention includes 0 or is below. What attention, fusion and hiding are worth is reported,
whatever its sign: no rule asks for any.
"""


def run(reduced: bool = False, device: str = "auto", only: Sequence[str] = ()) -> Iterator[Row]:
    """Train what is not yet trained, in the cache; the figures of every cell that is there.

    Args:
        device: auto, cpu or cuda; auto: a GPU where there is one.
        only: names of cells to run; none: all.

    Raises:
        DeviceError: if the device is not there.
        RecipeError: if there is no such cell.
    """
    unknown = set(only) - {cell.name for cell in CELLS}
    if unknown:
        known = "; ".join(cell.name for cell in CELLS)
        raise RecipeError(f"No cell {', '.join(sorted(unknown))}.", f"There are: {known}.")
    effort = REDUCED if reduced else FULL
    place = cache_folder() / f"controlled-{effort.name}"
    wanted = [cell for cell in CELLS if cell.name in (only or effort.only or [cell.name])]
    run_cells(wanted, effort, place, device_of(device), _say)
    found = {cell.name: outcome_of(cell, effort, place) for cell in CELLS}
    outcomes = {name: outcome for name, outcome in found.items() if outcome is not None}
    figures = list(rows(effort, outcomes))
    yield from figures
    yield from verdicts(figures)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
