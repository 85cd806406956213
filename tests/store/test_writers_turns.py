"""A lock that is given on in order: who takes it again and again keeps nobody out."""

from __future__ import annotations

from threading import Thread

import pytest

from sync.store.turns import Turns

LONG = 120.0


def test_who_gives_it_back_and_wants_it_again_goes_behind_those_who_wait() -> None:
    turns = Turns()
    order: list[str] = []

    def take(name: str) -> None:
        assert turns.acquire(LONG)
        order.append(name)
        turns.release()

    assert turns.acquire(0)
    others = []
    for name in ("first", "second"):
        others.append(Thread(target=take, args=(name,)))
        others[-1].start()
        while turns.waiting < len(others):
            pass
    turns.release()
    take("I again")
    for each in others:
        each.join()
    assert order == ["first", "second", "I again"]


def test_who_has_waited_too_long_is_out_of_the_line() -> None:
    turns = Turns()
    assert turns.acquire(0)
    assert not turns.acquire(0.001)
    assert turns.waiting == 0
    turns.release()
    assert turns.acquire(0)


def test_who_is_interrupted_while_waiting_is_out_of_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def acquire(self, timeout: float | None = None) -> None:
            if timeout is not None:
                raise KeyboardInterrupt

    turns = Turns()
    assert turns.acquire(0)
    monkeypatch.setattr("sync.store.turns.Lock", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        turns.acquire(LONG)
    assert turns.waiting == 0
    turns.release()
    assert turns.acquire(0)
