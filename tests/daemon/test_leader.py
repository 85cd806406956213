"""One of several daemons leads, and its duties last as long as its lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from sync.daemon.generation import Generation
from sync.daemon.leader import LEASE, Leader
from sync.deliver.tenure import LEASE_SECONDS
from sync.store import leases
from sync.store.engine import Database
from sync.store.leases import Held, Lease
from sync.web import Vitals
from tests.moving_clock import MovingClock
from tests.soak import patience


class Duty:
    """Says whether it is being done."""

    name = "duty"

    def __init__(self, *, stubborn: bool = False) -> None:
        self.done = False
        self.times = 0
        self.may_end = asyncio.Event()
        if not stubborn:
            self.may_end.set()

    async def run(self, stopping: asyncio.Event) -> None:
        self.done = True
        self.times += 1
        try:
            await stopping.wait()
            await self.may_end.wait()
        finally:
            self.done = False


@asynccontextmanager
async def running(leader: Leader) -> AsyncIterator[asyncio.Event]:
    stopping = asyncio.Event()
    task = asyncio.create_task(leader.run(stopping))
    try:
        yield stopping
    finally:
        stopping.set()
        await task


async def until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 - what is waited for happens in the store
            await asyncio.sleep(0.005)


async def test_one_of_two_leads_and_when_it_stops_the_other_one_does_within_a_second(
    database: Database, clock: MovingClock
) -> None:
    first, second = Duty(), Duty()
    now = Generation.announce(database, "one")
    async with running(Leader(database, now, clock, Vitals(), [first])) as stopping:
        await until(lambda: first.done)
        async with running(Leader(database, now, clock, Vitals(), [second])):
            assert isinstance(await asyncio.to_thread(leases.acquire, database, LEASE, LEASE_SECONDS), Held)
            assert not second.done
            stopping.set()
            await until(lambda: second.done, patience(1.0))
            assert not first.done


async def test_a_leader_that_was_frozen_past_its_lease_gives_up_its_duties_by_itself(
    database: Database, clock: MovingClock
) -> None:
    duty = Duty()
    async with running(Leader(database, Generation.announce(database, "one"), clock, Vitals(), [duty])):
        await until(lambda: duty.done)
        clock.advance(LEASE_SECONDS)
        # Nobody else wants to lead, so it takes the lead again, in a new term.
        await until(lambda: duty.times == 2)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT term FROM lease WHERE name = 'leader'").scalar_one() > 1


def test_a_renewal_that_comes_after_the_release_takes_nothing_back(database: Database) -> None:
    lease = leases.acquire(database, LEASE, LEASE_SECONDS)
    assert isinstance(lease, Lease)
    leases.release(database, lease)
    assert not leases.renew(database, lease, LEASE_SECONDS)
    assert isinstance(leases.acquire(database, LEASE, LEASE_SECONDS), Lease)


async def test_who_has_an_outdated_configuration_leaves_the_lead_to_others(
    database: Database, clock: MovingClock
) -> None:
    old, new = Duty(), Duty()
    ours = Generation.announce(database, "one")
    async with running(Leader(database, ours, clock, Vitals(), [old])):
        await until(lambda: old.done)
        theirs = Generation.announce(database, "two")
        async with running(Leader(database, theirs, clock, Vitals(), [new])):
            assert not await asyncio.to_thread(ours.check, database)
            await until(lambda: new.done and not old.done)


async def test_the_lease_is_given_back_at_once_even_when_a_duty_takes_its_time(
    database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.daemon.leader.PATIENCE", 60.0)
    stubborn, other = Duty(stubborn=True), Duty()
    now = Generation.announce(database, "one")
    async with running(Leader(database, now, clock, Vitals(), [stubborn])) as stopping:
        await until(lambda: stubborn.done)
        stopping.set()
        async with running(Leader(database, now, clock, Vitals(), [other])):
            await until(lambda: other.done, patience(1.0))
            assert stubborn.done
            stubborn.may_end.set()
