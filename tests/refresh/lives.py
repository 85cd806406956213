"""The same history lived through by two stores: one is refreshed as it goes, the other in full at every step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import text

from sync.model.definition import Definition
from sync.model.run import RunKind
from sync.model.watermark import BROKEN
from sync.refresh.plan import plan
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store import watermarks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, drain, owed
from tests.refresh.histories import History, Step


class StoppedClock(MovingClock):
    """The time is what a test says it is."""

    at = datetime(2024, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass
class Counted:
    """What a history was worth."""

    steps: int = 0
    incremental: int = 0
    changes: int = 0
    held: int = 0
    missed: int = 0


class Place(Protocol):
    """What both stores read."""

    def begin(self, history: History) -> None:
        """Be empty."""

    def write(self, step: Step) -> None:
        """What a step writes."""

    def source(self, database: Database) -> Source:
        """As a store sees it."""

    def break_promise(self, chance: float) -> bool:
        """Change old rows as nobody may; whether there were any."""


class Lives:
    """Both stores go by ``clock``."""

    def __init__(self, place: Place, clock: StoppedClock, changing: Database, full: Database) -> None:
        self._place, self._clock = place, clock
        self._changing, self._full = changing, full
        self.counted = Counted()

    def live(self, history: History) -> list[str]:
        """Go through it; gives how the stores differ at the first step after which they do."""
        self._place.begin(history)
        last: Refreshed | None = None
        for number, step in enumerate(history.steps):
            self._place.write(step)
            self._clock.at = step.clock
            earlier = history.steps[number - 1].as_of if number and step.chances[0] < 0.02 else None
            forced = earlier is not None or (last is not None and last.hold is not None and step.chances[1] < 0.5)
            wrong, last = self._step(step, earlier, forced=forced)
            if wrong:
                return [f"step {number} at {step.as_of} (back to {earlier}, {forced=}): {step.definition}", *wrong]
        drain(self._changing), drain(self._full)
        # Where exits are held, the next run reads everybody anyway.
        may_break = not history.lateness and last is not None and last.full is None and last.hold is None
        return self._broken(step) if may_break and self._place.break_promise(step.chances[7]) else []

    def _step(self, step: Step, earlier: datetime | None, *, forced: bool) -> tuple[list[str], Refreshed]:
        kind = RunKind.BACKFILL if step.chances[2] < 0.04 else RunKind.DELTA
        definition, wrong, planned = step.definition, [], None
        if step.chances[4] < 0.1 and kind is RunKind.DELTA and earlier is None:
            planned = plan(
                self._changing,
                {"shop": self._place.source(self._changing)},
                [definition],
                [PUSH],
                as_of=step.as_of,
                forced=forced,
            )
        asked: dict[str, Any] = {"kind": kind, "as_of": earlier or step.as_of, "forced": forced}
        one = self._refreshed(definition, full=step.chances[3] < 0.06, **asked)
        other = self._in_full(definition, alone=step.chances[6] < 0.8, **asked)
        wrong += self._differences(one, other)
        if planned is not None and planned.definitions[0].counts != one.counts:
            wrong.append(f"planned {planned.definitions[0].counts}, recorded {one.counts}")
        if step.chances[5] < 0.3 and (sent := drain(self._changing)) != (also := drain(self._full)):
            wrong.append(f"sent: {_apart(sent, also)}")
        self._count(one)
        return wrong, one

    def _in_full(self, definition: Definition, *, alone: bool, **asked: Any) -> Refreshed:
        """``alone``: and not compared with what would have been found otherwise."""
        if alone:
            with self._full.write() as connection:
                watermarks.distrust(connection)
        return refresh(self._full, self._place.source(self._full), definition, full=True, **asked)

    def _refreshed(self, definition: Definition, **asked: Any) -> Refreshed:
        return refresh(self._changing, self._place.source(self._changing), definition, **asked)

    def _broken(self, step: Step) -> list[str]:
        """Old rows are others now, against the promise: the next full run finds what incremental ones cannot see."""
        asked: dict[str, Any] = {"kind": RunKind.DELTA, "as_of": step.as_of, "forced": False}
        definition = replace(step.definition, max_exits=1.0)
        blind = self._refreshed(definition, **asked)
        self._in_full(definition, alone=True, **asked)
        before, after = _snapshot(self._changing), _snapshot(self._full)
        missed = sum(before.get(user) != after.get(user) for user in before.keys() | after.keys())
        found = self._refreshed(definition, full=True, **asked)
        again = self._refreshed(definition, **asked)
        watermarks.acknowledge(self._changing, definition.key)
        then = self._refreshed(definition, **asked)
        self.counted.missed += missed
        wrong = self._differences(replace(found, missed=0), replace(found, missed=0))
        expected = (None, missed, BROKEN if missed else None, None)
        if (blind.full, found.missed, again.full, then.full) != expected:
            wrong.append(f"{blind.full}, {found.missed}, {again.full}, {then.full}: not {expected} ({definition})")
        drain(self._changing), drain(self._full)
        return wrong

    def _count(self, done: Refreshed) -> None:
        self.counted.steps += 1
        self.counted.incremental += done.full is None
        self.counted.held += done.hold is not None
        if done.full is None:
            self.counted.changes += done.counts.entered + done.counts.exited + done.counts.changed

    def _differences(self, one: Refreshed, other: Refreshed) -> list[str]:
        pairs = {
            "snapshot": (_snapshot(self._changing), _snapshot(self._full)),
            "owed": (owed(self._changing), owed(self._full)),
            "counts": (one.counts, other.counts),
            "status": ((one.status, one.hold), (other.status, other.hold)),
            "missed": ((one.missed or 0, other.missed or 0), (0, 0)),
        }
        return [
            f"{what}: {_apart(got, wanted)} (evaluated in full because {one.full})"
            for what, (got, wanted) in pairs.items()
            if got != wanted
        ]


def _apart(got: object, wanted: object) -> str:
    if isinstance(got, dict) and isinstance(wanted, dict):
        users = {user for user in got.keys() | wanted.keys() if got.get(user) != wanted.get(user)}
        return ", ".join(f"{user}: {got.get(user)}, in full {wanted.get(user)}" for user in sorted(users))
    return f"{got}, in full {wanted}"


def _snapshot(database: Database) -> dict[str, str]:
    statement = text("SELECT definition_id || ' ' || user_id, CAST(value AS text) FROM snapshot")
    with database.read() as connection:
        return {row[0]: row[1] for row in connection.execute(statement)}
