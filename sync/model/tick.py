"""A tick: "this definition is due for this instant"."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TickState(StrEnum):
    """``due → running → done | failed | skipped``; ``running → due`` when it is tried again or its holder died."""

    DUE = "due"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class ClaimedTick:
    """A tick that is ours for the length of its lease.

    ``attempts`` counts the tries of it that failed. ``generation`` is the number of the configuration by which it was taken.
    """

    key: str
    instant: datetime
    token: str
    due_at: datetime
    attempts: int
    generation: int
