"""``caer stats -o stats.html``: one HTML file that shows what is in a data set, anybody's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from caer_build import __version__
from caer_build.annotation.estimates import Estimate
from caer_build.dataset.card_words import GUARANTEES, leaks
from caer_build.dataset.catalogue import ABOUT
from caer_build.dataset.figures import Figures
from caer_build.dataset.statistics import agreeing, percent
from caer_build.records import EMOTIONS, Item, ItemKind
from caer_build.report.dataset_pictures import Picture, boxes_of, frame_of, picture_of
from caer_build.report.distributions import distribution
from caer_build.report.environment import environment
from caer_build.report.numbers import Headline, length, named
from caer_build.store import write_atomically

MAX_PERSONS = 24
MAX_BARS_OF_VOTES = 6
_DEEPEST = 0.5
"""of the colour of what is confused most: a tenth of the answers is no alarm"""


@dataclass(frozen=True)
class Part:
    """A piece of a bar.

    Attributes:
        css: its class.
        x, width: per cent of the chart's width.
    """

    name: str
    css: str
    n: int
    x: float
    width: float


@dataclass(frozen=True)
class StackedBar:
    """A bar of parts that stand for counts."""

    name: str
    total: int
    percent: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Cell:
    """How often two people said two things of one clip.

    Attributes:
        share: [0, 1] of its row.
        depth: [0, 1], of its colour; where they differ the most frequent pair is the deepest.
    """

    n: int
    share: float
    depth: float
    same: bool


@dataclass(frozen=True)
class Sample:
    """An item that is looked at."""

    item: Item
    picture: Picture


def write_dataset_report(f: Figures, out: Path) -> Path:
    """Write the report.

    Args:
        out: the HTML file, or a folder for it.

    Raises:
        StoreError: if it cannot be written.
    """
    path = out / "stats.html" if out.is_dir() else out
    write_atomically(path.absolute(), render(f).encode("utf-8"))
    return path


def render(f: Figures) -> str:
    """The report as HTML. Opens the pictures that it shows, one an emotion and split."""
    facts: Mapping[str, Any] = f.dataset.facts.get("facts", {})
    way = facts.get("split", {}).get("by")
    kinds: tuple[ItemKind, ...] = ("clip", "still")
    charts = (
        distribution("frames a clip", "", f.values("n_frames") if f.kind == "clip" else [],
                     whole=True),
        distribution("seconds a clip", "", f.values("length_s")),
        distribution("mean confidence", "", f.values("mean_confidence"), top=1.0),
        distribution("height of the target's face", "px", f.faces.heights_px),
        distribution("picture that the target's face covers", "%", f.faces.shares, top=1.0),
    )  # fmt: skip
    return (
        environment(length_s=length, named=named)
        .get_template("dataset.html.jinja")
        .render(
            f=f,
            version=__version__,
            name=facts.get(ABOUT, {}).get("name") or f.dataset.root.resolve().name,
            headlines=headlines(f),
            rule=facts.get("labels", {}).get("rule"),
            way=way,
            guarantee=GUARANTEES.get(way, "").replace("**", ""),
            leaks=leaks(f.dataset.facts.get("leaks")),
            bars={kind: bars for kind in kinds if (bars := category_bars(f, kind))},
            shares=split_shares(f),
            charts=[chart for chart in charts if chart is not None],
            agreements=agreement_bars(f.items),
            matrix=matrix(f),
            estimates=[(name, e) for name, e in
                       (("Krippendorff's alpha", f.alpha), ("Fleiss' kappa", f.kappa))],
            said=say_estimate,
            persons=person_bars(f),
            n_persons=len({item.person_id for item in f.items} - {None}),
            samples=samples(f),
            emotions=EMOTIONS,
        )
    )  # fmt: skip


def headlines(f: Figures) -> list[Headline]:
    """The numbers at the head."""
    items = f.dataset.items
    clips = [item for item in items if item.kind == "clip"]
    n_stills = len(items) - len(clips)
    frames = [item.n_frames for item in clips if item.n_frames is not None]
    seconds = [item.length_s for item in clips if item.length_s is not None]
    found = []
    if clips:
        average = f"{sum(frames) / len(frames):.1f} frames on average" if frames else ""
        found.append(Headline(f"{len(clips):,}", named(len(clips), "clip"), average))
    if n_stills:
        found.append(Headline(f"{n_stills:,}", named(n_stills, "still")))
    if frames:
        found.append(Headline(f"{sum(frames):,}", "frames", length(sum(seconds))))
    for thing, column in (("person", "person_id"), ("episode", "episode_id"), ("show", "show")):
        n = len({getattr(item, column) for item in items} - {None})
        n_shared = f.shared[f"{thing}s"]
        if n:
            remark = f"{n_shared:,} in several splits" if n_shared else "none in several splits"
            found.append(Headline(f"{n:,}", named(n, thing), remark))
    if f.alpha.value is not None:
        found.append(Headline(f"{f.alpha.value:.3f}", "alpha", "agreement on what is in it"))
    return found


def stacked(
    name: str, counts: Sequence[tuple[str, str, int]], widest: int, whole: int
) -> StackedBar:
    """A bar.

    Args:
        counts: of each part its name, css class and count.
        widest: the count that is as wide as the chart.
        whole: of which the bar is a share.
    """
    parts, before = [], 0
    for part, css, n in counts:
        if n:
            x, width = 100 * before / widest, 100 * n / widest
            parts.append(Part(part, css, n, round(x, 3), round(width, 3)))
        before += n
    return StackedBar(name, before, percent(before, whole), tuple(parts))


def category_bars(f: Figures, kind: ItemKind) -> list[StackedBar]:
    """A bar an emotion; none if there is nothing of the kind."""
    totals = [sum(row.of_kind(kind).values()) for row in f.categories]
    if not any(totals):
        return []
    return [
        stacked(
            row.emotion,
            [(split, css_of(split), row.of_kind(kind).get(split, 0)) for split in f.splits],
            max(totals),
            sum(totals),
        )
        for row in f.categories
    ]


def split_shares(f: Figures) -> list[tuple[str, int, str, list[str]]]:
    """Of each split its items, their share, and the shares of the emotions in it."""
    found = []
    for split in f.splits:
        counts = [row.of_kind(f.kind).get(split, 0) for row in f.categories]
        whole = sum(counts)
        share = percent(whole, sum(sum(row.of_kind(f.kind).values()) for row in f.categories))
        found.append((split, whole, share, [percent(n, whole) for n in counts]))
    return found


def agreement_bars(items: Sequence[Item]) -> list[StackedBar]:
    """Of each emotion how many clips had how many answers that agree."""
    of_all = agreeing(items)
    kinds = sorted(of_all, key=lambda k: (-k[0] / k[1] if k[1] else 0, -k[1]))[:MAX_BARS_OF_VOTES]
    bars = []
    for emotion in EMOTIONS if kinds else ():
        counts = agreeing([item for item in items if item.emotion == emotion])
        n = counts.total()
        parts = [
            (f"{k} of {of} agree", f"agree-{min(rank, 3)}", counts[k, of])
            for rank, (k, of) in enumerate(kinds)
        ]
        bars.append(stacked(emotion, parts, max(n, 1), max(n, 1)))
    return bars


def matrix(f: Figures) -> list[tuple[str, list[Cell]]]:
    """Rows and cells of what was said of one clip; empty where no votes are known."""
    counts = f.together
    if not counts.size or not counts.sum():
        return []
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    most = max(float((shares - np.diag(np.diag(shares))).max()), 1e-9)
    return [
        (
            name,
            [
                Cell(
                    int(n),
                    float(share),
                    float(share if row == k else _DEEPEST * share / most),
                    row == k,
                )
                for k, (n, share) in enumerate(zip(counts[row], shares[row], strict=True))
            ],
        )
        for row, name in enumerate(f.voted.categories)
    ]


def person_bars(f: Figures) -> list[StackedBar]:
    """The persons with most items, and in which splits they are."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for item in f.items:
        if item.person_id is not None:
            counts[item.person_id][item.split or f.splits[-1]] += 1
    ranked = sorted(counts.items(), key=lambda row: (-row[1].total(), row[0]))[:MAX_PERSONS]
    widest = max((of_one.total() for _, of_one in ranked), default=1)
    return [
        stacked(person, [(split, css_of(split), of_one[split]) for split in f.splits], widest,
                len(f.items))
        for person, of_one in ranked
    ]  # fmt: skip


def samples(f: Figures) -> list[tuple[str, list[tuple[str, Sample | None]]]]:
    """One item of each emotion and split: the middle one by id, so that nobody chose it."""
    own: dict[tuple[str | None, str], list[Item]] = defaultdict(list)
    for item in f.items:
        own[item.emotion, item.split or f.splits[-1]].append(item)
    chosen = {
        cell: sorted(items, key=lambda item: item.item_id)[len(items) // 2]
        for cell, items in own.items()
    }
    frames = {item.item_id: frame_of(item) for item in chosen.values()}
    wanted = {item_id: frame for item_id, frame in frames.items() if frame is not None}
    boxes = boxes_of(f.dataset.faces(), wanted)
    shown = {
        cell: Sample(item, picture_of(f.dataset.root, item, boxes.get(item.item_id)))
        for cell, item in chosen.items()
    }
    return [
        (emotion, [(split, shown.get((emotion, split))) for split in f.splits])
        for emotion in EMOTIONS
    ]


def say_estimate(found: Estimate) -> str:
    """A figure with its interval, or why there is none."""
    if found.value is None:
        return str(found.reason)
    if found.low is None:
        return f"{found.value:.3f} ({found.reason})"
    return f"{found.value:.3f} (95 % between {found.low:.3f} and {found.high:.3f})"


def css_of(split: str) -> str:
    """The class of a split's colour."""
    return f"split-{split.replace(' ', '-')}"
