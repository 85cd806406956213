"""The customer's database: who is a member and what everybody spent, on two days between which 1 % changed.

Tables are stored in the order of ``user_id``, which is the ceiling's best case: its bulk load needs no sort.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing

import psycopg

from bench.places import Place
from sync.model.definition import Definition, Kind

DAYS = (0, 1)
_EVERY = 200
"""Of so many users one leaves and another enters from one day to the next: together 1 % of the members."""


def members(users: int) -> Iterator[str]:
    """The user ids of the members on the first day, in order."""
    return (f"user-{number:09d}" for number in range(users))


def audience(day: int) -> Definition:
    """Who is a member on a day."""
    return Definition(Kind.AUDIENCE, "member", "Member", "shop", ("sink",), sql=f"SELECT user_id FROM member_{day}")


def trait(day: int) -> Definition:
    """What everybody has spent until a day."""
    asked = f"SELECT user_id, value FROM spend_{day}"
    return Definition(Kind.TRAIT, "total_spend", "Total Spend", "shop", ("sink",), sql=asked)


def fill(place: Place, users: int, days: Sequence[int] = DAYS) -> None:
    """Make the customer's database: in the engine, since it is not what is measured."""
    if place.on_sqlite:
        _fill_sqlite(place, users, days)
    else:
        _fill_postgresql(place, users, days)


def _fill_sqlite(place: Place, users: int, days: Sequence[int]) -> None:
    numbers = "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :users)"
    with closing(sqlite3.connect(place.source_path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for day in days:
            connection.execute(f"CREATE TABLE member_{day} (user_id TEXT PRIMARY KEY) WITHOUT ROWID")
            connection.execute(f"CREATE TABLE spend_{day} (user_id TEXT PRIMARY KEY, value REAL) WITHOUT ROWID")
            values = {"users": users, "day": day, "one": _EVERY, "more": _EVERY // 2}
            connection.execute(
                f"INSERT INTO member_{day} {numbers} SELECT printf('user-%09d', i) || "
                "CASE WHEN :day AND i % :one = 0 THEN 'b' ELSE '' END FROM n",
                {name: values[name] for name in ("users", "day", "one")},
            )
            connection.execute(
                f"INSERT INTO spend_{day} {numbers} SELECT printf('user-%09d', i), (i * 37 % 1000000 + "
                "CASE WHEN :day AND i % :more = 0 THEN 100 ELSE 0 END) / 100.0 FROM n",
                {name: values[name] for name in ("users", "day", "more")},
            )
        connection.commit()


def _fill_postgresql(place: Place, users: int, days: Sequence[int]) -> None:
    with psycopg.connect(place.source_url, autocommit=True) as connection:
        for day in days:
            connection.execute(
                f"CREATE TABLE member_{day} AS SELECT 'user-' || lpad(i::text, 9, '0') || "  # type: ignore[arg-type]
                f"CASE WHEN {day} > 0 AND i % {_EVERY} = 0 THEN 'b' ELSE '' END AS user_id "
                f"FROM generate_series(0, {users - 1}) AS i"
            )
            connection.execute(
                f"CREATE TABLE spend_{day} AS SELECT 'user-' || lpad(i::text, 9, '0') AS user_id, "  # type: ignore[arg-type]
                f"((i::bigint * 37 % 1000000 + CASE WHEN {day} > 0 AND i % {_EVERY // 2} = 0 THEN 100 ELSE 0 END) / 100.0"
                f")::numeric(12, 2) AS value FROM generate_series(0, {users - 1}) AS i"
            )
        connection.execute("VACUUM ANALYZE")
