"""Events inserted by hand: rows that were made before, so many to a commit, durable after each. Nothing else.

No number is drawn, nobody is looked for on a list, no trait is compared with what was known: what the drivers and the
engines cost by themselves, with the store's own tables and indexes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing

import orjson
import psycopg

from bench.places import Place
from sync.model.event import LoggedEvent
from sync.store.instants import stamp

_EVENT = (
    "event (id, source, message_id, type, name, user_id, anonymous_id, timestamp, received_at, lane, collected, body)"
)
_PROFILE = "profile (user_id, traits, times, created_at, updated_at)"

Values = tuple[object, ...]
Commits = list[tuple[list[Values], list[Values]]]
"""Of each commit, the rows of events and those of profiles."""


def prepared(events: Sequence[LoggedEvent], at_once: int, first: int) -> Commits:
    """The rows for ``events`` under the numbers from ``first`` on, with a profile for each identify."""
    commits: Commits = []
    for start in range(0, len(events), at_once):
        some = events[start : start + at_once]
        rows = [_row(number, each) for number, each in enumerate(some, first + start)]
        commits.append((rows, [_profile(each) for each in some if each.type == "identify"]))
    return commits


def insert(place: Place, commits: Commits) -> None:
    """Insert what is prepared."""
    if place.on_sqlite:
        _into_sqlite(place, commits)
    else:
        _into_postgresql(place, commits)


def _into_sqlite(place: Place, commits: Commits) -> None:
    with closing(sqlite3.connect(place.store_url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")
        for events, profiles in commits:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO {_EVENT} VALUES ({', '.join('?' * 12)})", events)
            connection.executemany(f"INSERT INTO {_PROFILE} VALUES ({', '.join('?' * 5)})", profiles)
            connection.execute("COMMIT")


def _into_postgresql(place: Place, commits: Commits) -> None:
    options = f"-c search_path={place.store_schema} -c timezone=UTC"
    with psycopg.connect(place.store_url.replace("+psycopg", ""), options=options) as connection:
        for events, profiles in commits:
            for table, rows in ((_EVENT, events), (_PROFILE, profiles)):
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:  # type: ignore[arg-type]
                    copy.write("".join([_line(row) for row in rows]))
            connection.commit()


def _line(row: Values) -> str:
    return "\t".join([_cell(value) for value in row]) + "\n"


def _cell(value: object) -> str:
    if value is None:
        return r"\N"
    return value.replace("\\", "\\\\") if type(value) is str else str(value)


def _row(number: int, event: LoggedEvent) -> Values:
    at, received_at = stamp(event.timestamp), stamp(event.received_at)
    ids = (event.user_id, event.anonymous_id)
    what = (event.source, event.message_id, event.type, event.name)
    return (number, *what, *ids, at, received_at, event.lane, event.collected, event.body)


def _profile(event: LoggedEvent) -> Values:
    traits, at = orjson.loads(event.body)["traits"], stamp(event.timestamp)
    times = dict.fromkeys(traits, at)
    return (event.user_id, orjson.dumps(traits).decode(), orjson.dumps(times).decode(), at, at)
