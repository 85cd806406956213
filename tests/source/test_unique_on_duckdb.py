"""DuckDB says of its keys that no value stands in their column twice."""

from __future__ import annotations

import pytest

from sync.source.uniqueness import is_unique
from tests.shop import Shop


@pytest.mark.parametrize(
    ("table", "column", "expected"),
    [
        ("people", "id", True),
        ("people", "email", True),
        ("people", "plan", False),
        ("own.people", "id", False),
        ("pairs", "id", False),
        ("shown", "id", False),
    ],
)
def test_only_a_whole_key_is_unique(duckdb_shop: Shop, table: str, column: str, expected: bool) -> None:
    duckdb_shop.run("CREATE TABLE people (id text PRIMARY KEY, email text UNIQUE, plan text)")
    duckdb_shop.run("CREATE TABLE own.people (id text)")
    duckdb_shop.run("CREATE TABLE pairs (id text, other text, PRIMARY KEY (id, other))")
    duckdb_shop.run("CREATE VIEW shown AS SELECT * FROM people")
    with duckdb_shop.source.read() as connection:
        assert is_unique(connection, table, column) is expected
