"""One question at a time, however many ask; an answer is kept, an error is not; nobody waits longer than he wants."""

from __future__ import annotations

import asyncio
import threading

import pytest

from sync.errors import StoreUnavailable
from sync.web.look import Look
from tests.moving_clock import HaltedClock


class Store:
    """Answers with how often it was asked, when it is let; ``takes`` moves the clock on."""

    def __init__(self) -> None:
        self.clock = HaltedClock()
        self.takes = 0.0
        self.asked = 0
        self.begun = threading.Event()
        self.open = threading.Event()
        self.open.set()
        self.error: Exception | None = None

    def ask(self) -> int:
        self.asked += 1
        self.begun.set()
        self.open.wait(60)
        self.clock.advance(self.takes)
        if self.error is not None:
            raise self.error
        return self.asked


@pytest.fixture
def store() -> Store:
    return Store()


async def test_those_who_ask_at_once_share_one_question(store: Store) -> None:
    look = Look(store.ask, store.clock)
    assert await asyncio.gather(*(look.answer(20) for _ in range(100))) == [1] * 100
    assert await look.answer(20) == 2


async def test_an_answer_is_kept_as_long_as_said(store: Store) -> None:
    look = Look(store.ask, store.clock, keep=5)
    assert [await look.answer(20), await look.answer(20)] == [1, 1]
    store.clock.advance(5)
    assert await look.answer(20) == 2


async def test_an_answer_that_took_long_is_kept_longer_but_not_for_ever(store: Store) -> None:
    look = Look(store.ask, store.clock, keep=5)
    store.takes = 2
    assert await look.answer(20) == 1
    store.clock.advance(39)
    assert await look.answer(20) == 1
    store.clock.advance(2)
    store.takes = 3600
    assert await look.answer(20) == 2
    store.clock.advance(61)
    assert await look.answer(20) == 3


async def test_nobody_waits_longer_than_he_wants_and_a_question_that_hangs_is_not_asked_again(store: Store) -> None:
    look = Look(store.ask, store.clock, keep=5)
    store.open.clear()
    before = set(threading.enumerate())
    for _ in range(20):
        with pytest.raises(TimeoutError):
            await look.answer(0.001)
    assert store.begun.wait(60)
    assert (store.asked, len(set(threading.enumerate()) - before)) == (1, 1)
    store.open.set()
    assert await look.answer(20) == 1


async def test_an_error_reaches_all_who_asked_and_is_not_kept(store: Store) -> None:
    look = Look(store.ask, store.clock, keep=5)
    store.error = StoreUnavailable("away")
    answers = await asyncio.gather(look.answer(20), look.answer(20), return_exceptions=True)
    assert [str(answer) for answer in answers] == ["away", "away"]
    store.error = None
    assert await look.answer(20) == 2


def test_the_process_ends_while_a_question_hangs(store: Store) -> None:
    async def ask() -> None:
        with pytest.raises(TimeoutError):
            await look.answer(0.001)

    look = Look(store.ask, store.clock)
    store.open.clear()
    asyncio.run(ask())
    store.error = StoreUnavailable("away")
    store.open.set()  # nobody is there any more to hear it
    for thread in threading.enumerate():
        if thread.name == "web":
            assert thread.daemon
            thread.join(60)
