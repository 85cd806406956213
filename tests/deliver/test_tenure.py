"""A destination is ours only while its lease can be trusted, by our own clock and without asking anybody."""

from __future__ import annotations

import asyncio

import pytest

from sync import telemetry
from sync.deliver import tenure
from sync.errors import StoreUnavailable
from sync.store import leases
from sync.store.engine import Database
from sync.store.leases import Held, Lease
from tests import proofs
from tests.moving_clock import HaltedClock, MovingClock

NAME = "destination:anything"


@pytest.fixture
def clock() -> HaltedClock:
    """What passes between two lines of a test is for the test to say."""
    return HaltedClock()


def lease_end(database: Database) -> object:
    with database.read() as connection:
        return connection.exec_driver_sql("SELECT until FROM lease").scalar_one()


async def heard(name: str) -> None:
    """Wait for an event."""
    happened = asyncio.Event()
    stop = telemetry.listen(lambda each, _: happened.set() if each == name else None)
    try:
        async with asyncio.timeout(60):
            await happened.wait()
    finally:
        stop()


async def test_a_destination_that_somebody_alive_holds_is_theirs_until_they_give_it_back(
    database: Database, clock: MovingClock
) -> None:
    async with tenure.tenure(database, "anything", clock) as first:
        assert isinstance(first, tenure.Tenure)
        assert first.holds()
        async with tenure.tenure(database, "anything", clock) as second:
            assert isinstance(second, Held)
        assert first.holds()
    async with tenure.tenure(database, "anything", clock) as third:
        assert isinstance(third, tenure.Tenure)


async def test_a_holder_that_was_frozen_knows_by_itself_that_its_lease_may_be_over(
    database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 1000)
    async with tenure.tenure(database, "anything", clock) as frozen:
        assert isinstance(frozen, tenure.Tenure)
        clock.advance(tenure.LEASE_SECONDS - tenure.MARGIN)
        assert not frozen.holds()
        # Nobody else may have it yet: who trusts it less long than others do is never one of two.
        assert isinstance(leases.acquire(database, NAME, 15), Held)
        clock.advance(tenure.MARGIN + 0.1)
        other = leases.acquire(database, NAME, 15)
        assert isinstance(other, Lease)
    # What the frozen one gives back at its end is not the other one's lease.
    assert leases.renew(database, other, 15)


async def test_a_lease_is_renewed_before_it_ends_and_trusted_from_the_start_of_the_renewal(
    database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 0.01)
    async with tenure.tenure(database, "anything", clock) as held:
        assert isinstance(held, tenure.Tenure)
        before = lease_end(database)

        def renewed() -> bool:
            return held.holds() and lease_end(database) != before

        for _ in range(3):
            clock.advance(10)
            await asyncio.to_thread(proofs.until, renewed, "the lease is not renewed")
            before = lease_end(database)
        assert held.holds()


async def test_a_lease_that_is_somebody_elses_now_is_lost_for_good(
    database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 0.01)
    async with tenure.tenure(database, "anything", clock) as held:
        assert isinstance(held, tenure.Tenure)
        lost = asyncio.create_task(heard("lease.lost"))
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE lease SET term = term + 1")
        await lost
        assert not held.holds()


async def test_a_store_that_is_away_costs_the_lease_only_when_it_stays_away(
    database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenure, "RENEW_EVERY", 0.01)

    def away(*_: object) -> None:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(leases, "renew", away)
        patch.setattr(leases, "release", away)
        async with tenure.tenure(database, "anything", clock) as held:
            assert isinstance(held, tenure.Tenure)
            await heard("lease.not_renewed")
            assert held.holds()
            clock.advance(tenure.LEASE_SECONDS)
            assert not held.holds()
    # It could not be given back either, and ran out by itself.
    clock.advance(tenure.LEASE_SECONDS)
    assert isinstance(leases.acquire(database, NAME, 15), Lease)
