"""How often an ideal observer could be right, in closed form, given what the samples are drawn by.

The cue is read without error. How often a face can be read right is not known of anybody, so it is
an argument: a(blur), measured or assumed (1: a perfect reader). The reader of faces is taken to
err evenly: he says each of the six others as often as the next. Face and cue are independent given
the label, which the generator sees to.

Two witnesses, right with probability a and r. Of all that they can say the observer takes the
likeliest label; summed over it, he is right with probability

::

    they agree (7 ways):     max(a r, (1 - a)(1 - r) / 36)
    they differ (42 ways):   max(a (1 - r), (1 - a) r, (1 - a)(1 - r) / 6)

where the terms are: both right, or both wrong alike; the first right, the second, or neither.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.controlled.setting import ABSENT, CHANCE, N_CLASSES, Setting

_OTHERS = N_CLASSES - 1


def alone(right: float) -> float:
    """With one witness who is right that often: he is believed, or held to be wrong."""
    return max(right, (1 - right) / _OTHERS)


def together(one: float, other: float) -> float:
    """With two witnesses who are right that often, independently."""
    neither = (1 - one) * (1 - other)
    agreed = max(one * other, neither / _OTHERS**2)
    differed = max(one * (1 - other), (1 - one) * other, neither / _OTHERS)
    return agreed + differed


def face_ceiling(setting: Setting, face: Sequence[float]) -> float:
    """With the face alone; ``face``: how often one of each blur is read right."""
    return sum(p * alone(a) for p, a in zip(setting.blur_shares, face, strict=True))


def context_ceiling(setting: Setting) -> float:
    """With the context alone."""
    if not setting.has_cue:
        return CHANCE
    return sum(p * alone(setting.reliability_of(s)) for s, p in enumerate(setting.cue_shares))


def ceiling(setting: Setting, face: Sequence[float]) -> float:
    """With both, the weight of each chosen by what is seen of it: the blur, the cue's state."""
    if not setting.has_cue:
        return face_ceiling(setting, face)
    return sum(
        p * q * together(a, setting.reliability_of(state))
        for p, a in zip(setting.blur_shares, face, strict=True)
        for state, q in enumerate(setting.cue_shares)
    )


def unweighted_ceiling(setting: Setting, face: Sequence[float]) -> float:
    """With both, by an observer who is blind to blur and faintness, and knows only their means:
    what :func:`ceiling` has more than this is what weighting sample by sample can bring."""
    if not setting.has_cue:
        return face_ceiling(setting, face)
    mean = sum(p * a for p, a in zip(setting.blur_shares, face, strict=True))
    absent = setting.cue_shares[ABSENT]
    there = 1 - absent
    cues = sum(q * setting.reliability_of(s) for s, q in enumerate(setting.cue_shares) if s)
    return absent * alone(mean) + there * together(mean, cues / there)


def conflict_share(setting: Setting) -> float:
    """How many samples have a cue that speaks against the label."""
    return sum(q * (1 - setting.reliability_of(s)) for s, q in enumerate(setting.cue_shares) if s)
