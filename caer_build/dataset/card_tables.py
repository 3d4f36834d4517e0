"""The tables of the data card, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from caer_build.annotation.estimates import Estimate
from caer_build.dataset.describing import TABLES, Described
from caer_build.dataset.statistics import (
    Spread,
    categories,
    main_kind,
    pairs_of,
    percent,
    presence,
    shared,
    splits_of,
    values_of,
)  # fmt: skip
from caer_build.dataset.voting import Voting, mixed_up
from caer_build.records import Item

_PAPER = (
    ("Static (images)", "EMOTIC", "18,316 images", "Web", "26 categories", "✓"),
    ("Static (images)", "AffectNet", "450,000 images", "Web", "8 categories", "✗"),
    ("Static (images)", "CAER-S", "70,000 images", "TV show", "7 categories", "✓"),
    ("Dynamic (videos)", "AFEW", "1,809 clips", "Movie", "7 categories", "✗"),
    ("Dynamic (videos)", "CAER", "13,201 clips", "TV show", "7 categories", "✓"),
)
"""table 2 as printed"""
_PAIRS = 5
_DIGITS = 12
"""of digests that the card shows"""


def table_1(items: Sequence[Item]) -> Iterator[str]:
    """The paper's table 1; shares are of clips, or of stills where there are no clips."""
    rows = categories(items)
    kind = main_kind(items)
    columns: list[tuple[str, list[int | None]]] = []
    if kind == "clip":
        columns.append(("Clips", [row.n_clips for row in rows]))
        columns.append(("Frames", [row.n_frames for row in rows]))
    if any(row.n_stills for row in rows):
        columns.append(("Stills", [row.n_stills for row in rows]))
    counts = [sum(row.of_kind(kind).values()) for row in rows]
    whole = sum(counts)
    yield from _head("Category", *(name for name, _ in columns), "%")
    for k, row in enumerate(rows):
        cells = (_number(values[k]) for _, values in columns)
        yield _row(row.emotion, *cells, percent(counts[k], whole))
    totals = (
        None if None in values else sum(v for v in values if v is not None) for _, values in columns
    )
    yield _row("**Total**", *(f"**{_number(total)}**" for total in totals), "**100**")


def comparison(d: Described) -> Iterator[str]:
    """The paper's table 2, with a row for this data set."""
    yield "The paper's table 2, as printed, and this data set:"
    yield ""
    yield from _head(
        "Data type", "Data set", "Amount of data", "Setting", "Annotation", "Context", text=6
    )
    for row in _PAPER:
        yield _row(*row)
    n_shows, n_episodes = (len(set(values_of(d.items, name))) for name in ("show", "episode_id"))
    setting = f"{_count(n_shows, 'show')}, {_count(n_episodes, 'episode')}"
    most = max(values_of(d.items, "n_votes"), default=0)
    kinds = {"clip": "Dynamic (videos)", "still": "Static (images)"}
    counts = Counter(values_of(d.items, "kind"))
    for kind, data_type in kinds.items():
        n = counts[kind]
        if n:
            answers = f"7 categories, up to {_count(most, 'answer')} a clip"
            amount = f"**{_count(n, kind)}**"
            yield _row(data_type, f"**{d.name}**", amount, setting, answers, _context(d))
    yield from _spread_of("Frames a clip", values_of(d.items, "n_frames", "clip"), "{:.1f}")
    yield from _spread_of("Seconds a clip", values_of(d.items, "length_s", "clip"), "{:.2f}")
    yield from _spread_of("Height of the target's face, px", d.faces.heights_px, "{:.0f}")


def splits_table(items: Sequence[Item]) -> Iterator[str]:
    """How many of each category are in each split; clips, then stills."""
    rows, splits = categories(items), splits_of(items)
    for kind in ("clip", "still"):
        own = [row.of_kind("clip" if kind == "clip" else "still") for row in rows]
        whole = sum(sum(counts.values()) for counts in own)
        if not whole:
            continue
        yield from _head(f"{kind.capitalize()}s", *splits)
        for row, counts in zip(rows, own, strict=True):
            yield _row(row.emotion, *(_number(counts.get(split, 0)) for split in splits))
        totals = [sum(counts.get(split, 0) for counts in own) for split in splits]
        yield _row("**Total**", *(f"**{_number(total)}**" for total in totals))
        yield _row("%", *(percent(total, whole) for total in totals))
        yield ""


def presence_by_split(items: Sequence[Item]) -> Iterator[str]:
    """Persons, episodes and shows of each split, and how many stand in several."""
    yield from _head("Split", "Persons", "Episodes", "Shows")
    for row in presence(items):
        yield _row(row.split, *map(_number, (row.persons, row.episodes, row.shows)))
    both = (_number(shared(items, name)) for name in ("person_id", "episode_id", "show"))
    yield _row("in more than one", *both)


def ways(split: Mapping[str, Any] | None) -> Iterator[str]:
    """The ways to split that were tried, and why one was taken; nothing if it was asked for."""
    tried = (split or {}).get("tried", ())
    if not tried:
        return
    splits = tried[0]["shares"]
    yield from _head("Tried, the strictest first", "Taken", "Why", *splits, "Left out", text=3)
    for way in tried:
        shares = (f"{100 * share:.1f} %" for share in way["shares"].values())
        taken = "**yes**" if way["taken"] else "no"
        yield _row(way["by"], taken, way["why"], *shares, _number(way["n_left_out"]))


def funnel(steps: Sequence[Mapping[str, Any]] | None) -> Iterator[str]:
    """Reason by reason."""
    if not steps:
        yield "NOT RECORDED."
        return
    yield "The paper: 20,484 clips collected, 13,201 kept, no reasons given. Here:"
    yield ""
    yield from _head("Step", "Why", "Clips lost", "Left", text=2)
    for step in steps:
        name = f"{step['name']}" if step["n_clips"] else f"**{step['name']}**"
        lost = f"-{_number(step['n_clips'])}" if step["n_clips"] else ""
        yield _row(name, step["why"], lost, _number(step["n_left"]))


def agreement(voting: Voting, items: Sequence[Item]) -> Iterator[str]:
    """How far annotators agree on the clips that are in the data set."""
    yield from _head("Agreement", "Value", "95 % interval", "Clips")
    yield _estimate("Krippendorff's alpha", voting.alpha)
    yield _estimate("Fleiss' kappa", voting.kappa)
    yield ""
    yield "Clips without a label are not in it: on everything that was shown, agreement is as a"
    yield "rule lower. Intervals are bootstraps over clips."
    # Stills carry their clip's votes: each clip is counted once.
    of_clips = pairs_of(items, "clip_id", "n_agreeing", "n_votes")
    counts = Counter((n, of) for _, n, of in of_clips if None not in (n, of))
    if counts:
        yield ""
        yield from _head("Answers that agree", "Clips", "%")
        for (n, of), n_clips in sorted(counts.items(), reverse=True):
            yield _row(f"{n} of {of}", _number(n_clips), percent(n_clips, counts.total()))
    pairs = mixed_up(voting.rated.counts())[:_PAIRS]
    if pairs:
        yield ""
        said = "; ".join(f"{a} and {b} {_number(n)}" for a, b, n in pairs)
        yield f"Said by different people of one clip most often: {said} times."


def confidence(voting: Voting, items: Sequence[Item]) -> Iterator[str]:
    """How sure the annotators were."""
    if not voting.steps:
        yield "No answer has a confidence."
        return
    whole = sum(voting.steps.values())
    yield from _head("Confidence", "Answers", "%")
    for (step, n_steps), n in voting.steps.items():
        value = f"{step / (n_steps - 1):.2f} (step {step + 1} of {n_steps})"
        yield _row(value, _number(n), percent(n, whole))
    means = [mean for _, mean in pairs_of(items, "clip_id", "mean_confidence") if mean is not None]
    yield from _spread_of("Mean confidence of a clip", means, "{:.3f}")


def annotators(voting: Voting) -> Iterator[str]:
    """Who answered how often; under pseudonyms, nobody has a name here."""
    n = len(voting.workers)
    if not n:
        yield "There are no answers in it."
        return
    flags = ", ".join(f"{_number(k)} {name.replace('_', ' ')}" for name, k in voting.flags.items())
    yield (
        f"{_count(n, 'annotator')} gave {_count(voting.n_answers, 'answer')}"
        f"{f', among them {flags}' if flags else ''}. Adjudicators answered for "
        f"{_count(voting.n_adjudicated, 'clip')}."
    )
    yield ""
    yield from _head("Annotator", "Answers", "Named the label", "%")
    for worker in voting.workers:
        yield _row(
            f"`{worker.annotator_id}`", _number(worker.n_answers),
            f"{_number(worker.n_as_label)} of {_number(worker.n_compared)}",
            percent(worker.n_as_label, worker.n_compared),
        )  # fmt: skip


def files(d: Described) -> Iterator[str]:
    """What lies where, with digests of the tables."""
    held = values_of(d.items, "file_bytes")
    if held:
        yield f"{_count(len(held), 'file')} of items, {_number(sum(held))} bytes, and these tables:"
    else:
        yield "No media; these tables:"
    yield ""
    yield from _head("File", "What is in it", "SHA-256", "Rows", "Bytes", text=3)
    for table, (_, what) in zip(d.tables, TABLES, strict=True):
        numbers = _number(table.n_rows), _number(table.n_bytes)
        yield _row(f"`{table.name}`", what, f"`{table.sha256[:_DIGITS]}…`", *numbers)
    yield ""
    yield "`SHA256SUMS` has the digest of every file, this one too: `sha256sum -c SHA256SUMS`."
    yield "`croissant.json` describes the tables to programs (Croissant 1.1 with the RAI fields)."


def _context(d: Described) -> str:
    spread = Spread.of(d.faces.shares)
    if spread is None:
        return "✓"
    return f"✓ whole pictures; the target's face covers {100 * spread.middle:.1f} % (median)"


def _spread_of(what: str, values: Sequence[float], form: str) -> Iterator[str]:
    spread = Spread.of(values)
    if spread is not None:
        parts = (("mean", spread.mean), ("median", spread.middle),
                 ("lowest", spread.low), ("highest", spread.high))  # fmt: skip
        yield ""
        yield f"{what}: {', '.join(f'{name} {form.format(value)}' for name, value in parts)}."


def _estimate(name: str, found: Estimate) -> str:
    if found.value is None:
        return _row(name, "-", str(found.reason), _number(found.n_clips))
    span = str(found.reason) if found.low is None else f"{found.low:.3f} to {found.high:.3f}"
    return _row(name, f"{found.value:.3f}", span, _number(found.n_clips))


def _number(value: float | None) -> str:
    return "not known" if value is None else f"{value:,}"


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _head(*names: str, text: int = 1) -> Iterator[str]:
    """Head and rule of a table.

    Args:
        text: columns that are not numbers; the first ones.
    """
    yield _row(*names)
    yield "|" + " --- |" * text + " ---: |" * (len(names) - text)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
