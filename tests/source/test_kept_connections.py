"""A connection that is kept for the next run: who gets it, and what it must never bring along."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from sqlalchemy import text

from sync.errors import SourceUnavailable
from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, Tables
from sync.source.connection import Source
from sync.source.inquiry import inquire
from sync.source.kept import Kept
from tests.shop import Shop
from tests.source.conftest import NOON

ASKED = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), query=Question("event('Bought').count() >= 1"))
TABLES = Tables((EventsTable("bought", "who", "ts", event="Bought", cursor="id"),))


@pytest.fixture
def sold(postgresql_shop: Shop) -> Shop:
    postgresql_shop.run("CREATE TABLE bought (id bigserial PRIMARY KEY, who text, ts timestamptz)")
    postgresql_shop.run("INSERT INTO bought (who, ts) VALUES ('ann', '2026-11-01')")
    return postgresql_shop


def source(shop: Shop, kept: Kept | None = None) -> Source:
    return Source("shop", shop.url, 30, tables=TABLES, kept=kept)


def server_process(reader: Source) -> int:
    """The process of the server that answers a run, which must be right."""
    with inquire(reader, ASKED) as inquiry:
        with inquiry.answer(NOON) as opened:
            assert [chunk.user_ids for chunk in opened.chunks] == [["ann"]]
        found: int = inquiry._connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    return found


def test_the_next_run_gets_the_connection_of_the_last_one(sold: Shop) -> None:
    reader = source(sold)
    assert server_process(reader) == server_process(reader)


def test_several_readers_of_one_source_share_what_is_kept(sold: Shop) -> None:
    kept = Kept()
    assert server_process(source(sold, kept)) == server_process(source(sold, kept))
    assert server_process(source(sold)) != server_process(source(sold, kept))


def test_what_is_kept_is_as_read_only_as_any_other(sold: Shop) -> None:
    reader = source(sold)
    server_process(reader)
    with pytest.raises(Exception, match="read-only transaction"), reader.read(ours=True) as connection:
        connection.execute(text("INSERT INTO bought (who) VALUES ('bob')"))


def test_sql_that_somebody_wrote_is_asked_on_a_connection_that_ends_with_it(sold: Shop) -> None:
    reader = source(sold)
    kept = server_process(reader)
    with reader.read() as connection:
        assert connection.connection.driver_connection.info.backend_pid != kept  # type: ignore[union-attr]


def test_a_connection_that_was_lost_meanwhile_is_replaced(sold: Shop) -> None:
    reader = source(sold)
    first = server_process(reader)
    sold.run(f"SELECT pg_terminate_backend({first})")
    assert server_process(reader) != first


def test_a_table_that_was_altered_meanwhile_is_read_as_it_is_now(sold: Shop) -> None:
    reader = source(sold)
    first = server_process(reader)
    sold.run("DROP TABLE bought")
    sold.run("CREATE TABLE bought (id text, who uuid, ts date)")
    sold.run("INSERT INTO bought VALUES ('x', 'aaaaaaaa-0000-0000-0000-000000000000', '2026-11-01')")
    with inquire(reader, ASKED) as inquiry, inquiry.answer(NOON) as opened:
        assert [chunk.user_ids for chunk in opened.chunks] == [["aaaaaaaa-0000-0000-0000-000000000000"]]
        again = inquiry._connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
    assert again == first


def test_who_gives_up_a_run_ends_nobody_elses(sold: Shop) -> None:
    kept = Kept()
    impatient = source(sold, kept)
    first = server_process(source(sold, kept))

    def give_up() -> None:
        with inquire(impatient, ASKED) as inquiry:
            impatient.give_up()
            with inquiry.answer(NOON):
                pass

    with pytest.raises(SourceUnavailable, match="given up"):
        give_up()
    assert server_process(source(sold, kept)) != first


def test_nothing_is_kept_for_a_source_that_is_gone(sold: Shop) -> None:
    reader = source(sold)
    with inquire(reader, ASKED) as inquiry:
        driver: Any = inquiry._connection.connection.driver_connection
    assert not driver.closed
    del reader, inquiry
    gc.collect()
    assert driver.closed
