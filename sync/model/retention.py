"""How long history is kept. What is owed, decided or enrolled is no history: no age throws it away."""

from __future__ import annotations

from dataclasses import dataclass

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Retention:
    """In seconds. ``runs`` also bounds the ticks they were for; ``events`` are used from the collector on."""

    runs: float = 90 * _DAY
    attempts: float = 7 * _DAY
    events: float = 400 * _DAY
