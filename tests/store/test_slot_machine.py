"""The outbox with several users at once, settled in batches, while answers of the store itself get lost.

`test_slot_model` has one user and settles one slot at a time. Here a batch has slots of several users that go different
ways, some of them taken away meanwhile; a claim or a settlement may be committed although nobody heard so, and is then
asked for once more (`sync.deliver.persistence`); and a destination may be taken over from a holder that is dead.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from sync.store.slots import Settlement, Transition
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, claim, record, sent, trait
from tests.store.machines import run_machine
from tests.store.test_slot_model import Outside

USERS = ("ann", "bob", "cleo")
KEYS = ("spend", "vip")
ABSENT = {"vip": False, "spend": None}

FATES = ("accepted", "refused", "waits", "unsent", "never", "at once", "late")
"""What a send may become; the last three without an answer."""


@dataclass
class Held:
    """A claimed slot in somebody's hands. ``frozen``: its lease has run out. ``fate`` is set once it was sent."""

    slot: ClaimedSlot
    frozen: bool = False
    fate: str = ""
    first: str | None = None


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
        self.hands: list[Held] = []
        self.newest: dict[tuple[str, str], int] = {}
        self.answers: dict[str, dict[str, object]] = {key: {} for key in KEYS}
        for key in KEYS:
            self._record(key, {}, RunKind.DELTA)

    def _record(self, key: str, answer: dict[str, object], kind: RunKind) -> None:
        record(
            self.database, audience() if key == "vip" else trait(), list(answer) if key == "vip" else answer, kind=kind
        )
        for user in answer.keys() | self.answers[key].keys():
            self.world.wanted[user, key] = answer.get(user, ABSENT[key])
        self.answers[key] = answer

    @rule(members=st.sets(st.sampled_from(USERS)), kind=st.sampled_from(RunKind))
    def members(self, members: set[str], kind: RunKind) -> None:
        self._record("vip", dict.fromkeys(sorted(members), True), kind)

    @rule(
        values=st.dictionaries(st.sampled_from(USERS), st.sampled_from([1, 2, "text"])), kind=st.sampled_from(RunKind)
    )
    def values(self, values: dict[str, object], kind: RunKind) -> None:
        self._record("spend", values, kind)

    @rule(most=st.integers(1, 3))
    def claim(self, most: int) -> None:
        for slot in claim(self.database, most):
            now = {key: self.world.wanted[slot.user_id, key] for key in slot.owed}
            assert slot.owed == now, "not what is wanted now"
            self.hands.append(Held(slot))

    @rule(most=st.integers(1, 3))
    def claim_that_nobody_hears_of(self, most: int) -> None:
        """It is committed, its answer is lost, and nobody will ever settle it."""
        claim(self.database, most)

    @precondition(lambda self: any(not held.fate for held in self.hands))
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Send what is in hand; what became of it is settled later."""
        for held in [held for held in self.hands if not held.fate]:
            self._send(held, data.draw(st.sampled_from(FATES)), data.draw(st.sampled_from([None, *KEYS])))

    def _send(self, held: Held, fate: str, first: str | None) -> None:
        """``first`` goes alone and is accepted; the others become their ``fate``."""
        slot = held.slot
        held.fate = fate
        held.first = first if fate != "accepted" and len(slot.owed) > 1 and first in slot.owed else None
        if fate == "unsent" and held.first is None:
            return
        if not held.frozen:
            for key, version in slot.versions.items():
                assert version >= self.newest.get((slot.user_id, key), 0), "an older value after a newer one"
        for key, version in slot.versions.items():
            self.newest[slot.user_id, key] = max(version, self.newest.get((slot.user_id, key), 0))
        if held.first is not None:
            self.world.arrive(slot, [held.first])
        rest = slot.owed.keys() - {held.first}
        self.world.send(slot, rest, "at once" if fate == "accepted" else fate)

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), twice=st.booleans())
    def settle(self, data: st.DataObject, twice: bool) -> None:
        """Settle some of what is in hand, in one batch. ``twice``: nobody heard that it was written the first time."""
        number = data.draw(st.integers(1, len(self.hands)))
        batch, self.hands = self.hands[:number], self.hands[number:]
        for held in batch:
            if not held.fate:
                self._send(held, data.draw(st.sampled_from(FATES)), None)
        users = [held.slot.user_id for held in batch]
        if len(users) > len(set(users)):  # one dispatcher has a user once; the other hand is somebody else's
            for held in batch:
                self._write([held], twice=twice)
        else:
            self._write(batch, twice=twice)

    def _write(self, batch: list[Held], *, twice: bool) -> None:
        for _ in range(1 + twice):
            slots.settle(self.database, PUSH, [settlement(held) for held in batch], QUIET)

    @precondition(lambda self: self.hands)
    @rule()
    def freeze(self) -> None:
        """Whoever has something in hand sleeps past its lease."""
        self._pass(LEASE + 1)
        slots.rescue(self.database, PUSH)
        for held in self.hands:
            held.frozen = True

    @rule(number=st.integers(0, 3))
    def taken_over(self, number: int) -> None:
        """The destination's holder was found dead; whoever was frozen before that is not among the dead."""
        for held in [held for held in self.hands if not held.frozen]:
            self.hands.remove(held)
            if number and not held.fate:
                self._send(held, FATES[-number], None)
        slots.rescue(self.database, PUSH, all_of_them=True)

    @rule()
    def a_while_passes(self) -> None:
        """So long that what is on its way has arrived. Leases of those who are awake would not last."""
        if all(held.frozen for held in self.hands):
            self._pass(QUIET + 1)

    def _pass(self, seconds: float) -> None:
        for slot, keys in self.world.late:
            self.world.arrive(slot, keys)
        self.world.late.clear()
        self.clock.advance(seconds)

    @rule(users=st.sets(st.sampled_from(USERS)))
    def unpark(self, users: set[str]) -> None:
        slots.unpark(self.database, PUSH, sorted(users) or None)

    @invariant()
    def nothing_is_owed_to_who_never_changed_and_no_slot_is_empty(self) -> None:
        if not hasattr(self, "world"):
            return
        with self.database.read() as connection:
            rows = connection.execute(text("SELECT user_id, CAST(owed AS text) AS owed FROM slot")).all()
        assert {row.user_id for row in rows} <= {user for user, _ in self.world.wanted}
        assert "{}" not in {row.owed for row in rows}

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for held in self.hands:
            if not held.fate:
                self._send(held, "accepted", None)
            self._write([held], twice=False)
        for _ in range(8):
            slots.unpark(self.database, PUSH)
            self._pass(LEASE + 1)
            slots.rescue(self.database, PUSH)
            for slot in claim(self.database):
                held = Held(slot)
                self._send(held, "accepted", None)
                self._write([held], twice=False)
        with self.database.read() as connection:
            assert connection.execute(text("SELECT count(*) FROM slot")).scalar_one() == 0, "it never ends"
        lost = {
            at: value for at, value in self.world.wanted.items() if self.world.holds.get(at, ABSENT[at[1]]) != value
        }
        assert not lost, "a change was lost"


def settlement(held: Held) -> Settlement:
    """How a dispatcher settles what a send became."""
    accepted = {held.first: held.slot.versions[held.first]} if held.first is not None else None
    unknown = held.fate in ("never", "at once", "late")
    transition = {"accepted": Transition.ACCEPT, "refused": Transition.PARK, "unsent": Transition.RELEASE}.get(
        held.fate, Transition.DEFER
    )
    attempts = () if held.fate == "unsent" and accepted is None else sent(held.slot)
    return Settlement(held.slot, transition, 1.0, unknown, "test", accepted, attempts)


def test_no_change_of_several_users_is_lost_on_sqlite(sqlite_database: Database, clock: MovingClock) -> None:
    run_machine(Outbox, sqlite_database, clock, examples=30, steps=20)


def test_no_change_of_several_users_is_lost_on_postgresql(postgresql_database: Database, clock: MovingClock) -> None:
    run_machine(Outbox, postgresql_database, clock, examples=8, steps=20)
