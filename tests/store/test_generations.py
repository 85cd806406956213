from __future__ import annotations

import threading

from sync.store import configurations
from sync.store.engine import Database


def newest(database: Database) -> int:
    with database.read() as connection:
        return configurations.newest(connection)


def test_nothing_was_announced_at_first(database: Database) -> None:
    assert newest(database) == 0


def test_daemons_that_read_the_same_share_a_number(database: Database) -> None:
    first = configurations.announce(database, "one")
    assert configurations.announce(database, "one") == first == newest(database)


def test_a_configuration_that_says_something_else_is_newer(database: Database) -> None:
    first = configurations.announce(database, "one")
    second = configurations.announce(database, "two")
    assert newest(database) == second > first


def test_going_back_to_an_earlier_configuration_is_going_forward(database: Database) -> None:
    numbers = [configurations.announce(database, each) for each in ("one", "two", "one")]
    assert sorted(set(numbers)) == numbers


def test_it_is_known_since_when_a_configuration_stands(database: Database) -> None:
    number = configurations.announce(database, "one")
    with database.read() as connection:
        before = configurations.announced_at(connection, number)
        assert before <= database.now(connection)
    configurations.announce(database, "one")
    with database.read() as connection:
        assert configurations.announced_at(connection, number) == before


def test_daemons_that_start_at_once_share_a_number(database: Database) -> None:
    start = threading.Barrier(4)
    numbers: list[int] = []

    def work() -> None:
        start.wait()
        numbers.append(configurations.announce(database, "one"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(numbers) == 4
    assert set(numbers) == {newest(database)}
