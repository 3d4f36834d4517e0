"""A small, deterministic film editor: plans an episode with exact truth and renders it.

A plan is data: takes joined by transitions. Rendering it gives a stream of frames, so an
episode of any length needs the memory of two takes. The same seed gives the same episode::

    plan = plan_episode(all_spans(test_data()), n_frames=3000, style=TELEVISION, seed=1)
    truth = truth_of(plan)                      # cuts and gradual spans, in frames
    for picture in render(plan, 192, 108): ...  # (108, 192, 3) RGB

Truth is counted as the shared test episodes count it: a cut is the first frame of the new
shot; a gradual transition is [first, last], the frames that mix two shots or are faded.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.data import test_data
from benchmarks.footage import Picture, Span, all_spans, read

Event = Literal["none", "flash", "object", "whip", "light"]
Join = Literal["cut", "dissolve", "black", "white"]


@dataclass(frozen=True)
class Style:
    """How an episode is edited. Shares are in [0, 1], lengths in frames."""

    median_length: float
    spread: float
    """sigma of the log-normal shot lengths"""
    gradual_share: float
    fade_share: float
    """of the gradual transitions"""
    event_share: float
    """of the takes: a flash, an object passing, a whip pan, a change of light"""
    shake_share: float
    jump_share: float
    """of the takes: the same span again, framed differently"""
    noise: float
    """largest standard deviation of the added noise, grey levels"""
    dark_share: float
    """of the takes: a night scene; half of them are followed by another"""


TELEVISION = Style(70.0, 0.6, 0.07, 0.4, 0.08, 0.15, 0.12, 3.0, 0.06)
HARD = Style(36.0, 0.7, 0.3, 0.4, 0.35, 0.4, 0.2, 8.0, 0.15)


@dataclass(frozen=True)
class Take:
    """One span as it is shown: reframed, graded, disturbed."""

    span: Span
    offset: int
    """where in the span it begins; it runs to and fro when it is longer than the span"""
    length: int
    """frames, those of the transitions on both sides included"""
    frame_from: tuple[float, float, float]
    """centre x, centre y and width of the crop, as shares of the picture"""
    frame_to: tuple[float, float, float]
    speed: float
    mirror: bool
    exposure: float
    """light kept: 1 as filmed"""
    gamma: float
    tint: tuple[float, float, float]
    noise: float
    """standard deviation, grey levels"""
    shake: float
    """share of the picture's width"""
    event: Event
    event_at: int
    seed: int


@dataclass(frozen=True)
class Joint:
    """How a take is joined to the one before it; ``length`` frames are mixed or faded (0: cut)."""

    kind: Join
    length: int


@dataclass(frozen=True)
class Plan:
    """Takes, the joints into them (the first is the start), and the frames of each alone."""

    takes: tuple[Take, ...]
    joints: tuple[Joint, ...]
    alone: tuple[int, ...]


@dataclass(frozen=True)
class Truth:
    """Cuts (first frame of the new shot) and gradual transitions (first, last, kind), frames."""

    n_frames: int
    cuts: tuple[int, ...]
    gradual: tuple[tuple[int, int, str], ...]


def plan_episode(spans: Sequence[Span], n_frames: int, style: Style, seed: int) -> Plan:
    """Plans an episode of exactly ``n_frames`` frames.

    Args:
        spans: the footage. Neighbouring takes show different spans, or the same one framed
            clearly differently (a jump cut).
    """
    rng = np.random.default_rng(seed)
    joints: list[Joint] = []
    alone: list[int] = []
    left = n_frames
    while left > 0:
        joint = _joint(rng, style) if joints else Joint("cut", 0)
        if joints and left < joint.length + 24:
            alone[-1] += left  # too little for another take
            break
        wanted = rng.lognormal(np.log(style.median_length), style.spread)
        own = min(int(np.clip(wanted, 12, 500)), left - joint.length)
        joints.append(joint)
        alone.append(own)
        left -= joint.length + own
    takes: list[Take] = []
    shown: int = -1
    for number, (joint, own) in enumerate(zip(joints, alone, strict=True)):
        after = joints[number + 1].length if number + 1 < len(joints) else 0
        length = joint.length + own + after
        if takes and joint.kind == "cut" and rng.random() < style.jump_share:
            takes.append(_jump(takes[-1], length))
            continue
        choice = int(rng.integers(len(spans)))
        while choice == shown and len(spans) > 1:
            choice = int(rng.integers(len(spans)))
        shown = choice
        night = bool(takes) and takes[-1].exposure < 1 and rng.random() < 0.5
        if night or rng.random() < style.dark_share:
            exposure = float(rng.uniform(0.08, 0.3))
        else:
            exposure = 1.0
        takes.append(replace(_take(rng, spans[choice], length, style), exposure=exposure))
    return Plan(tuple(takes), tuple(joints), tuple(alone))


def truth_of(plan: Plan) -> Truth:
    """What a perfect detector would say of the rendered plan."""
    at = 0
    cuts, gradual = [], []
    for joint, own in zip(plan.joints, plan.alone, strict=True):
        if joint.length:
            gradual.append((at, at + joint.length - 1, joint.kind))
        elif at:
            cuts.append(at)
        at += joint.length + own
    return Truth(at, tuple(cuts), tuple(gradual))


def render(plan: Plan, width: int, height: int) -> Iterator[Picture]:
    """The frames of a plan in order, each (height, width, 3) RGB."""
    last: _Shown | None = None
    for take, joint, own in zip(plan.takes, plan.joints, plan.alone, strict=True):
        new = _Shown(take, width, height)
        for step in range(joint.length):
            if last is None:
                raise ValueError("A plan begins with a transition; it must begin with a cut.")
            yield _mixed(last, new, joint, step)
        for _ in range(own):
            yield new.next()
        last = new


def _mixed(last: _Shown, new: _Shown, joint: Joint, step: int) -> Picture:
    import cv2

    if joint.kind == "dissolve":
        share = (step + 1) / (joint.length + 1)
        return np.asarray(cv2.addWeighted(last.next(), 1 - share, new.next(), share, 0), np.uint8)
    half = joint.length // 2
    shown, light = (last, 1 - (step + 1) / half) if step < half else (new, (step - half) / half)
    to = 255.0 * (1 - light) if joint.kind == "white" else 0.0
    return np.asarray(cv2.convertScaleAbs(shown.next(), alpha=light, beta=to), np.uint8)


def _joint(rng: np.random.Generator, style: Style) -> Joint:
    if rng.random() >= style.gradual_share:
        return Joint("cut", 0)
    if rng.random() < style.fade_share:
        kind: Join = "black" if rng.random() < 0.75 else "white"
        return Joint(kind, 2 * int(rng.integers(5, 16)))
    return Joint("dissolve", int(rng.integers(6, 31)))


def _framing(rng: np.random.Generator, width: float) -> tuple[float, float, float]:
    half = width / 2
    return (float(rng.uniform(half, 1 - half)), float(rng.uniform(half, 1 - half)), width)


def _take(rng: np.random.Generator, span: Span, length: int, style: Style) -> Take:
    moves = len(span) == 1 or rng.random() < 0.25
    width = float(rng.uniform(0.5, 1.0))
    disturbed = rng.random() < style.event_share
    events: tuple[Event, ...] = ("flash", "object", "whip", "light")
    event = events[int(rng.integers(len(events)))]
    if disturbed and event == "whip":
        width = min(width, 0.55)  # there must be room to pan
    begin = _framing(rng, width)
    goal = _framing(rng, float(np.clip(width * rng.uniform(0.8, 1.25), 0.4, 1.0)))
    # A crop that goes anywhere within a short take would be a whip pan: its speed is limited.
    reach = min(1.0, length / 120) if moves else 0.0
    end = [a + (b - a) * reach for a, b in zip(begin, goal, strict=True)]
    shaken = rng.random() < style.shake_share
    return Take(
        span=span,
        offset=int(rng.integers(len(span))),
        length=length,
        frame_from=begin,
        frame_to=(end[0], end[1], end[2]),
        speed=float(rng.choice([0.5, 1.0, 1.0, 1.0, 1.5])),
        mirror=bool(rng.random() < 0.5),
        exposure=1.0,
        gamma=float(rng.uniform(0.7, 1.5)),
        tint=(float(rng.uniform(0.85, 1.1)), 1.0, float(rng.uniform(0.85, 1.1))),
        noise=float(rng.uniform(0.0, style.noise)),
        shake=float(rng.uniform(0.003, 0.012)) if shaken else 0.0,
        event=event if disturbed else "none",
        event_at=int(rng.integers(6, max(7, length - 10))),
        seed=int(rng.integers(2**31)),
    )


def _jump(last: Take, length: int) -> Take:
    """The same footage from another distance, as when one camera films a whole interview."""
    width = 0.5 if last.frame_to[2] > 0.75 else 1.0
    half = width / 2
    x = float(np.clip(last.frame_to[0], half, 1 - half))
    crop = (x, 0.45 if width < 1 else 0.5, width)
    return replace(
        last, length=length, frame_from=crop, frame_to=crop, event="none", seed=last.seed + 1
    )


def long_episode(cache: Path, seconds: int, seed: int = 2020) -> Path:
    """A 1280x720, 25 fps, H.264/AAC episode edited from all footage at hand; made once.

    Args:
        cache: folder that keeps it between runs, about 0.4 MB a second.
    """
    target = cache / f"long-720p-{seconds}s-{seed}-v1.mp4"
    if target.exists():
        return target
    plan = plan_episode(all_spans(test_data()), seconds * 25, TELEVISION, seed)
    part = target.with_suffix(".part.mp4")
    write_video(render(plan, 1280, 720), part, (1280, 720), 25, seconds)
    part.with_suffix(".json").write_text(json.dumps(asdict(truth_of(plan))))
    part.with_suffix(".json").replace(target.with_suffix(".truth.json"))
    part.replace(target)
    return target


def write_video(
    pictures: Iterator[Picture], path: Path, size: tuple[int, int], rate: int, seconds: float
) -> None:
    """Encodes RGB pictures, with a quiet noise for sound, as H.264/AAC."""
    from imageio_ffmpeg import get_ffmpeg_exe

    video = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(rate)]
    sound = ["-f", "lavfi", "-t", str(seconds), "-i", "anoisesrc=a=0.02:c=pink:seed=1:r=48000"]
    codecs = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]
    codecs += ["-threads", "2", "-c:a", "aac", "-b:a", "128k", "-movflags", "+faststart"]
    command = [get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", *video, "-i", "-", *sound]
    process = subprocess.Popen([*command, *codecs, str(path)], stdin=subprocess.PIPE)
    if process.stdin is None:
        raise RuntimeError("ffmpeg was started without a pipe to write to.")
    with process.stdin as pipe:
        for picture in pictures:
            pipe.write(picture.tobytes())
    if process.wait() != 0:
        raise RuntimeError(f"ffmpeg could not write {path}: exit code {process.returncode}.")


class _Shown:
    """A take being played: each call of :meth:`next` gives its next frame."""

    def __init__(self, take: Take, width: int, height: int) -> None:
        self.take, self.size, self.at = take, (width, height), 0
        # A crop of half the picture must still fill the frame.
        self.pictures = read(take.span, max_height=2 * height)
        rng = np.random.default_rng(take.seed)
        # Hands drift and come back: a random walk less its own average over a second.
        walk = np.cumsum(rng.normal(0, take.shake / 2, (take.length + 24, 2)), axis=0)
        mean = np.stack([np.convolve(w, np.full(25, 1 / 25), "valid") for w in walk.T], axis=1)
        self.shake = np.clip(walk[12:-12] - mean, -3 * take.shake, 3 * take.shake)
        levels = (np.arange(256) / 255.0) ** take.gamma * 255.0 * take.exposure
        table = np.stack([np.clip(levels * t, 0, 255) for t in take.tint], axis=1)
        self.grade = table.astype(np.uint8).reshape(1, 256, 3)
        self.grain = rng.normal(0, take.noise, (height + 64, width + 64, 1)).astype(np.int8)
        self.grain = np.repeat(self.grain, 3, axis=2)
        self.rolls = rng.integers(0, 64, (take.length, 2))
        self.look = rng.random(6)

    def next(self) -> Picture:
        import cv2

        take, at = self.take, self.at
        self.at += 1
        picture = self.pictures[self._position(at)]
        framed = cv2.resize(self._cropped(picture, at), self.size)
        if take.mirror:
            framed = cv2.flip(framed, 1)
        shown = np.asarray(cv2.LUT(framed, self.grade), np.uint8)
        shown = self._disturbed(shown, at - take.event_at)
        if take.noise >= 1:
            r, c = self.rolls[min(at, len(self.rolls) - 1)]
            grain = self.grain[r : r + self.size[1], c : c + self.size[0]]
            shown = np.asarray(cv2.add(shown, grain, dtype=cv2.CV_8U), np.uint8)
        return shown

    def _position(self, at: int) -> int:
        n = len(self.pictures)
        if n == 1:
            return 0
        step = (self.take.offset + int(at * self.take.speed)) % (2 * n - 2)
        return step if step < n else 2 * n - 2 - step

    def _cropped(self, picture: Picture, at: int) -> Picture:
        """The part of the picture that is shown, of the frame's aspect, inside its borders."""
        x, y, share = self._crop(at)
        rows, columns = picture.shape[:2]
        width = share * min(columns, rows * self.size[0] / self.size[1])
        height = width * self.size[1] / self.size[0]
        left = int(np.clip(x * columns - width / 2, 0, columns - width))
        top = int(np.clip(y * rows - height / 2, 0, rows - height))
        return picture[top : top + max(2, int(height)), left : left + max(2, int(width))]

    def _crop(self, at: int) -> tuple[float, float, float]:
        take = self.take
        done = min(1.0, at / max(1, take.length - 1))
        x, y, share = (
            a + (b - a) * done for a, b in zip(take.frame_from, take.frame_to, strict=True)
        )
        dx, dy = self.shake[min(at, len(self.shake) - 1)]
        since = at - take.event_at
        if take.event == "whip" and since >= 0:
            # A fast pan by most of a picture, eased at both ends, over 12 frames.
            eased = 0.5 - 0.5 * np.cos(np.pi * min(1.0, since / 12))
            x += (0.8 if x < 0.5 else -0.8) * share * eased
        return (float(x + dx), float(y + dy), float(share))

    def _disturbed(self, shown: Picture, since: int) -> Picture:
        import cv2

        event, (width, height) = self.take.event, self.size
        if event == "flash" and 0 <= since < 3:
            boost = (160, 110, 40)[since] * (0.5 + 0.5 * self.look[1])
            return np.asarray(cv2.convertScaleAbs(shown, alpha=1.2, beta=boost), np.uint8)
        if event == "light" and since >= 0:
            level = 1 + (0.5 if self.look[1] > 0.5 else -0.4) * min(1.0, (since + 1) / 2)
            return np.asarray(cv2.convertScaleAbs(shown, alpha=level), np.uint8)
        if event == "object" and 0 <= since < 16:
            # Something near the lens crosses the picture.
            centre = (
                int((since / 15 * 1.8 - 0.4) * width),
                int((0.4 + 0.3 * self.look[2]) * height),
            )
            axes = (int((0.15 + 0.2 * self.look[3]) * width), int((0.5 + self.look[4]) * height))
            colour = tuple(float(c) for c in 20 + 120 * self.look[3:6])
            shown = shown.copy()
            cv2.ellipse(shown, centre, axes, 10.0, 0, 360, colour, -1)
        return shown
