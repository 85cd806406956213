"""The outbox against a small model: whatever happens, nothing is lost, nothing old is sent after something newer.

The model is a destination (a dict fed by sends, in the order in which they reach it) and the values last recorded. A send
whose outcome is unknown may have reached the destination at once, or still be on its way and arrive within the quiet
period: that is why R4 confirms.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import text

from sync.model.run import RunKind
from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.engine import Database
from sync.store.schema import metadata
from sync.store.slots import Transition
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, claim, record, settle, trait

USERS = ("ann",)
"""One is enough: users never meet in a slot, and what can go wrong with one is found sooner."""
VALUES = st.sampled_from([None, 1, 2, "text", ["a", "b"]])


@dataclass
class Holding:
    """A claimed slot in somebody's hands; ``frozen`` once its lease has been taken from it."""

    slot: ClaimedSlot
    frozen: bool = False


@dataclass
class Outside:
    """What the world knows: values as recorded, what the destination holds, what is on its way there."""

    wanted: dict[tuple[str, str], object] = field(default_factory=dict)
    holds: dict[tuple[str, str], object] = field(default_factory=dict)
    late: list[ClaimedSlot] = field(default_factory=list)

    def arrive(self, slot: ClaimedSlot) -> None:
        self.holds |= {(slot.user_id, key): value for key, value in slot.owed.items()}


class Outbox(RuleBasedStateMachine):
    """``database`` is given by the test, emptied at the start of every example."""

    database: Database
    clock: MovingClock

    @initialize()
    def begin(self) -> None:
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name != "counter":
                    connection.execute(table.delete())
        self.world = Outside()
        self.hands: list[Holding] = []
        self.newest: dict[tuple[str, str], int] = {}
        self.members: set[str] = set()
        self.values: dict[str, object] = {}
        record(self.database, audience(), [])
        record(self.database, trait(), {})

    @rule(members=st.sets(st.sampled_from(USERS)), kind=st.sampled_from(RunKind))
    def record_members(self, members: set[str], kind: RunKind) -> None:
        record(self.database, audience(), sorted(members), kind=kind)
        for user in members | self.members:
            self.world.wanted[user, "vip"] = user in members
        self.members = members

    @rule(values=st.dictionaries(st.sampled_from(USERS), VALUES), kind=st.sampled_from(RunKind))
    def record_values(self, values: dict[str, object], kind: RunKind) -> None:
        present = {user: value for user, value in values.items() if value is not None}
        record(self.database, trait(), present, kind=kind)
        for user in present.keys() | self.values.keys():
            self.world.wanted[user, "spend"] = present.get(user)
        self.values = present

    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        for slot in claim(self.database, most):
            self._check_never_older(slot)
            self.hands.append(Holding(slot))

    def _check_never_older(self, slot: ClaimedSlot) -> None:
        for key, version in slot.versions.items():
            assert version >= self.newest.get((slot.user_id, key), 0), "an older value after a newer one"
            self.newest[slot.user_id, key] = version
            assert slot.owed[key] == self.world.wanted[slot.user_id, key], "not the current value"

    @rule(transition=st.sampled_from(["accept", "never", "at once", "late"]))
    def send(self, transition: str) -> None:
        """Claim and settle in one go, as mostly happens."""
        before = len(self.hands)
        self.claim(3)
        while len(self.hands) > before:
            self.accept(-1) if transition == "accept" else self.unknown(-1, transition)

    def _take(self, choice: int) -> Holding:
        return self.hands.pop(choice if choice < 0 else choice % len(self.hands))

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def accept(self, choice: int) -> None:
        held = self._take(choice)
        self.world.arrive(held.slot)
        settle(self.database, held.slot, Transition.ACCEPT)

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9), arrives=st.sampled_from(["never", "at once", "late"]))
    def unknown(self, choice: int, arrives: str) -> None:
        held = self._take(choice)
        if arrives == "at once":
            self.world.arrive(held.slot)
        elif arrives == "late":
            self.world.late.append(held.slot)
        settle(self.database, held.slot, Transition.DEFER, unknown=True)

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9), transition=st.sampled_from([Transition.DEFER, Transition.PARK]))
    def not_applied(self, choice: int, transition: Transition) -> None:
        settle(self.database, self._take(choice).slot, transition)

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def release(self, choice: int) -> None:
        held = self._take(choice)
        settle(self.database, held.slot, Transition.RELEASE, attempts=())

    @precondition(lambda self: self.hands)
    @rule()
    def freeze(self) -> None:
        """All holders sleep past their leases; they wake up later and settle what they sent."""
        self._pass(LEASE + 1)
        slots.rescue(self.database, PUSH)
        for held in self.hands:
            held.frozen = True

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def die(self, choice: int) -> None:
        """A holder that never comes back; what it sent has arrived, or has not."""
        held = self._take(choice)
        if choice % 2:
            self.world.arrive(held.slot)
        self._pass(LEASE + 1)
        slots.rescue(self.database, PUSH)

    def late_bytes_arrive(self) -> None:
        for slot in self.world.late:
            self.world.arrive(slot)
        self.world.late.clear()

    def _pass(self, seconds: float) -> None:
        """Time passes, more than the quiet period: what is on its way has arrived by then."""
        self.late_bytes_arrive()
        self.clock.advance(seconds)

    @rule(user=st.sampled_from(USERS))
    def unpark(self, user: str) -> None:
        slots.unpark(self.database, PUSH, [user])

    @invariant()
    def who_never_changed_is_never_owed(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.database.read() as connection:
            owed = set(connection.execute(text("SELECT user_id FROM slot")).scalars())
        assert owed <= {user for user, _ in self.world.wanted}

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        # The worst order: everything changes once more and is sent; only then what is late arrives, and who was frozen
        # wakes up and sends what it had claimed.
        self.record_members(set(USERS) - self.members, RunKind.DELTA)
        self.record_values({} if self.values else dict.fromkeys(USERS, 1), RunKind.DELTA)
        self.hands.sort(key=lambda held: not held.frozen)
        while self.hands and not self.hands[-1].frozen:
            self.accept(-1)
        self._drain_one_round()
        self.late_bytes_arrive()
        self._pass(QUIET + 1)
        self._drain_one_round()
        while self.hands:
            self.accept(-1)
        for _ in range(6):
            slots.unpark(self.database, PUSH)
            self._pass(QUIET + 1)
            self._drain_one_round()
        with self.database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM slot")).scalar_one() == 0, "it never ends"
        absent = {"vip": False, "spend": None}
        lost = {
            at: value for at, value in self.world.wanted.items() if self.world.holds.get(at, absent[at[1]]) != value
        }
        assert not lost, "a change was lost"

    def _drain_one_round(self) -> None:
        for slot in claim(self.database):
            self._check_never_older(slot)
            self.world.arrive(slot)
            settle(self.database, slot, Transition.ACCEPT)


def run(database: Database, clock: MovingClock, examples: int) -> None:
    machine = type("OutboxHere", (Outbox,), {"database": database, "clock": clock})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        ),
    )


def test_no_change_is_lost_on_sqlite(sqlite_database: Database, clock: MovingClock) -> None:
    run(sqlite_database, clock, examples=60)


def test_no_change_is_lost_on_postgresql(postgresql_database: Database, clock: MovingClock) -> None:
    run(postgresql_database, clock, examples=15)
