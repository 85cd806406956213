"""What a delivery did, counted while it goes on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from sync import telemetry
from sync.model.outcome import FILTERED, Verdict
from sync.store.holder import Holder
from sync.store.slots import Backlog, Settlement, Transition


@dataclass(slots=True)
class Delivered:
    """What a dispatcher did, in users; ``by_verdict`` counts exchanges. ``backlog`` is what is left, ``stopped`` why it ended.

    ``settled``: users of whom nothing is owed any more, ``users`` those of them who were sent something. ``unconfirmed``
    had something accepted that was in doubt, so that it is sent once more (R4): they are settled when that is accepted.
    ``fault``: somebody has to mend the destination's settings. ``elsewhere``: who held the destination while this process
    watched; ``by_others``: users of whom nothing is owed any more since then.
    """

    destination: str
    users: int = 0
    settled: int = 0
    unconfirmed: int = 0
    refused: int = 0
    deferred: int = 0
    parked: int = 0
    owed_anew: int = 0
    stopped: str = ""
    fault: bool = False
    elsewhere: str = ""
    by_others: int = 0
    backlog: Backlog | None = None
    warnings: tuple[str, ...] = ()
    by_verdict: Counter[str] = field(default_factory=Counter)

    @property
    def complete(self) -> bool:
        """Nothing is owed any more, and nobody is parked."""
        return self.backlog is not None and not self.backlog.owed and not self.backlog.parked

    @property
    def accepted(self) -> int:
        """Requests that were accepted."""
        return self.by_verdict[Verdict.ACCEPTED]

    @property
    def filtered(self) -> int:
        """Events that no mapping wanted: there was nothing to send."""
        return self.by_verdict[FILTERED]

    def count(self, settlement: Settlement) -> None:
        """Take in what became of one slot."""
        verdicts = [attempt.verdict for attempt in settlement.attempts]
        for verdict in verdicts:
            self.by_verdict[verdict] += 1
        self.deferred += settlement.transition is Transition.DEFER
        if settlement.confirms:
            self.unconfirmed += 1
        elif settlement.transition is Transition.ACCEPT:
            self.settled += 1
            self.users += Verdict.ACCEPTED in verdicts
        elif settlement.transition is Transition.PARK:
            self.parked += 1
            self.refused += Verdict.REFUSED in verdicts

    def watch(self, holder: Holder, before: Backlog, after: Backlog) -> None:
        """What ``holder`` has done since this process began to watch it."""
        self.elsewhere = f"process {holder.pid} on {holder.host}"
        self.parked = max(0, after.parked - before.parked)
        self.by_others = max(0, before.owed - after.owed - self.parked)

    def add(self, more: Delivered) -> None:
        """Take in what ``more`` counted."""
        for name in ("users", "settled", "unconfirmed", "refused", "deferred", "parked", "by_others"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.elsewhere = self.elsewhere or more.elsewhere
        self.by_verdict.update(more.by_verdict)

    def add_to_counters(self) -> None:
        """Add it to the process's counters, which outlive a dispatcher."""
        for name, number in (
            ("delivered", self.users),
            ("deferred", self.deferred),
            ("refused", self.refused),
            ("parked", self.parked),
        ):
            telemetry.count(name, number, destination=self.destination)
        for verdict, number in self.by_verdict.items():
            telemetry.count("exchanges", number, destination=self.destination, verdict=verdict)
