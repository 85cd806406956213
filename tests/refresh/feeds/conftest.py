"""A shop with orders and clicks."""

from __future__ import annotations

import pytest

from tests.refresh.feeds.fed import with_tables
from tests.shop import Shop


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """A shop with orders and clicks, on each engine in turn."""
    return with_tables(request.getfixturevalue(f"{request.param}_shop"))


@pytest.fixture
def one_shop(sqlite_shop: Shop) -> Shop:
    """The same on SQLite only."""
    return with_tables(sqlite_shop)
