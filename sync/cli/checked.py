"""One thing that ``check`` looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was looked at; ``problem`` is ``None`` when it is right, or at least no fault (``verdict``)."""

    what: str
    problem: str | None = None
    exit_code: int = 0
    verdict: str = "ok"
