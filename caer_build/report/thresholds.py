"""The thresholds of the screen, and what they say about a clip, in words.

One table serves the report's charts, its table of other values, and ``caer explain``. Whether a
clip is kept is always asked of :func:`caer_build.stages.screening.first_reason`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from caer_build.records import Clip, RejectReason, Shot
from caer_build.stages.screening import ScreeningSettings, first_reason

Demand = Literal["at least", "below", "at most"]

REASON_NAMES: dict[str, str] = {
    "person_deleted": "person deleted",
    "by_hand": "rejected by hand",
    "transition": "inside a gradual transition",
    "too_short": "too short",
    "no_face": "no face",
    "repeat": "repeated footage",
    "group": "a group",
    "ambiguous_small": "face too small",
    "ambiguous_blurred": "face too blurred",
    "ambiguous_turned": "face turned away",
    "ambiguous_brief": "face seen too briefly",
}
"""What each reject reason is called in the report, in the order in which they are tried."""
SHORT_NAMES: dict[str, str] = {
    "person_deleted": "deleted",
    "by_hand": "by hand",
    "transition": "transition",
    "too_short": "short",
    "no_face": "no face",
    "repeat": "repeat",
    "group": "group",
    "ambiguous_small": "small",
    "ambiguous_blurred": "blurred",
    "ambiguous_turned": "turned",
    "ambiguous_brief": "brief",
}
"""The same in a word, for bars of the timeline."""


@dataclass(frozen=True)
class Threshold:
    """A number that a clip's score is held against.

    Attributes:
        reason: the reject reason it leads to.
        setting: its name in the recipe's section ``screening``.
        column: the score's column in the table of clips.
        name: what the score measures.
        unit: behind the number; ``share`` is written as per cent.
        demand: how a score must stand to the threshold to pass.
        digits: decimals worth showing.
    """

    reason: RejectReason
    setting: str
    column: str
    name: str
    unit: Literal["frames", "share", "px", "degrees", ""]
    demand: Demand
    digits: int = 0

    def limit(self, settings: ScreeningSettings) -> float:
        return float(getattr(settings, self.setting))

    def score(self, clip: Clip) -> float | None:
        value = getattr(clip, self.column)
        return None if value is None else float(value)

    def passes(self, value: float | None, limit: float) -> bool:
        """Whether a score passes; an unknown head turn is no reason, any other unknown is."""
        if self.demand == "at least":
            return (value or 0) >= limit
        if self.demand == "below":
            return (value or 0) < limit
        return value is None or value <= limit

    def write(self, value: float | None) -> str:
        """The value with its unit."""
        if value is None:
            return "unknown"
        number = self.number(value)
        if self.unit == "frames" and number == "1":
            return "1 frame"
        tail = {"share": " %", "degrees": "°", "": ""}.get(self.unit, f" {self.unit}")
        return number + tail

    def number(self, value: float) -> str:
        """The value without its unit; shares as per cent."""
        shown = 100 * value if self.unit == "share" else value
        text = f"{shown:.{self.digits}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text


THRESHOLDS: tuple[Threshold, ...] = (
    Threshold("too_short", "min_frames", "n_frames", "length", "frames", "at least"),
    Threshold(
        "group", "group_share", "group_share", "share of the shot showing a group", "share", "below"
    ),
    Threshold("ambiguous_small", "min_face_px", "face_height_px", "face height", "px", "at least"),
    Threshold(
        "ambiguous_small",
        "min_face_share",
        "face_height_share",
        "face height as part of the picture's height",
        "share",
        "at least",
        1,
    ),
    Threshold("ambiguous_blurred", "min_sharpness", "sharpness", "sharpness", "", "at least", 1),
    Threshold("ambiguous_turned", "max_yaw", "yaw", "head turn", "degrees", "at most"),
    Threshold(
        "ambiguous_brief",
        "min_seen_share",
        "seen_share",
        "share of the clip in which the face was detected",
        "share",
        "at least",
    ),
)


def failing(clip: Clip, settings: ScreeningSettings) -> list[Threshold]:
    """The thresholds that a clip does not pass, in the order in which they are tried."""
    tried = [t for t in THRESHOLDS if clip.track_id is not None or t.column == "n_frames"]
    return [t for t in tried if not t.passes(t.score(clip), t.limit(settings))]


def why(clip: Clip, settings: ScreeningSettings, decided: str | None = None) -> str:
    """Why a clip has the fate it has, in a sentence.

    Args:
        decided: what a person gave as the reason of a decision on this clip.
    """
    reason = clip.reject_reason
    plain: dict[str | None, str] = {
        None: "Kept: it passes every threshold.",
        "transition": "All of it lies inside a gradual transition between two shots.",
        "no_face": "No face could be followed in this shot.",
        "repeat": f"The same footage was shown earlier, in {clip.repeat_of}; the first one stays.",
        "by_hand": f"Rejected by hand: {decided or 'no reason was given'}.",
        "person_deleted": "The person in it was deleted, with all their clips.",
    }
    if reason in plain:
        if reason is None and failing(clip, settings):
            return f"Kept by hand, against the thresholds: {decided or 'no reason was given'}."
        return plain[reason]
    failed = next((t for t in failing(clip, settings) if t.reason == reason), None)
    if failed is None:
        return f"Rejected as {reason}, under settings that have changed since."
    return _against(failed, clip, settings)


def _against(failed: Threshold, clip: Clip, settings: ScreeningSettings) -> str:
    limit = failed.limit(settings)
    found = _written_apart(failed, failed.score(clip), limit)
    if failed.reason == "group":
        return (
            f"{found} of the shot shows more than {settings.group_faces} faces of comparable "
            f"size; from {failed.write(limit)} on it counts as a group."
        )
    if failed.reason == "too_short":
        return f"It has {found}; a clip needs at least {failed.write(limit)}."
    return f"The {failed.name} is {found}; it must be {failed.demand} {failed.write(limit)}."


def _written_apart(threshold: Threshold, value: float | None, limit: float) -> str:
    """The value, with as many more decimals as it takes to differ from the threshold."""
    text = threshold.write(value)
    if value is None or value == limit or text != threshold.write(limit):
        return text
    return f"just {'under' if value < limit else 'over'} {text}"


def relaxed(clip: Clip, shot: Shot, settings: ScreeningSettings) -> dict[str, float | bool] | None:
    """The settings under which a rejected clip would be kept, each moved as little as need be.

    Returns:
        {setting: value}; none if no setting of the screen can keep it.
    """
    changes: dict[str, float | bool] = {}
    while (reason := first_reason(clip, shot, settings)) is not None:
        if reason == "repeat":
            step: dict[str, float | bool] = {"drop_repeats": False}
        else:
            step = {
                t.setting: _just_enough(t, clip)
                for t in failing(clip, settings)
                if t.reason == reason
            }
        if not step or any(setting in changes for setting in step):
            return None
        if step.get("group_share", 0) > 1:
            return None
        changes |= step
        settings = settings.model_copy(update=step)
    return changes


def _just_enough(threshold: Threshold, clip: Clip) -> float:
    """A threshold that this clip passes, rounded to three decimals on the lenient side."""
    value = threshold.score(clip) or 0.0
    if threshold.column == "n_frames":
        return int(value)
    if threshold.demand == "at least":
        return max(0.0, int(value * 1000) / 1000)
    return (int(value * 1000) + 1) / 1000
