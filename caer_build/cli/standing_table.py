"""The table of ``caer status``: ids are never cut, the columns of stages shrink instead.

::

    episode       ingest  scan  shots      as wide as that takes, where there is room or no terminal
    lobby.s01e01  done    done  failed

    episode       1 2 3                    where there is not
    lobby.s01e01  ✓ ✓ ✗
    1 ingest, 2 scan, 3 shots; ✓ done, ~ stale, ✗ failed, · missing
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.text import Text

_COLOURS = {"done": "green", "stale": "yellow", "failed": "red", "missing": "dim"}
_SIGNS = {"done": "✓", "stale": "~", "failed": "✗", "missing": "·"}
_APART = "  "


def table(
    scope: str,
    stages: Sequence[str],
    states: Mapping[tuple[str, str], str],
    width: int | None,
) -> list[Text]:
    """The lines of one table.

    Args:
        scope: episode or show; the head of the first column.
        stages: of that scope, in order.
        states: by (stage, unit).
        width: columns of the terminal; none: as wide as it likes, as for a file.
    """
    units = sorted({unit for stage, unit in states if stage in stages})
    rows = [(unit, [states.get((stage, unit), "missing") for stage in stages]) for unit in units]
    longest = max(map(len, (scope, *units)))

    def drawn(heads: Sequence[str], words: Mapping[str, str], apart: str) -> list[Text]:
        widths = [
            max(len(head), *(len(words[found[n]]) for _, found in rows), 0)
            for n, head in enumerate(heads)
        ]
        lines = [Text(scope.ljust(longest) + _APART, style="bold")]
        lines[0].append(apart.join(h.ljust(w) for h, w in zip(heads, widths, strict=True)))
        for unit, found in rows:
            line = Text(unit.ljust(longest) + _APART)
            for number, (state, room) in enumerate(zip(found, widths, strict=True)):
                line.append(apart if number else "")
                line.append(words[state].ljust(room), style=_COLOURS[state])
            lines.append(line)
        for line in lines:
            line.rstrip()
        return lines

    full = drawn(stages, {state: state for state in _SIGNS}, _APART)
    if width is None or max(len(line) for line in full) <= width:
        return full
    numbers = [str(n) for n in range(1, len(stages) + 1)]
    legend = ", ".join(f"{n} {stage}" for n, stage in zip(numbers, stages, strict=True))
    signs = ", ".join(f"{sign} {state}" for state, sign in _SIGNS.items())
    return [*drawn(numbers, _SIGNS, " "), Text(f"{legend}; {signs}", style="dim")]
