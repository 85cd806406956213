"""A membership table in the store's own database is staged without moving a row, and with the same outcome."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from sync import telemetry
from sync.errors import DataError, QueryError
from sync.model.definition import Definition, Kind, Table
from sync.model.run import RunKind
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store.engine import Database

NOW = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture
def members(postgresql_database: Database) -> str:
    """A table of another schema of the same database: its qualified name."""
    with postgresql_database.write() as connection:
        schema = connection.execute(text("SELECT current_schema()")).scalar_one()
    return f"{schema}.members"


@pytest.fixture
def neighbour(postgresql_url: str) -> Source:
    """A source in the store's own database."""
    return Source("neighbour", postgresql_url, statement_timeout=30)


@pytest.fixture
def steps() -> Iterator[list[str]]:
    """The names of all steps taken during the test."""
    taken: list[str] = []
    stop = telemetry.listen(lambda name, _: taken.append(name))
    yield taken
    stop()


def _create(database: Database, table: str, columns: str, *rows: str) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"CREATE TABLE {table} ({columns})")
        for row in rows:
            connection.exec_driver_sql(f"INSERT INTO {table} VALUES ({row})")


def _refresh(database: Database, source: Source, table: str, *enrichment: str) -> Refreshed:
    definition = Definition(
        Kind.AUDIENCE, "vip", "VIP", "neighbour", ("pw",), table=Table(table, "member"), enrichment=enrichment
    )
    return refresh(database, source, definition, kind=RunKind.DELTA, as_of=NOW)


def _recorded(database: Database) -> list[tuple[str, object, object]]:
    with database.read() as connection:
        rows = connection.execute(text("SELECT user_id, owed, enrichment FROM slot ORDER BY user_id"))
        return [(row.user_id, row.owed, row.enrichment) for row in rows]


COLUMNS = {
    "text": ("text", "'Ünï\t\\x'", "'b'"),
    "varchar": ("character varying(20)", "'A'", "'B'"),
    "integer": ("integer", "-7", "42"),
    "bigint": ("bigint", "9007199254740993", "0"),
    "uuid": ("uuid", "'AAAAAAAA-0000-0000-0000-00000000000F'", "'00000000-0000-0000-0000-000000000001'"),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_both_ways_of_staging_record_the_same(
    kind: str,
    postgresql_database: Database,
    members: str,
    neighbour: Source,
    steps: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    column, *ids = COLUMNS[kind]
    rows = [f"{user_id}, 'e''{place}@x', {place}, {place} = 1, NULL" for place, user_id in enumerate(ids)]
    columns = f"member {column}, email text, visits integer, active boolean, nothing text"
    _create(postgresql_database, members, columns, *rows)
    enrichment = ("email", "visits", "active", "nothing")

    _refresh(postgresql_database, neighbour, members, *enrichment)
    assert "refresh.in_place" in steps
    in_place = _recorded(postgresql_database)
    assert len(in_place) == len(ids)

    # The same table, taken for one that is elsewhere.
    with postgresql_database.write() as connection:
        connection.exec_driver_sql("DELETE FROM slot")
        connection.exec_driver_sql("DELETE FROM snapshot")
        connection.exec_driver_sql("DELETE FROM enrolment")
    steps.clear()
    monkeypatch.setattr("sync.refresh.reading.locate", lambda *_: None)
    _refresh(postgresql_database, neighbour, members, *enrichment)
    assert "refresh.in_place" not in steps

    def without_version(rows: list[tuple[str, object, object]]) -> list[tuple[str, object, object]]:
        return [(user_id, {key: pair[0] for key, pair in owed.items()}, extra) for user_id, owed, extra in rows]  # type: ignore[attr-defined]

    assert without_version(_recorded(postgresql_database)) == without_version(in_place)


def test_a_view_is_streamed_for_it_may_write_and_nothing_is_written(
    postgresql_database: Database, members: str, neighbour: Source, steps: list[str]
) -> None:
    schema = members.partition(".")[0]
    _create(postgresql_database, f"{schema}.audit", "seen text")
    with postgresql_database.write() as connection:
        connection.exec_driver_sql(
            f"CREATE FUNCTION {schema}.noted() RETURNS text LANGUAGE sql VOLATILE AS "
            f"$$ INSERT INTO {schema}.audit VALUES ('x') RETURNING 'ann'::text $$"
        )
        connection.exec_driver_sql(f"CREATE VIEW {members} AS SELECT {schema}.noted() AS member")
    with pytest.raises(QueryError, match="tries to write"):
        _refresh(postgresql_database, neighbour, members)
    assert "refresh.in_place" not in steps
    with postgresql_database.read() as connection:
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {schema}.audit").scalar_one() == 0


def test_a_source_whose_url_carries_options_is_streamed_with_them(
    postgresql_database: Database, members: str, postgresql_url: str, steps: list[str]
) -> None:
    schema = members.partition(".")[0]
    _create(postgresql_database, members, "member text", "'ann'")
    separator = "&" if "?" in postgresql_url else "?"
    source = Source("neighbour", f"{postgresql_url}{separator}options=-csearch_path={schema}", statement_timeout=30)
    _refresh(postgresql_database, source, "members")
    assert "refresh.in_place" not in steps
    assert [row[0] for row in _recorded(postgresql_database)] == ["ann"]


def test_a_column_whose_text_the_engine_writes_differently_is_streamed(
    postgresql_database: Database, members: str, neighbour: Source, steps: list[str]
) -> None:
    _create(postgresql_database, members, "member numeric", "12.00", "1e3")
    _refresh(postgresql_database, neighbour, members)
    assert "refresh.in_place" not in steps
    assert [row[0] for row in _recorded(postgresql_database)] == ["1000", "12"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("'a'", "NULL", "NULL"), "user_id is NULL in 2 of its rows"),
        (("'a'", "''"), "user_id is empty in 1 of its rows"),
        (("'a'", "repeat('x', 1001)"), "user_id is longer than 1000 bytes in 1 of its rows"),
        (("'a'", "'b'", "'a'"), "more than one row for user 'a'"),
    ],
)
def test_bad_user_ids_are_refused_and_nothing_is_recorded(
    rows: tuple[str, ...], said: str, postgresql_database: Database, members: str, neighbour: Source
) -> None:
    _create(postgresql_database, members, "member text", *rows)
    with pytest.raises(DataError, match=said):
        _refresh(postgresql_database, neighbour, members)
    assert _recorded(postgresql_database) == []


def test_a_table_that_is_not_there_is_named(postgresql_database: Database, neighbour: Source) -> None:
    with pytest.raises(QueryError, match=r"has no table 'nowhere\.members'"):
        _refresh(postgresql_database, neighbour, "nowhere.members")


def test_another_database_is_streamed(postgresql_database: Database, steps: list[str], postgresql_shop) -> None:  # type: ignore[no-untyped-def]
    postgresql_shop.run("CREATE TABLE members (member text)")
    postgresql_shop.run("INSERT INTO members VALUES (?)", [("a",)])
    _refresh(postgresql_database, postgresql_shop.source, "members")
    assert "refresh.in_place" not in steps
    assert [row[0] for row in _recorded(postgresql_database)] == ["a"]
