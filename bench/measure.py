"""Ours and the ceiling in turn, so that whatever else the machine does meets both alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Pair:
    """Seconds of ours and of the ceiling: the medians of the same number of alternations."""

    ours: float
    ceiling: float

    @property
    def ratio(self) -> float:
        """Ours as a multiple of the ceiling."""
        return self.ours / self.ceiling


Work = Callable[[int], object]
"""Something to time; it is told the number of its turn."""


def alternate(times: int, ours: Work, ceiling: Work, *, before: Work) -> Pair:
    """Time both, one after the other, ``times`` times; what comes ``before`` each turn is not timed."""
    mine, theirs = [], []
    for turn in range(times):
        before(turn)
        theirs.append(timed(ceiling, turn))
        mine.append(timed(ours, turn))
    return Pair(median(mine), median(theirs))


def timed(work: Work, turn: int) -> float:
    """Seconds that ``work`` takes."""
    gc.collect()
    started = time.perf_counter()
    work(turn)
    return time.perf_counter() - started
