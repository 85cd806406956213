"""How long received events are kept: for as long as a definition may still count them.

Without a word about it they are kept as long as that takes, and `LEAST` in any case. What the file says goes, unless a
definition would count wrongly by it: that is refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from sync.config.problems import Problems
from sync.model.definition import Definition
from sync.model.feed import COLLECTOR

LEAST = 400 * 86_400.0
_DAY = 86_400.0
_PATH = ("retention", "events")


def kept(given: float | None, definitions: Iterable[Definition], problems: Problems) -> float:
    """Seconds for which events are kept, infinite for ever; reports a time that is too short."""
    needs = {
        each.name: each.query.lookback + each.full_refresh
        for each in definitions
        if each.query is not None and each.enabled and each.source == COLLECTOR and each.query.lookback
    }
    if given is None:
        return max(LEAST, *needs.values()) if needs else LEAST
    if needs and max(needs.values()) > given:
        _report(needs, problems)
    return given


def _report(needs: dict[str, float], problems: Problems) -> None:
    name = max(needs, key=needs.__getitem__)
    if math.isinf(needs[name]):
        sentence = f"is too short for {name!r}, which counts events of any age: leave it out, or write `forever`"
    else:
        days = math.ceil(needs[name] / _DAY)
        sentence = (
            f"is too short for {name!r}, which counts events until its window has passed and everybody has been asked "
            f"again: write at least `{days} days`, or leave it out"
        )
    problems.add(_PATH, sentence)
