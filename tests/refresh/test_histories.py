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

from tests.kept import KeptStores
from tests.moving_clock import connect_timed
from tests.refresh.histories import random_history
from tests.refresh.lives import Lives, StoppedClock
from tests.shop import Shop
from tests.soak import FULL, SEED

STEPS = 8
_AT_ONCE = 5
"""Histories of one test."""


def compare(lives: Lives, first: int) -> None:
    for number in range(first, first + _AT_ONCE):
        history = random_history(Random(f"{SEED} {number}"), f"history_{number}", STEPS)
        wrong = lives.live(history)
        assert not wrong, "\n".join((f"SOAK_SEED={SEED}, history {number}:", *wrong))
    assert lives.counted.incremental > STEPS
    assert lives.counted.changes > 0


@contextmanager
def lives(shop: Shop, *stores: tuple[str, str | None]) -> Iterator[Lives]:
    clock = StoppedClock()
    url = shop.url.replace("postgresql:", "postgresql+psycopg:")
    with ExitStack() as stack, create_engine(url, poolclass=NullPool).connect() as connection:
        changing, full = (stack.enter_context(closing(connect_timed(*each, clock))) for each in stores)
        yield Lives(connection, shop.url, clock, changing, full)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(400 if FULL else 5))
def test_on_sqlite_what_changed_comes_to_what_all_comes_to(
    number: int, tmp_path: Path, migrated_file: bytes, sqlite_shop: Shop
) -> None:
    stores = [tmp_path / "changing.db", tmp_path / "full.db"]
    for each in stores:
        each.write_bytes(migrated_file)
    with lives(sqlite_shop, *((f"sqlite:///{each}", None) for each in stores)) as both:
        compare(both, number * _AT_ONCE)


@pytest.mark.soak
@pytest.mark.parametrize("number", range(100 if FULL else 1))
def test_on_postgresql_what_changed_comes_to_what_all_comes_to(
    number: int, kept_stores: KeptStores, postgresql_shop: Shop
) -> None:
    with ExitStack() as stack:
        stores = [(kept_stores.server, stack.enter_context(kept_stores.one())) for _ in range(2)]
        compare(stack.enter_context(lives(postgresql_shop, *stores)), 10_000 + number * _AT_ONCE)
