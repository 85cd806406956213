"""How long history is kept. What is owed, decided or enrolled is no history: no age throws it away."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 86_400.0


LEAST_EVENTS = _DAY
"""Events are kept for so long in any case: by those that are there, one that comes again is known."""


@dataclass(frozen=True, slots=True)
class Retention:
    """In seconds. ``runs`` also bounds the ticks they were for; ``attempts`` also what became of each event at a
    destination; ``events`` what was received, never less than `LEAST_EVENTS`, infinite for ever."""

    runs: float = 90 * _DAY
    attempts: float = 7 * _DAY
    events: float = 400 * _DAY
