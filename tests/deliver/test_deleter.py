"""Deletions are sent until they are accepted: in order, within the limits, never given up."""

from __future__ import annotations

import asyncio

import pytest

from sync.deliver.breaker import FEWEST
from sync.deliver.deleter import AT_ONCE
from sync.destinations.pushwoosh.transport import Transport
from sync.model.delivery import DeliverySettings
from sync.store.deletions import State
from sync.store.engine import Database
from tests.deliver.told_to_delete import Scripted, deleter, forgotten, standing
from tests.moving_clock import MovingClock

BUSY = (503, b"")
LOCKED = (400, b'{"message":"the user is locked"}')


def yes() -> bool:
    return True


async def test_who_was_forgotten_first_is_deleted_first(sqlite_database: Database, clock: MovingClock) -> None:
    numbers = forgotten(sqlite_database, clock, "zoe", "ann", "bob")
    there = Scripted()
    duty = deleter(sqlite_database, clock, there)
    assert await duty.delete_some(yes)
    assert there.told == ["zoe", "ann", "bob"]
    assert {standing(sqlite_database, each).state for each in numbers} == {State.DONE}
    assert (duty.done.accepted, duty.done.refused, duty.done.put_off) == (3, 0, 0)
    assert not await duty.delete_some(yes)
    assert len(there.told) == 3


async def test_a_few_are_told_at_a_time(sqlite_database: Database, clock: MovingClock) -> None:
    forgotten(sqlite_database, clock, *(f"u{number}" for number in range(AT_ONCE + 3)))
    there = Scripted()
    duty = deleter(sqlite_database, clock, there)
    assert await duty.delete_some(yes)
    assert len(there.told) == AT_ONCE
    assert await duty.delete_some(yes)
    assert duty.done.accepted == AT_ONCE + 3


async def test_one_that_is_put_off_is_tried_again_later_and_later_and_never_given_up(
    sqlite_database: Database, clock: MovingClock
) -> None:
    [number] = forgotten(sqlite_database, clock, "zoe")
    settings = DeliverySettings(retry_window=1, retry_attempts=2, longest_delay=600)
    there = Scripted(*[BUSY] * 15, (200, b""))
    duty = deleter(sqlite_database, clock, there, settings=settings)
    waits = []
    for tries in range(1, 16):
        assert not await duty.delete_some(yes)
        found = standing(sqlite_database, number)
        assert (found.state, found.attempts, found.reason) == (State.OWED, tries, "503 HTTP 503")
        waits.append(found.seconds)
        clock.advance(700)
    assert len(there.told) == 15
    assert waits[0] < 60 < waits[9] <= 600
    assert await duty.delete_some(yes)
    assert standing(sqlite_database, number).state is State.DONE


async def test_a_destination_that_says_when_is_not_asked_before(sqlite_database: Database, clock: MovingClock) -> None:
    numbers = forgotten(sqlite_database, clock, "zoe", "ann")
    there = Scripted((429, b"", {"Retry-After": "500"}), (200, b""))
    duty = deleter(sqlite_database, clock, there)
    await duty.delete_some(yes)
    assert there.told == ["zoe"]
    assert standing(sqlite_database, numbers[0]).seconds > 400
    assert not await duty.delete_some(yes)
    clock.advance(600)
    assert await duty.delete_some(yes)
    assert sorted(there.told[1:]) == ["ann", "zoe"]


async def test_one_that_is_refused_waits_for_somebody_and_keeps_nobody_waiting(
    sqlite_database: Database, clock: MovingClock
) -> None:
    zoe, ann = forgotten(sqlite_database, clock, "zoe", "ann")
    there = Scripted(LOCKED, (200, b""))
    duty = deleter(sqlite_database, clock, there)
    assert await duty.delete_some(yes)
    found = standing(sqlite_database, zoe)
    assert (found.state, found.reason) == (State.REFUSED, "400 the user is locked")
    assert standing(sqlite_database, ann).state is State.DONE
    clock.advance(100_000)
    assert not await duty.delete_some(yes)
    assert there.told == ["zoe", "ann"]
    forgotten(sqlite_database, clock, "zoe")
    assert await duty.delete_some(yes)
    assert standing(sqlite_database, zoe).state is State.DONE


async def test_refusals_of_everybody_are_the_destinations_fault(sqlite_database: Database, clock: MovingClock) -> None:
    numbers = forgotten(sqlite_database, clock, *(f"u{number}" for number in range(FEWEST + 2)))
    there = Scripted(LOCKED)
    duty = deleter(sqlite_database, clock, there)
    for _ in range(3):
        await duty.delete_some(yes)
    # Nobody is asked any more, and who was asked last is not held to be refused.
    assert len(there.told) == FEWEST
    states = [standing(sqlite_database, each).state for each in numbers]
    assert states == [State.REFUSED] * (FEWEST - 1) + [State.OWED] * 3


async def test_a_fault_of_the_settings_stops_it_and_everything_stays_owed(
    sqlite_database: Database, clock: MovingClock
) -> None:
    numbers = forgotten(sqlite_database, clock, "zoe", "ann")
    there = Scripted((401, b'{"message":"unauthorized"}'), (200, b""))
    duty = deleter(sqlite_database, clock, there)
    assert not await duty.delete_some(yes)
    assert duty.fault == "401 unauthorized"
    assert there.told == ["zoe"]
    assert [standing(sqlite_database, each).state for each in numbers] == [State.OWED, State.OWED]
    clock.advance(1000)
    # First a probe, then the others.
    assert await duty.delete_some(yes)
    await duty.delete_some(yes)
    assert {standing(sqlite_database, each).state for each in numbers} == {State.DONE}


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize(
    "answer",
    [
        (404, b""),
        (404, b'{"message":"user not found"}'),
        (404, b'{"status_code":404,"status_message":"User not found"}'),
        (200, b'{"status_code":404,"status_message":"User not found"}'),
    ],
)
async def test_who_is_not_there_has_been_deleted(
    sqlite_database: Database, clock: MovingClock, transport: Transport, answer: tuple[int, bytes]
) -> None:
    [number] = forgotten(sqlite_database, clock, "zoe")
    duty = deleter(sqlite_database, clock, Scripted(answer), transport)
    assert await duty.delete_some(yes)
    assert (standing(sqlite_database, number).state, duty.fault) == (State.DONE, "")


@pytest.mark.parametrize("transport", list(Transport))
@pytest.mark.parametrize(
    "answer",
    [
        (404, b"<html>404 Not Found</html>"),
        (404, b"404 page not found"),
        (404, b'{"message":"no Route matched with those values"}'),
        (404, b'{"message":"application not found"}'),
        (200, b'{"status_code":404,"status_message":"Application not found"}'),
        (405, b""),
    ],
)
async def test_a_wrong_address_deletes_nobody(
    sqlite_database: Database, clock: MovingClock, transport: Transport, answer: tuple[int, bytes]
) -> None:
    [number] = forgotten(sqlite_database, clock, "zoe")
    duty = deleter(sqlite_database, clock, Scripted(answer), transport)
    assert not await duty.delete_some(yes)
    assert standing(sqlite_database, number).state is State.OWED
    assert duty.fault


async def test_without_leave_nobody_is_told(sqlite_database: Database, clock: MovingClock) -> None:
    [number] = forgotten(sqlite_database, clock, "zoe")
    there = Scripted()
    assert not await deleter(sqlite_database, clock, there).delete_some(lambda: False)
    assert (there.told, standing(sqlite_database, number).attempts) == ([], 0)


async def test_what_comes_to_be_owed_is_told_while_it_runs_until_it_is_cancelled(
    sqlite_database: Database, clock: MovingClock
) -> None:
    there, told = Scripted(), asyncio.Event()
    there.on_told = told.set
    duty = deleter(sqlite_database, clock, there)
    running = asyncio.create_task(duty.run(yes))
    try:
        forgotten(sqlite_database, clock, "zoe")
        duty.nudge()
        async with asyncio.timeout(60):
            await told.wait()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert there.told == ["zoe"]
