"""Work at once: in order, a few pieces ahead, and none after a failure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from threading import Event

import pytest

from caer_build.dataset.abreast import abreast


def test_what_comes_first_is_given_first() -> None:
    second_is_done = Event()

    def work(piece: int) -> int:
        if piece == 0:
            assert second_is_done.wait(30)
        if piece == 1:
            second_is_done.set()
        return piece * piece

    assert list(abreast(work, range(6), jobs=2)) == [0, 1, 4, 9, 16, 25]


@pytest.mark.parametrize("jobs", [1, 3])
def test_only_a_few_are_taken_ahead(jobs: int) -> None:
    taken: list[int] = []

    def pieces() -> Iterator[int]:
        for n in count(1):
            taken.append(n)
            yield n

    results = abreast(lambda piece: piece, pieces(), jobs)
    for n in range(1, 50):
        assert next(results) == n
        assert len(taken) <= n + 2 * jobs


def test_after_a_failure_no_other_begins() -> None:
    begun: list[int] = []

    def work(piece: int) -> int:
        begun.append(piece)
        if piece == 3:
            raise ValueError(piece)
        return piece

    results = abreast(work, range(1000), jobs=2)
    with pytest.raises(ValueError, match="3"):
        list(results)
    assert len(begun) < 20
