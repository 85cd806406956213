"""What a refresh is and what it did, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sync.model.tick import ClaimedTick


class RunKind(StrEnum):
    """Why a definition is refreshed: for what changed, or for everybody."""

    DELTA = "delta"
    BACKFILL = "backfill"


class RunStatus(StrEnum):
    """``held`` is a success whose exits wait for somebody's decision; ``lost`` was taken over by another process."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    HELD = "held"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Counts:
    """One refresh in users. ``members`` have a value now; ``held`` would have left.

    ``exited`` counts those recorded as exits, so it is 0 when they are ``held``.
    """

    members: int = 0
    entered: int = 0
    exited: int = 0
    changed: int = 0
    unchanged: int = 0
    held: int = 0


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run row that is ours: whoever holds ``token`` may record it, and nobody else.

    One that a ``tick`` asked for may be recorded only while that is ours too, and its configuration the newest.
    """

    id: int
    definition_id: int
    kind: RunKind
    token: str
    as_of: datetime
    shown: int | None
    forced: bool
    tick: ClaimedTick | None = None
