"""A service that fails is started again, later each time, and the log hears of each change once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from random import Random

import pytest

from sync import telemetry
from sync.daemon import service
from sync.daemon.service import FIRST_DELAY, LONGEST_DELAY, supervise
from sync.errors import StoreUnavailable
from sync.web import Vitals

AWAY = StoreUnavailable("the store cannot be reached")


class Failing:
    """Fails with ``errors``, one a run; then works until stopped."""

    name = "anything"

    def __init__(self, errors: Sequence[Exception]) -> None:
        self.errors = list(errors)
        self.runs = 0
        self.works = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        self.runs += 1
        if self.errors:
            raise self.errors.pop(0)
        self.works.set()
        await stopping.wait()


class Pauses(list[float]):
    """Stands in for time: a pause is over at once, and remembered."""

    async def __call__(self, stopping: asyncio.Event, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def events() -> Iterator[list[tuple[str, object]]]:
    heard: list[tuple[str, object]] = []
    stop = telemetry.listen(lambda name, fields: heard.append((name, fields.get("reason"))))
    yield heard
    stop()


async def supervised(failing: Failing) -> Pauses:
    """Let it fail as often as it does, and stop it once it works."""
    stopping, pauses = asyncio.Event(), Pauses()
    task = asyncio.create_task(supervise(failing, stopping, Vitals(), random=Random(1), pause=pauses))
    async with asyncio.timeout(60):
        await failing.works.wait()
        stopping.set()
        await task
    return pauses


async def test_it_waits_longer_each_time_and_never_longer_than_the_longest() -> None:
    pauses = await supervised(Failing([AWAY] * 12))
    assert len(pauses) == 12
    for failures, waited in enumerate(pauses, 1):
        whole = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1))
        assert whole / 2 <= waited <= whole
    assert len(set(pauses)) == len(pauses)  # daemons that failed together do not come back together


async def test_the_same_trouble_is_told_once_and_another_one_again(events: list[tuple[str, object]]) -> None:
    other = StoreUnavailable("the store is locked")
    await supervised(Failing([AWAY, AWAY, AWAY, other, other, AWAY]))
    assert events == [("service.failed", str(each)) for each in (AWAY, other, AWAY)]


async def test_a_service_that_works_for_a_while_is_mended_and_fails_from_the_start_again(
    events: list[tuple[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "HEALTHY_AFTER", 0.0)
    mended = asyncio.Event()
    stop = telemetry.listen(lambda name, _: mended.set() if name == "service.mended" else None)

    class Relapsing(Failing):
        async def run(self, stopping: asyncio.Event) -> None:
            if self.runs == 3:
                await mended.wait()
            await super().run(stopping)

    pauses = await supervised(Relapsing([AWAY] * 4))
    stop()
    assert [name for name, _ in events][:3] == ["service.failed", "service.mended", "service.failed"]
    assert pauses[3] <= FIRST_DELAY < pauses[2]


async def test_a_mistake_of_ours_is_told_by_its_place_and_not_by_what_it_says(
    events: list[tuple[str, object]],
) -> None:
    await supervised(Failing([ValueError("alice@example.com has the value 42")]))
    ((name, reason),) = events
    assert name == "service.failed"
    assert str(reason).startswith("ValueError at test_service.py:")
    assert "alice" not in str(reason)


async def test_a_service_that_waits_to_be_started_again_stops_at_once() -> None:
    failing, stopping = Failing([AWAY] * 1000), asyncio.Event()
    told = asyncio.Event()
    stop = telemetry.listen(lambda *_: told.set())
    task = asyncio.create_task(supervise(failing, stopping, Vitals()))
    async with asyncio.timeout(60):
        await told.wait()
        stopping.set()
        await task
    stop()
    assert failing.runs == 1


async def test_a_pause_ends_with_a_nudge_and_takes_it_back() -> None:
    stopping, nudged = asyncio.Event(), asyncio.Event()
    nudged.set()
    async with asyncio.timeout(60):
        await service.pause(stopping, 1000, nudged)
    assert not nudged.is_set()
