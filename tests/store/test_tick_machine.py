"""Ticks shared by daemons that freeze, die and grow old: every tick has at most one recorded run, and none is forgotten.

The store is the real one. Hands are what workers hold: a claimed tick, the run that was begun for it, and whether it was
recorded. Whoever freezes wakes up later and goes on where it was, as if it still held everything.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import text

from sync.errors import RunBusy, RunLost
from sync.model.run import ClaimedRun, RunKind
from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations, recording, runs, ticks
from sync.store.engine import Database
from sync.store.schema import metadata, tick
from tests.moving_clock import MovingClock
from tests.recorder import audience
from tests.store.machines import run_machine

START = datetime(2024, 11, 21, 12, tzinfo=UTC)
KEYS = ("a", "b")
FOLLOWERS = {"follower": "a"}
ALL = (*KEYS, *FOLLOWERS)
LEASE = runs.LEASE_SECONDS

SELDOM = st.sampled_from([False, False, False, True])
LATE = st.sampled_from([0, 0, 0, 5])

ENDED = {TickState.DONE, TickState.FAILED, TickState.SKIPPED}


@dataclass
class Hand:
    """What one worker holds. ``frozen``: for longer than its leases last, or it was given back while its run goes on."""

    tick: ClaimedTick
    run: ClaimedRun | None = None
    recorded: bool = False
    frozen: bool = False


class Ticks(RuleBasedStateMachine):
    """``database`` is given by the test, emptied at the start of every example."""

    database: Database
    clock: MovingClock

    @initialize()
    def begin(self) -> None:
        with self.database.write() as connection:
            for table in reversed(metadata.sorted_tables):
                if table.name != "counter":
                    connection.execute(table.delete())
        self.hands: list[Hand] = []
        self.said = 0
        self.generations = [configurations.announce(self.database, "0")]
        self.last: dict[str, datetime] = {}
        self.ended: dict[tuple[str, datetime], str] = {}

    def stands(self) -> dict[tuple[str, datetime], tuple[str, datetime]]:
        """All ticks: their state, and since when they are due."""
        with self.database.read() as connection:
            return {(row.key, row.instant): (row.state, row.due_at) for row in connection.execute(tick.select())}

    def records(self) -> Counter[tuple[str, datetime]]:
        """How many recorded runs each tick has."""
        statement = text(
            "SELECT key, tick FROM run JOIN definition ON definition.id = run.definition_id"
            " WHERE status IN ('succeeded', 'held') AND tick IS NOT NULL"
        ).columns(tick=tick.c.instant.type)
        with self.database.read() as connection:
            return Counter((row.key, row.tick) for row in connection.execute(statement))

    # What daemons do

    @rule(key=st.sampled_from(KEYS), steps=st.sampled_from([1, 1, 2, 0, -1]), late=LATE, old=SELDOM)
    def insert(self, key: str, steps: int, late: int, old: bool) -> None:
        instant = self.last.get(key, START) + timedelta(seconds=steps)
        self._insert(key, instant, late, self.generations[0] if old else self.generations[-1])

    def _insert(self, key: str, instant: datetime, late: int, generation: int) -> None:
        mine = {at: state for (each, at), (state, _) in self.stands().items() if each == key}
        forward = "due" not in mine.values() and instant > max(mine, default=instant - timedelta(seconds=1))
        due_at = self.clock.now() + timedelta(seconds=late)
        added = ticks.insert(self.database, key, instant, due_at=due_at, generation=generation)
        assert added == (forward and generation == self.generations[-1])
        if added:
            self.last[key] = instant

    @rule()
    def follow(self) -> None:
        with self.database.read() as connection:
            due = ticks.followers_due(connection, FOLLOWERS)
        for key, instant in due:
            self._insert(key, instant, 0, self.generations[-1])

    @rule(keys=st.sets(st.sampled_from(ALL), min_size=1), old=SELDOM)
    def claim(self, keys: set[str], old: bool) -> None:
        generation = self.generations[0] if old else self.generations[-1]
        expected = self._first_due(keys) if generation == self.generations[-1] else None
        found = ticks.claim(self.database, keys, generation, LEASE)
        assert (found and (found.key, found.instant)) == expected
        if found is not None:
            self.hands.append(Hand(found))

    def _first_due(self, keys: set[str]) -> tuple[str, datetime] | None:
        """The tick that has waited longest, of those that nobody ran and whose definition nobody is running."""
        stands, records = self.stands(), self.records()
        running = {key for (key, _), (state, _) in stands.items() if state == "running"}
        due = [
            (due_at, key, instant)
            for (key, instant), (state, due_at) in stands.items()
            if state == "due" and due_at <= self.clock.now() and key in keys - running
        ]
        return next(((key, instant) for _, key, instant in sorted(due) if not records[key, instant]), None)

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def start(self, choice: int) -> None:
        """Begin the run; who finds that somebody else has it in hand puts the tick back."""
        hand = self.hands[choice if choice < 0 else choice % len(self.hands)]
        if hand.run is None:
            try:
                asked = audience(hand.tick.key)
                hand.run = runs.claim(self.database, asked, RunKind.DELTA, None, forced=False, tick=hand.tick)
            except (RunBusy, RunLost):
                self.hands.remove(hand)
                self._again(hand, 5, failed=False)

    @precondition(lambda self: any(hand.run and not hand.recorded for hand in self.hands))
    @rule(choice=st.integers(0, 9))
    def record(self, choice: int) -> None:
        begun = [hand for hand in self.hands if hand.run and not hand.recorded]
        hand = begun[choice if choice < 0 else choice % len(begun)]
        assert hand.run is not None
        try:
            with recording.session(self.database) as session:
                session.load([], ("user_id",))
                session.record(hand.run, audience(hand.tick.key), 0, None)
            hand.recorded = True
        except RunLost:
            outdated = hand.tick.generation != self.generations[-1]
            assert hand.frozen or outdated, "taken from somebody who was awake"
            self.hands.remove(hand)
            self._again(hand, 5, failed=False)

    @precondition(lambda self: any(hand.recorded for hand in self.hands))
    @rule(choice=st.integers(0, 9))
    def finish(self, choice: int) -> None:
        recorded = [hand for hand in self.hands if hand.recorded]
        hand = recorded[choice if choice < 0 else choice % len(recorded)]
        self.hands.remove(hand)
        assert ticks.finish(self.database, hand.tick, TickState.DONE) or hand.frozen

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def give_back(self, choice: int) -> None:
        """A worker lets go of its tick, and its run goes on as if nothing had happened."""
        hand = self.hands[choice % len(self.hands)]
        assert ticks.give_back(self.database, hand.tick, "given back") or hand.frozen
        hand.frozen = True

    @precondition(lambda self: any(not hand.recorded for hand in self.hands))
    @rule(choice=st.integers(0, 9), delay=st.sampled_from([None, 0, 5]))
    def fail(self, choice: int, delay: int | None) -> None:
        """The refresh did not go well: it is tried again, or given up."""
        failing = [hand for hand in self.hands if not hand.recorded]
        hand = failing[choice % len(failing)]
        self.hands.remove(hand)
        if hand.run is not None:
            runs.fail(self.database, hand.run, RunLost("did not go well"))
        if delay is not None:
            self._again(hand, delay, failed=True)
        else:
            assert ticks.finish(self.database, hand.tick, TickState.FAILED, "did not go well") or hand.frozen

    def _again(self, hand: Hand, delay: float, *, failed: bool) -> None:
        due_at = self.clock.now() + timedelta(seconds=delay)
        done = ticks.again(self.database, hand.tick, due_at=due_at, reason="again", failed=failed)
        assert done or hand.frozen

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def renew(self, choice: int) -> None:
        hand = self.hands[choice % len(self.hands)]
        assert ticks.renew(self.database, hand.tick, LEASE) or hand.frozen

    # What happens to them

    @rule(key=st.sampled_from(KEYS), far=st.integers(0, 2), rescued=st.booleans(), next_far=st.integers(-1, 3))
    def overtaken(self, key: str, far: int, rescued: bool, next_far: int) -> None:
        """One takes a tick, gets so far, and freezes; the next one gets so far with what there is to take then."""
        self.insert(key, 1, 0, old=False)
        self._take(far)
        if self.hands:
            self.freeze(rescued)
        self._take(next_far)

    def _take(self, far: int) -> None:
        """Take what is to be taken; then begin its run, record it, finish it, or not all of that."""
        before = len(self.hands)
        if far >= 0:
            self.claim(set(ALL), old=False)
        for step in (self.start, self.record, self.finish)[: max(far, 0)]:
            if len(self.hands) > before:
                step(-1)

    @precondition(lambda self: self.hands)
    @rule(rescued=st.booleans())
    def freeze(self, rescued: bool) -> None:
        """All who hold anything sleep past their leases; ``rescued``: the leader notices before they wake."""
        for hand in self.hands:
            hand.frozen = True
        self.clock.advance(LEASE + 1)
        if rescued:
            self.rescue()

    @precondition(lambda self: self.hands)
    @rule(choice=st.integers(0, 9))
    def die(self, choice: int) -> None:
        self.hands.pop(choice % len(self.hands))

    @rule()
    def rescue(self) -> None:
        ticks.rescue(self.database)
        runs.rescue(self.database)

    @rule()
    def announce(self) -> None:
        self.said += 1
        self.generations.append(configurations.announce(self.database, str(self.said)))
        assert self.generations[-1] > self.generations[-2]

    @rule(kept=st.sets(st.sampled_from(ALL), min_size=2))
    def leave(self, kept: set[str]) -> None:
        """Definitions leave the configuration; what is due of them is skipped."""
        due = {key for (key, _), (state, _) in self.stands().items() if state == "due"}
        assert ticks.skip_others(self.database, kept, self.generations[-1]) == len(due - kept)

    # What holds

    @invariant()
    def one_of_each(self) -> None:
        if not hasattr(self, "hands"):
            return
        stands, records = self.stands(), self.records()
        for state in ("due", "running"):
            assert max(Counter(key for (key, _), (each, _) in stands.items() if each == state).values(), default=0) <= 1
        assert set(records.values()) <= {1}
        for which, (state, _) in stands.items():
            assert state != "done" or records[which] == 1, which
            assert self.ended.setdefault(which, state) == state if state in ENDED else which not in self.ended
        for key in ALL:
            ended = [at for (each, at), state in self.ended.items() if each == key and state != "skipped"]
            open_ = [at for (each, at), (state, _) in stands.items() if each == key and state not in ENDED]
            assert not ended or not open_ or max(ended) < min(open_), "an instant after a later one"

    def teardown(self) -> None:
        """All who are left go on to the end, and then a last one does what remains: nothing is left open."""
        if not hasattr(self, "hands"):
            return
        for hand in self.hands:
            with suppress(RunBusy, RunLost):
                self._do(hand)
        self.clock.advance(LEASE + 1)
        self.rescue()
        while (found := ticks.claim(self.database, ALL, self.generations[-1], LEASE)) is not None:
            self._do(Hand(found))
        self.one_of_each()
        assert {state for state, _ in self.stands().values()} <= ENDED
        for key, instant in self.last.items():
            assert instant in {at for each, at in self.ended if each == key} or self._gave_way(key, instant)

    def _do(self, hand: Hand) -> None:
        asked = audience(hand.tick.key)
        if hand.run is None:
            hand.run = runs.claim(self.database, asked, RunKind.DELTA, None, forced=False, tick=hand.tick)
        if not hand.recorded:
            with recording.session(self.database) as session:
                session.load([], ("user_id",))
                session.record(hand.run, asked, 0, None)
        ticks.finish(self.database, hand.tick, TickState.DONE)

    def _gave_way(self, key: str, instant: datetime) -> bool:
        """A due one gives way to an earlier one that is put back, whose run is as of its own start, and so later."""
        return any(each == key and at < instant for each, at in self.ended)


def test_ticks_on_sqlite(sqlite_database: Database, clock: MovingClock) -> None:
    run_machine(Ticks, sqlite_database, clock, examples=30, steps=25)


def test_ticks_on_postgresql(postgresql_database: Database, clock: MovingClock) -> None:
    run_machine(Ticks, postgresql_database, clock, examples=8, steps=25)
