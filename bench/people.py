"""The customer's database: who is a member and what everybody spent, on two days between which 1 % changed.

Tables are stored in the order of ``user_id``, which is the ceiling's best case: its bulk load needs no sort.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import psycopg

from bench.places import Place
from sync.model.definition import Definition, Kind

DAYS = (0, 1)
_EVERY = 200
"""Of so many users one leaves and another enters from one day to the next: together 1 % of the members."""


def members(users: int, day: int) -> Iterator[str]:
    """The user ids of ``users`` members on a day, in order."""
    for number in range(users):
        replaced = number % _EVERY == 0
        yield f"user-{number:09d}{'b' if day and replaced else ''}"


def spends(users: int, day: int) -> Iterator[tuple[str, float]]:
    """What each of ``users`` spent until a day: 1 % of them have spent more on the second."""
    for number in range(users):
        bought = day and number % (_EVERY // 2) == 0
        yield f"user-{number:09d}", (number * 37 % 1_000_000 + (100 if bought else 0)) / 100


def audience(day: int) -> Definition:
    """Who is a member on a day."""
    return Definition(Kind.AUDIENCE, "member", "Member", "shop", ("sink",), sql=f"SELECT user_id FROM member_{day}")


def trait(day: int) -> Definition:
    """What everybody has spent until a day."""
    asked = f"SELECT user_id, value FROM spend_{day}"
    return Definition(Kind.TRAIT, "total_spend", "Total Spend", "shop", ("sink",), sql=asked)


def fill(place: Place, users: int) -> None:
    """Make the customer's database."""
    if place.on_sqlite:
        _fill_sqlite(place, users)
    else:
        _fill_postgresql(place, users)


def _fill_sqlite(place: Place, users: int) -> None:
    with closing(sqlite3.connect(place.source_path)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        for day in DAYS:
            connection.execute(f"CREATE TABLE member_{day} (user_id TEXT PRIMARY KEY) WITHOUT ROWID")
            connection.execute(f"CREATE TABLE spend_{day} (user_id TEXT PRIMARY KEY, value REAL) WITHOUT ROWID")
            one = ((user_id,) for user_id in members(users, day))
            connection.executemany(f"INSERT INTO member_{day} VALUES (?)", one)
            connection.executemany(f"INSERT INTO spend_{day} VALUES (?, ?)", spends(users, day))
        connection.commit()


def _fill_postgresql(place: Place, users: int) -> None:
    with psycopg.connect(place.source_url, autocommit=True) as connection, connection.cursor() as cursor:
        for day in DAYS:
            cursor.execute(f"CREATE TABLE member_{day} (user_id text NOT NULL)")  # type: ignore[arg-type]
            cursor.execute(f"CREATE TABLE spend_{day} (user_id text NOT NULL, value numeric(12, 2))")  # type: ignore[arg-type]
            with cursor.copy(f"COPY member_{day} FROM STDIN") as copy:  # type: ignore[arg-type]
                for user_id in members(users, day):
                    copy.write(f"{user_id}\n")
            with cursor.copy(f"COPY spend_{day} FROM STDIN") as copy:  # type: ignore[arg-type]
                for user_id, value in spends(users, day):
                    copy.write(f"{user_id}\t{value}\n")
        cursor.execute("VACUUM ANALYZE")
