"""Many processes share ticks and die over them: every tick has one recorded run all the same."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from datetime import datetime
from pathlib import Path

from sqlalchemy import text

from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations, ticks
from sync.store.engine import Database
from tests.children import Child
from tests.conftest import Place
from tests.moving_clock import MovingClock, connect_timed
from tests.store.tick_taker import FOLLOWERS, INSTANTS, KEYS, START

TOGETHER = 3
LIVES = 3


def lived(place: Place, log: Path, seed: int, *, mortal: bool) -> int:
    """How a taker ended."""
    fate = "mortal" if mortal else "immortal"
    return Child("tests.store.tick_taker", [place.url, place.schema or "", str(seed), fate], log).wait()


def live_and_die(place: Place, log: Path, number: int, ended: list[int]) -> None:
    """One taker after another until one has got to the end."""
    for life in range(LIVES):
        ended.append(lived(place, log, number * 100 + life, mortal=life < LIVES - 1))
        if ended[-1] == 0:
            return


def test_every_tick_has_one_run_however_many_take_ticks_and_die(store_place: Place, tmp_path: Path) -> None:
    place, log = store_place, tmp_path / "said.txt"
    database = connect_timed(place.url, place.schema, MovingClock())
    ended: list[int] = []
    threads = [threading.Thread(target=live_and_die, args=(place, log, number, ended)) for number in range(TOGETHER)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # What the last of them left in hand when it died; a process takes up what its neighbours leave.
    ended.append(lived(place, log, 0, mortal=False))
    assert set(ended) == {0, -signal.SIGKILL}, log.read_text()
    with database.read() as connection:
        states = connection.execute(text("SELECT key, instant, state FROM tick")).all()
        recorded = connection.execute(
            text(
                "SELECT key, tick, count(*) AS runs FROM run JOIN definition ON definition.id = run.definition_id"
                " WHERE status = 'succeeded' GROUP BY key, tick"
            )
        ).all()
    assert {row.state for row in states} == {"done"}
    assert {(row.key, row.instant) for row in states} == {(row.key, row.tick) for row in recorded}
    assert {row.runs for row in recorded} == {1}
    offered = Counter(row.key for row in states)
    assert set(offered) == {*KEYS, *FOLLOWERS}
    # The last instant of every key is there, whatever was coalesced before it.
    with database.read() as connection:
        assert ticks.latest(connection, KEYS) == dict.fromkeys(KEYS, INSTANTS[-1])
        assert ticks.followers_due(connection, FOLLOWERS) == []
    database.close()


def test_of_many_who_want_ticks_at_once_each_gets_another(database: Database) -> None:
    generation = configurations.announce(database, "one")
    keys = [f"key {number}" for number in range(12)]
    for key in keys:
        ticks.insert(database, key, START, due_at=START, generation=generation)
    start = threading.Barrier(4)
    got: list[ClaimedTick] = []

    def work() -> None:
        start.wait()
        while (tick := ticks.claim(database, keys, generation, 30)) is not None:
            got.append(tick)
            ticks.finish(database, tick, TickState.DONE)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(tick.key for tick in got) == sorted(keys)


def test_of_many_who_add_the_same_instants_each_is_added_once(database: Database) -> None:
    generation = configurations.announce(database, "one")
    start = threading.Barrier(4)
    added: list[tuple[str, object]] = []

    def work() -> None:
        start.wait()
        for instant in INSTANTS:
            for key in KEYS:
                if ticks.insert(database, key, instant, due_at=instant, generation=generation):
                    added.append((key, instant))
                if (tick := ticks.claim(database, [key], generation, 30)) is not None:
                    ticks.finish(database, tick, TickState.DONE)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(Counter(added).values()) == 1
    with database.read() as connection:
        stored = connection.execute(ticks.tick.select()).all()
    assert sorted((row.key, row.instant) for row in stored) == sorted(added)


def adder(database: Database, generation: int, instant: datetime) -> tuple[threading.Thread, threading.Barrier]:
    """A thread that adds a tick once the barrier opens."""
    start = threading.Barrier(2)

    def add() -> None:
        start.wait()
        ticks.insert(database, "a", instant, due_at=instant, generation=generation)

    thread = threading.Thread(target=add)
    thread.start()
    return thread, start


def test_putting_back_and_adding_at_once_leaves_one_due_tick(database: Database) -> None:
    """The one that is put back makes room for itself; whoever adds a later one just then must not get between."""
    generation = configurations.announce(database, "one")
    for instant in INSTANTS:
        ticks.insert(database, "a", instant, due_at=instant, generation=generation)
        tick = ticks.claim(database, ["a"], generation, 30)
        assert tick is not None
        adding, start = adder(database, generation, instant.replace(microsecond=1))
        start.wait()
        assert ticks.again(database, tick, due_at=instant, reason=None)
        adding.join()
        with database.read() as connection:
            due = connection.execute(text("SELECT count(*) FROM tick WHERE state = 'due'")).scalar_one()
        assert due == 1
        again = ticks.claim(database, ["a"], generation, 30)
        assert again is not None
        assert again.instant == instant
        ticks.finish(database, again, TickState.DONE)
