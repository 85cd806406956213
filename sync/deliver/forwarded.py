"""What a forwarding did, counted while it goes on."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from sync import telemetry
from sync.deliver.arrival import SUPPRESSED
from sync.model.outcome import FILTERED, Verdict
from sync.store.lanes import HoldState, LaneBacklog, Settlement


@dataclass(slots=True)
class Forwarded:
    """What a forwarder did, in events. ``backlog`` is what is left, ``stopped`` why it ended.

    ``held``: how often one had to wait. ``fault``: somebody has to mend the destination's settings. ``warnings``: what was
    worth telling although it was accepted.
    """

    destination: str
    accepted: int = 0
    filtered: int = 0
    suppressed: int = 0
    held: int = 0
    parked: int = 0
    stopped: str = ""
    fault: bool = False
    backlog: LaneBacklog | None = None
    warnings: tuple[str, ...] = ()
    by_verdict: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Nothing is left, and nothing is parked."""
        return self.backlog is not None and not self.backlog.owed and not self.backlog.parked

    def count(self, settlements: list[Settlement]) -> None:
        """Take in what became of some events; adds it to the process's counters too."""
        verdicts = Counter(each.said.verdict for each in settlements if each.said is not None)
        states = Counter(each.state for each in settlements)
        self.by_verdict.update(verdicts)
        self.accepted += verdicts[Verdict.ACCEPTED]
        self.filtered += verdicts[FILTERED]
        self.suppressed += verdicts[SUPPRESSED]
        self.held += states[HoldState.WAITING]
        self.parked += states[HoldState.PARKED]
        for verdict, number in verdicts.items():
            telemetry.count("forwarded", number, destination=self.destination, verdict=verdict)
        if states[HoldState.PARKED]:
            telemetry.count("events_parked", states[HoldState.PARKED], destination=self.destination)
            self._tell_parked(settlements)

    def _tell_parked(self, settlements: list[Settlement]) -> None:
        for each in settlements:
            if each.state is HoldState.PARKED and each.said is not None:
                telemetry.event(
                    "event.parked",
                    level=logging.WARNING,
                    destination=self.destination,
                    user=telemetry.user_hash(each.user_key),
                    event_id=each.event_id,
                    status=each.said.status,
                )
