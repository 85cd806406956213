"""The outbox against a small model: whatever happens, nothing is lost, nothing old is sent after something newer.

The model is a destination (a dict fed by sends, in the order in which they reach it) and the values last recorded. A send
whose outcome is unknown may have reached the destination at once, or still be on its way and arrive within the quiet
period: that is why R4 confirms.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
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
from tests.store.machines import run_machine

USERS = ("ann",)
"""One is enough: users never meet in a slot, and what can go wrong with one is found sooner."""
VALUES = st.sampled_from([None, 1, 2, "text", ["a", "b"]])
PARTLY = ["refused", "waits", "unsent", "never", "at once", "late"]
"""What may become of one key when the other one was accepted: the last three are a send without an answer."""


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
    late: list[tuple[ClaimedSlot, frozenset[str]]] = field(default_factory=list)

    def arrive(self, slot: ClaimedSlot, keys: Collection[str] | None = None) -> None:
        """What was claimed, or some keys of it, reaches the destination."""
        arrived = slot.owed if keys is None else keys
        self.holds |= {(slot.user_id, key): slot.owed[key] for key in arrived}

    def send(self, slot: ClaimedSlot, keys: Collection[str], arrives: str) -> None:
        """Send without ever getting an answer."""
        if arrives == "at once":
            self.arrive(slot, keys)
        elif arrives == "late":
            self.late.append((slot, frozenset(keys)))


class Outbox(RuleBasedStateMachine):
    """``database`` is given by the test, emptied at the start of every example."""

    database: Database
    clock: MovingClock

    @initialize(changes_once_more=st.booleans())
    def begin(self, changes_once_more: bool) -> None:
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name != "counter":
                    connection.execute(table.delete())
        self.changes_once_more = changes_once_more
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

    @rule(
        becomes=st.sampled_from(["accept", *PARTLY]),
        first=st.sampled_from([None, "spend", "vip"]),
        meanwhile=st.booleans(),
    )
    def send(self, becomes: str, first: str | None, meanwhile: bool) -> None:
        """Claim and settle in one go, as mostly happens; ``first`` is accepted before the other key becomes something.

        ``meanwhile`` something changes again.
        """
        before = len(self.hands)
        self.claim(3)
        if meanwhile:
            self.change()
        while len(self.hands) > before:
            if becomes == "accept":
                self.accept(-1)
            elif first is not None and len(self.hands[-1].slot.owed) > 1:
                self.partly(first, becomes)
            elif becomes in ("never", "at once", "late"):
                self.unknown(-1, becomes)
            elif becomes == "unsent":
                self.release(-1)
            else:
                self.not_applied(-1, Transition.PARK if becomes == "refused" else Transition.DEFER)

    @rule(becomes=st.sampled_from(PARTLY), first=st.sampled_from(["spend", "vip"]), meanwhile=st.booleans())
    def change_and_send(self, becomes: str, first: str, meanwhile: bool) -> None:
        """Both keys are owed and one is accepted: rarer by chance than it is worth."""
        self.change()
        self.send(becomes, first, meanwhile)

    @rule(becomes=st.sampled_from(PARTLY), first=st.sampled_from(["spend", "vip"]))
    def try_again(self, becomes: str, first: str) -> None:
        """What is parked or waits is sent, and again not all of it is accepted."""
        slots.unpark(self.database, PUSH)
        self.send(becomes, first, meanwhile=False)

    def change(self) -> None:
        """Everything changes."""
        self.record_members(set(USERS) - self.members, RunKind.DELTA)
        self.record_values({} if self.values else dict.fromkeys(USERS, 1), RunKind.DELTA)

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
        self.world.send(held.slot, held.slot.owed, arrives)
        settle(self.database, held.slot, Transition.DEFER, unknown=True)

    @precondition(lambda self: any(len(held.slot.owed) > 1 for held in self.hands))
    @rule(first=st.sampled_from(["spend", "vip"]), becomes=st.sampled_from(PARTLY))
    def partly(self, first: str, becomes: str) -> None:
        """One key goes alone and is accepted; the other is refused, gets no answer, has to wait, or is not sent."""
        held = next(held for held in reversed(self.hands) if len(held.slot.owed) > 1)
        self.hands.remove(held)
        self.world.arrive(held.slot, [first])
        unknown = becomes in ("never", "at once", "late")
        if unknown:
            self.world.send(held.slot, held.slot.owed.keys() - {first}, becomes)
        transition = {"refused": Transition.PARK, "unsent": Transition.RELEASE}.get(becomes, Transition.DEFER)
        accepted = {first: held.slot.versions[first]}
        settle(self.database, held.slot, transition, unknown=unknown, accepted=accepted)

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
        for slot, keys in self.world.late:
            self.world.arrive(slot, keys)
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
        # The worst order: everything changes once more (or nothing does, which would repair what was lost) and is sent;
        # only then what is late arrives, and who was frozen wakes up and sends what it had claimed.
        if self.changes_once_more:
            self.change()
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


def test_no_change_is_lost_on_sqlite(sqlite_database: Database, clock: MovingClock) -> None:
    run_machine(Outbox, sqlite_database, clock, examples=40, steps=20)


def test_no_change_is_lost_on_postgresql(postgresql_database: Database, clock: MovingClock) -> None:
    run_machine(Outbox, postgresql_database, clock, examples=10, steps=20)
