"""Whatever happens to a source, a store that is refreshed as it goes decides what one that is refreshed in full decides.

After every step the same members and values, the same that is owed, the same counts, and nothing that was missed; and
where a table breaks its promise, the next full run finds it. ``make soak`` lives through thousands of histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import NullPool, create_engine

from sync.store import recording
from tests.kept import KeptStores
from tests.moving_clock import connect_timed
from tests.refresh.histories import random_history
from tests.refresh.lives import Lives, StoppedClock
from tests.refresh.written import Collected, OwnTables
from tests.shop import Shop
from tests.soak import FULL, SEED

STEPS = 8
_AT_ONCE = 5
"""Histories of one test."""


def compare(lives: Lives, first: int, *, collected: bool = False) -> None:
    for number in range(first, first + _AT_ONCE):
        history = random_history(Random(f"{SEED} {number}"), f"history_{number}", STEPS, collected=collected)
        with pytest.MonkeyPatch.context() as staged:
            if number % 2:  # no candidates are few enough to be held
                staged.setattr(recording, "MOST", 0)
            wrong = lives.live(history)
        assert not wrong, "\n".join((f"SOAK_SEED={SEED}, history {number}:", *wrong))
    if not FULL:  # chance decides how many; forty steps without one would prove nothing, hundreds of tests have some
        assert lives.counted.incremental > 0
        assert lives.counted.changes > 0


@contextmanager
def of_tables(shop: Shop, *stores: tuple[str, str | None]) -> Iterator[Lives]:
    clock = StoppedClock()
    url = shop.url.replace("postgresql:", "postgresql+psycopg:")
    with ExitStack() as stack, create_engine(url, poolclass=NullPool).connect() as connection:
        changing, full = (stack.enter_context(closing(connect_timed(*each, clock))) for each in stores)
        yield Lives(OwnTables(connection, shop.url), clock, changing, full)


@contextmanager
def of_what_was_collected(*stores: tuple[str, str | None]) -> Iterator[Lives]:
    clock = StoppedClock()
    with ExitStack() as stack:
        changing, full = (stack.enter_context(closing(connect_timed(*each, clock))) for each in stores)
        yield Lives(Collected(dict(zip((changing, full), stores, strict=True))), clock, changing, full)


@pytest.fixture
def sqlite_stores(tmp_path: Path, migrated_file: bytes) -> list[tuple[str, None]]:
    paths = [tmp_path / "changing.db", tmp_path / "full.db"]
    for each in paths:
        each.write_bytes(migrated_file)
    return [(f"sqlite:///{each}", None) for each in paths]


@pytest.fixture
def postgresql_stores(kept_stores: KeptStores) -> Iterator[list[tuple[str, str]]]:
    with kept_stores.one() as changing, kept_stores.one() as full:
        yield [(kept_stores.server, changing), (kept_stores.server, full)]


@pytest.mark.soak
@pytest.mark.parametrize("number", range(400 if FULL else 4))
def test_on_sqlite_what_changed_comes_to_what_all_comes_to(
    number: int, sqlite_stores: list[tuple[str, None]], sqlite_shop: Shop
) -> None:
    with of_tables(sqlite_shop, *sqlite_stores) as lives:
        compare(lives, number * _AT_ONCE)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(100 if FULL else 1))
def test_on_postgresql_what_changed_comes_to_what_all_comes_to(
    number: int, postgresql_stores: list[tuple[str, str]], postgresql_shop: Shop
) -> None:
    with of_tables(postgresql_shop, *postgresql_stores) as lives:
        compare(lives, 10_000 + number * _AT_ONCE)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(100 if FULL else 1))
@pytest.mark.parametrize("engine", ["sqlite", "postgresql"] if FULL else ["sqlite"])
def test_of_what_was_collected_too(engine: str, number: int, request: pytest.FixtureRequest) -> None:
    with of_what_was_collected(*request.getfixturevalue(f"{engine}_stores")) as lives:
        compare(lives, 20_000 + number * _AT_ONCE, collected=True)
