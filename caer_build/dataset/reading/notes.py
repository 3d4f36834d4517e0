"""What a reader found odd, gathered so that 10,000 odd files are one sentence."""

from __future__ import annotations

from collections import Counter

_SHOWN = 3


class Notes:
    """Sentences for people."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {}

    def say(self, sentence: str) -> None:
        """A sentence of its own."""
        self._sentences.append(sentence)

    def count(self, what: str, example: str, n: int = 1) -> None:
        """One more of the same kind.

        Args:
            what: what there are several of, such as "empty folders".
            example: where; the first few are shown.
        """
        self._counts[what] += n
        shown = self._examples.setdefault(what, [])
        if example not in shown:
            shown.append(example)

    def sentences(self) -> tuple[str, ...]:
        """All of them, counted ones last."""
        counted = []
        for what, n in self._counts.items():
            shown = [_printable(example) for example in self._examples[what]]
            more = ", …" if len(shown) > _SHOWN else ""
            counted.append(f"{n} {what}: {', '.join(shown[:_SHOWN])}{more}.")
        return (*self._sentences, *counted)


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
