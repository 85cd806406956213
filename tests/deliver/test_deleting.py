"""A command waits for a deletion: it sees to it where nobody else does, and says why it waits no more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sync.deliver import deleting, tenure
from sync.deliver.deleting import Told
from sync.deliver.outlet import Outlet
from sync.store import bulk_claims, bulks, deletions
from sync.store.bulk_claims import Wanted
from sync.store.deletions import Settlement, State
from sync.store.engine import Database
from tests.deliver.told_to_delete import SETTINGS, Scripted, destination, forgotten
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, record

Wait = Callable[..., Awaitable[Told]]


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch, clock: MovingClock) -> None:
    """Time passes as soon as somebody waits, and a machine that stalls loses no lease."""

    async def pass_by(_: asyncio.Event, seconds: float) -> None:
        clock.advance(seconds)
        await asyncio.sleep(0)

    monkeypatch.setattr(deleting, "wait_for", pass_by)
    monkeypatch.setattr(tenure, "LEASE_SECONDS", 1000.0)


@pytest.fixture
def told(sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch) -> Wait:
    """Wait for the deletion of ``zoe`` at a destination that answers so."""

    async def wait(there: Scripted, *, patience: float = 60.0, stopping: asyncio.Event | None = None) -> Told:
        monkeypatch.setattr(deleting, "AiohttpTransport", lambda _: there)
        [number] = forgotten(sqlite_database, clock, "zoe")
        work = deleting._Work(sqlite_database, clock, number, clock.monotonic() + patience)
        async with asyncio.timeout(60):
            return await work.at(Outlet(destination(), SETTINGS), stopping or asyncio.Event())

    return wait


async def test_it_is_told_and_accepted(told: Wait) -> None:
    there = Scripted()
    assert await told(there) == Told(PUSH, State.DONE, None)
    assert there.told == ["zoe"]


async def test_a_refusal_is_waited_for_no_longer(told: Wait) -> None:
    there = Scripted((400, b'{"message":"the user is locked"}'))
    assert await told(there) == Told(PUSH, State.REFUSED, "400 the user is locked")
    assert there.told == ["zoe"]


async def test_it_is_tried_again_as_long_as_there_is_patience(told: Wait) -> None:
    there = Scripted((503, b""), (503, b""), (200, b""))
    assert (await told(there, patience=1000)).state is State.DONE
    assert there.told == ["zoe"] * 3


async def test_when_patience_ends_it_stays_owed_and_the_last_trouble_is_told(told: Wait) -> None:
    found = await told(Scripted((503, b'{"message":"maintenance"}')), patience=1)
    assert (found.state, found.stopped) == (State.OWED, "it was not accepted in time (last: 503 maintenance)")


async def test_a_fault_of_the_settings_is_not_waited_for(told: Wait) -> None:
    found = await told(Scripted((401, b'{"message":"unauthorized"}')), patience=1000)
    assert (found.state, found.stopped) == (State.OWED, "401 unauthorized: mend its settings")


async def test_told_to_stop_it_begins_nothing_more(told: Wait) -> None:
    stopping = asyncio.Event()
    stopping.set()
    there = Scripted()
    found = await told(there, patience=1000, stopping=stopping)
    assert (found.state, found.stopped, there.told) == (State.OWED, "stopped", [])


async def test_where_somebody_else_delivers_it_watches_them_do_it(
    told: Wait, sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = Scripted()
    looked = deletions.standing

    def standing(database: Database, number: int) -> list[deletions.Standing]:
        found = looked(database, number)
        for owed in deletions.due(database, PUSH, 1):
            deletions.settle(database, PUSH, [Settlement(owed, State.DONE)])
        return found

    monkeypatch.setattr(deletions, "standing", standing)
    async with tenure.tenure(sqlite_database, PUSH, clock):
        assert await told(there) == Told(PUSH, State.DONE, None)
    assert there.told == []


async def test_who_delivers_is_named_when_patience_ends(
    told: Wait, sqlite_database: Database, clock: MovingClock
) -> None:
    async with tenure.tenure(sqlite_database, PUSH, clock):
        found = await told(Scripted(), patience=0)
    assert found.state is State.OWED
    assert found.stopped.startswith("process ")
    assert found.stopped.endswith(" is delivering")


def carried_in_bulk(database: Database) -> bulks.Bulk:
    """A request that is under way with ``zoe`` in it."""
    record(database, audience(), ["zoe", "ann"])
    [taken], _ = bulk_claims.claim(database, PUSH, Wanted(10, 2, LEASE, 900.0), most_alone=1)
    found = taken.bulk
    assert found is not None
    stored = bulks.submitted(database, found, "r-1")
    assert stored is not None
    return stored


async def test_while_a_deletion_waits_for_a_bulk_request_anybody_may_take_the_destination_and_deliver(
    told: Wait, sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk = carried_in_bulk(sqlite_database)
    there, taken = Scripted(), []

    async def somebody_delivers(_: asyncio.Event, seconds: float) -> None:
        clock.advance(seconds)
        async with tenure.tenure(sqlite_database, PUSH, clock) as held:
            taken.append(isinstance(held, tenure.Tenure))
            assert there.told == []
            if len(taken) == 3:
                bulks.settle(sqlite_database, bulk, {}, QUIET)

    monkeypatch.setattr(deleting, "wait_for", somebody_delivers)
    assert await told(there) == Told(PUSH, State.DONE, None)
    assert (taken, there.told) == ([True] * 3, ["zoe"])


async def test_what_is_still_on_its_way_when_patience_ends_is_told_and_stays_owed(
    told: Wait, sqlite_database: Database, clock: MovingClock
) -> None:
    carried_in_bulk(sqlite_database)
    there, started = Scripted(), clock.ahead
    found = await told(there, patience=60)
    assert (found.state, there.told) == (State.OWED, [])
    assert found.stopped.startswith("something about the user is on its way there, and has arrived in ")
    assert clock.ahead - started < 62


async def test_between_two_tries_the_destination_is_free_for_others(
    told: Wait, sqlite_database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    async def look(_: asyncio.Event, seconds: float) -> None:
        clock.advance(seconds)
        async with tenure.tenure(sqlite_database, PUSH, clock) as held:
            taken.append(isinstance(held, tenure.Tenure))

    monkeypatch.setattr(deleting, "wait_for", look)
    assert (await told(Scripted((503, b""), (200, b"")), patience=1000)).state is State.DONE
    assert taken
    assert all(taken)
