from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from sync.clock import SystemClock
from sync.deliver.limits import AdaptiveConcurrency, Pause, TokenBucket


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2024, 5, 17, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def turn() -> None:
    """Let every ready task run."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_burst_goes_at_once_and_then_the_rate_holds(clock: FakeClock) -> None:
    bucket = TokenBucket(10, 3, clock)
    assert [bucket.reserve() for _ in range(5)] == pytest.approx([0, 0, 0, 0.1, 0.2])
    clock.seconds += 0.3
    assert bucket.reserve() == pytest.approx(0.0)
    clock.seconds += 3600
    assert [bucket.reserve() for _ in range(4)] == pytest.approx([0, 0, 0, 0.1])


async def test_no_rate_is_no_limit(clock: FakeClock) -> None:
    bucket = TokenBucket(None, 1, clock)
    async with asyncio.timeout(60):
        for _ in range(10_000):
            await bucket.acquire()


async def test_a_cancelled_wait_gives_its_token_back(clock: FakeClock) -> None:
    bucket = TokenBucket(1, 1, clock)
    await bucket.acquire()
    waiting = asyncio.create_task(bucket.acquire())
    await turn()
    waiting.cancel()
    await asyncio.wait([waiting])
    assert bucket.reserve() == pytest.approx(1.0)


async def test_the_rate_is_kept_on_a_real_clock() -> None:
    clock = SystemClock()
    bucket = TokenBucket(200, 1, clock)
    start = clock.monotonic()
    await asyncio.gather(*(bucket.acquire() for _ in range(11)))
    assert clock.monotonic() - start >= 0.045


async def test_never_more_than_the_maximum_in_flight_and_first_come_first_served() -> None:
    slots = AdaptiveConcurrency(2)
    order: list[int] = []
    most = 0

    async def work(number: int) -> None:
        nonlocal most
        async with slots.slot():
            order.append(number)
            most = max(most, slots.in_flight)
            await asyncio.sleep(0)

    await asyncio.gather(*(work(number) for number in range(20)))
    assert (order, most, slots.in_flight) == (list(range(20)), 2, 0)


async def test_a_cut_halves_once_per_round_trip() -> None:
    slots = AdaptiveConcurrency(8)
    for _ in range(8):
        await slots.acquire()
    for _ in range(8):  # all eight come back with 429: one cut
        slots.decrease()
        slots.release()
    assert (slots.limit, slots.in_flight) == (4, 0)
    await slots.acquire()
    slots.decrease()
    assert slots.limit == 2


async def test_the_limit_never_falls_below_one_and_never_grows_beyond_the_maximum() -> None:
    slots = AdaptiveConcurrency(3)
    for _ in range(5):
        slots.decrease()
    assert slots.limit == 1
    for _ in range(100):
        slots.increase()
    assert slots.limit == 3


async def test_success_raises_the_limit_by_about_one_per_round_trip() -> None:
    slots = AdaptiveConcurrency(50)
    slots.decrease()
    for _ in range(26):
        slots.increase()
    assert slots.limit == 26


async def test_after_a_cut_nobody_starts_until_enough_have_come_back() -> None:
    slots = AdaptiveConcurrency(4)
    for _ in range(4):
        await slots.acquire()
    slots.decrease()
    waiting = asyncio.create_task(slots.acquire())
    for in_flight in (3, 2):
        slots.release()
        await turn()
        assert not waiting.done()
        assert slots.in_flight == in_flight
    slots.release()
    await waiting
    assert slots.in_flight == 2


async def test_a_rise_of_the_limit_admits_who_waits() -> None:
    slots = AdaptiveConcurrency(2)
    slots.decrease()
    await slots.acquire()
    waiting = asyncio.create_task(slots.acquire())
    await turn()
    slots.increase()
    await waiting
    assert slots.in_flight == 2


async def test_a_cancelled_waiter_costs_no_slot_before_or_after_it_was_served() -> None:
    slots = AdaptiveConcurrency(1)
    await slots.acquire()
    unserved, served, last = (asyncio.create_task(slots.acquire()) for _ in range(3))
    await turn()
    unserved.cancel()
    slots.release()  # passes over the cancelled one and serves the next...
    served.cancel()  # ...which is cancelled before it could notice
    await asyncio.wait([unserved, served])
    await last
    assert slots.in_flight == 1


async def test_who_comes_behind_a_cancelled_waiter_is_not_forgotten() -> None:
    slots = AdaptiveConcurrency(1)
    await slots.acquire()
    first = asyncio.create_task(slots.acquire())
    await turn()
    second = asyncio.create_task(slots.acquire())
    first.cancel()
    slots.release()
    await asyncio.wait_for(second, 60)
    assert slots.in_flight == 1


def test_pauses_only_lengthen(clock: FakeClock) -> None:
    pause = Pause(clock)
    assert pause.remaining == 0
    pause.lengthen(10)
    pause.lengthen(2)
    assert pause.remaining == 10
    clock.seconds += 9
    pause.lengthen(3)
    assert pause.remaining == 3
    clock.seconds += 5
    assert pause.remaining == 0


async def test_waiting_outlasts_a_pause_that_is_lengthened_meanwhile() -> None:
    clock = SystemClock()
    pause = Pause(clock)
    await pause.wait()
    start = clock.monotonic()
    pause.lengthen(0.02)
    waiting = asyncio.create_task(pause.wait())
    await turn()
    pause.lengthen(0.06)
    await waiting
    assert clock.monotonic() - start >= 0.06
