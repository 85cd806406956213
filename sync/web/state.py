"""What health and metrics are told about."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.clock import Clock, SystemClock
from sync.config import Settings
from sync.store.engine import Database
from sync.web.vitals import Vitals


@dataclass(slots=True)
class WebState:
    """What the daemon hands over. A new configuration may be put in while requests are answered."""

    database: Database
    settings: Settings
    vitals: Vitals = field(default_factory=Vitals)
    clock: Clock = field(default_factory=SystemClock)
