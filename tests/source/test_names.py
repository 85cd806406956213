"""A table is found by its name, whatever is in it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.model.feed import EventsTable, Mark
from sync.source.feed import after
from sync.source.tables import columns_of
from sync.source.uniqueness import is_unique
from tests.shop import Shop

NAME = 'own.Or%ders %%s (a)s "x"'
EVENTS = EventsTable(NAME, "who", "at", event="Ordered", cursor="id")


@pytest.fixture
def orders(postgresql_shop: Shop) -> Shop:
    """A shop whose table of orders has an odd name."""
    postgresql_shop.run("CREATE SCHEMA own")
    postgresql_shop.run('CREATE TABLE own."Or%ders %%s (a)s ""x""" (id integer PRIMARY KEY, who text, at text)')
    return postgresql_shop


def test_its_columns_are_known(orders: Shop) -> None:
    with orders.source.read() as connection:
        assert list(columns_of(connection, NAME)) == ["id", "who", "at"]


def test_its_keys_are_known(orders: Shop) -> None:
    with orders.source.read() as connection:
        assert is_unique(connection, NAME, "id")


def test_its_rows_are_told_apart_by_their_key(orders: Shop) -> None:
    with after(orders.source, EVENTS, Mark(datetime(2026, 11, 21, tzinfo=UTC), 0)) as new:
        assert new.unique
