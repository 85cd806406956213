"""Queries over a customer's own tables: odd columns and odd values end no run, and indexes are used."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from random import Random
from sqlite3 import connect

import orjson
import psycopg
import pytest

from sync.errors import DataError, QueryError, SourceUnavailable
from sync.model.canonical import value_text
from sync.model.definition import Definition, Kind, Question
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source.connection import Source
from sync.source.inspection import readable_sql
from sync.source.reader import answer
from tests.shop import Shop

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TRACKED = EventsTable("tracked", "user_id", "ts", name="name", properties="props", cursor="id")
BOUGHT = EventsTable("bought", "user_id", "ts", event="Bought", cursor="id")
PEOPLE = ProfilesTable("people", "id")
_INSTANT = {"sqlite": "text", "postgresql": "timestamptz"}


def definition(query: str, kind: Kind = Kind.AUDIENCE) -> Definition:
    return Definition(kind, "key", "Name", "shop", (), query=Question(query))


def values(shop: Shop, tables: Tables, query: str) -> dict[str, object]:
    """The values of a trait, by user."""
    found: dict[str, object] = {}
    with answer(Source("shop", shop.url, 30, tables=tables), definition(query, Kind.TRAIT), NOON) as opened:
        for chunk in opened.chunks:
            found |= zip(chunk.user_ids, map(orjson.loads, chunk.values or ()), strict=True)
    return found


def members(shop: Shop, tables: Tables, query: str) -> list[str]:
    """The members of an audience, sorted."""
    with answer(Source("shop", shop.url, 30, tables=tables), definition(query), NOON) as opened:
        return sorted(user_id for chunk in opened.chunks for user_id in chunk.user_ids)


def plan(shop: Shop, tables: Tables, query: str) -> str:
    """How the database goes about it."""
    sql = readable_sql(Source("shop", shop.url, 30, tables=tables), definition(query))
    if shop.dialect == "sqlite":
        with closing(connect(shop.path)) as connection:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", {"as_of": "2026-11-21 12:00:00"})
            return "\n".join(row[3] for row in rows)
    with psycopg.connect(shop.url) as other:
        for other_way in ("seqscan", "hashjoin", "mergejoin"):  # what is better for a table without rows
            other.execute(f"SET enable_{other_way} = off")  # type: ignore[arg-type]
        rows = other.execute(f"EXPLAIN {sql.replace(':as_of', repr('2026-11-21 12:00:00Z'))}")  # type: ignore[arg-type]
        return "\n".join(row[0] for row in rows)


def test_numbers_that_json_has_not_are_missing(postgresql_shop: Shop) -> None:
    shop, tables = postgresql_shop, Tables((BOUGHT,))
    shop.run("CREATE TABLE bought (id int, user_id int, ts timestamptz, price float8)")
    rows = [(1, 7, NOON, "NaN"), (2, 7, NOON, 5), (3, 8, NOON, "Infinity"), (4, 9, NOON, 1e308), (5, 9, NOON, 1e308)]
    shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", rows)
    assert values(shop, tables, "event('Bought').max(property('price'))") == {"7": 5, "9": 1e308}
    assert values(shop, tables, "event('Bought').sum(property('price'))") == {"7": 5}


def test_nan_is_missing_in_a_column_that_can_hold_no_other_odd_number(postgresql_shop: Shop) -> None:
    shop, tables = postgresql_shop, Tables((BOUGHT,))
    shop.run("CREATE TABLE bought (id int, user_id int, ts timestamptz, price numeric(12, 2))")
    shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", [(1, 7, NOON, "NaN"), (2, 7, NOON, 5), (3, 8, NOON, "NaN")])
    assert values(shop, tables, "event('Bought').sum(property('price'))") == {"7": 5}
    assert values(shop, tables, "event('Bought').max(property('price'))") == {"7": 5}
    assert members(shop, tables, "event('Bought').where(property('price') >= 5).count() = 1") == ["7"]
    assert members(shop, tables, "event('Bought').where(property('price') != 5).count() = 1") == ["7", "8"]


@pytest.mark.parametrize("declared", ["numeric", "numeric(311, 2)", "too_large"])
def test_a_number_that_no_json_reader_can_hold_is_missing_where_the_column_can(
    postgresql_shop: Shop, declared: str
) -> None:
    shop, tables = postgresql_shop, Tables((BOUGHT,))
    shop.run("CREATE DOMAIN too_large AS numeric(309)")
    shop.run(f"CREATE TABLE bought (id int, user_id int, ts timestamptz, price {declared})")
    shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", [(1, 7, NOON, "9e308"), (2, 7, NOON, 5), (3, 8, NOON, "-9e308")])
    assert values(shop, tables, "event('Bought').sum(property('price'))") == {"7": 5}


@pytest.mark.parametrize("declared", ["numeric(12, 2)", "price"])
def test_a_column_that_holds_no_number_too_large_is_asked_for_none(postgresql_shop: Shop, declared: str) -> None:
    postgresql_shop.run("CREATE DOMAIN price AS numeric(308)")
    postgresql_shop.run(f"CREATE TABLE bought (id int, user_id int, ts timestamptz, price {declared})")
    source = Source("shop", postgresql_shop.url, 30, tables=Tables((BOUGHT,)))
    query = definition("event('Bought').where(property('price') >= 100).count() = 1")
    found = readable_sql(source, query)
    assert "bought_2.price >= 100" in found
    assert "bought_2.price < 'NaN'" in found
    assert "e308" not in found


def test_sums_do_not_overflow(sqlite_shop: Shop) -> None:
    sqlite_shop.run("CREATE TABLE bought (id integer, user_id integer, ts text, price integer)")
    rows = [(number, 7, "2026-11-21 10:00:00", 2**63 - 1) for number in range(2)]
    sqlite_shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", rows)
    assert values(sqlite_shop, Tables((BOUGHT,)), "event('Bought').sum(property('price'))") == {"7": 2.0**64}


@pytest.mark.parametrize("reducer", ["sum", "avg"])
def test_a_sum_of_fractions_has_no_digits_that_mean_nothing(shop: Shop, reducer: str) -> None:
    kind = "real" if shop.dialect == "sqlite" else "double precision"
    shop.run(f"CREATE TABLE bought (id integer, user_id integer, ts {_INSTANT[shop.dialect]}, price {kind})")
    shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", [(n, 7, "2026-11-21 10:00:00", n / 10) for n in (1, 2)])
    query = f"event('Bought').{reducer}(property('price'))"
    assert values(shop, Tables((BOUGHT,)), query) == {"7": 0.3 if reducer == "sum" else 0.15}


@pytest.mark.parametrize("odd", [0.5, 1e-7, 1.5e300, 2.0**60, 2.0**53, 1234567890123456.5, -0.0, 5e-324])
def test_a_sum_is_written_with_the_digits_that_mean_something_whatever_its_size(sqlite_shop: Shop, odd: float) -> None:
    random = Random(7)
    prices = [odd, *(random.uniform(-1, 1) * 10 ** random.randint(-3, 14) for _ in range(500))]
    prices += [round(each, random.randint(0, 6)) for each in prices[1:]]
    sqlite_shop.run("CREATE TABLE bought (id integer, user_id integer, ts text, price real)")
    rows = [(number, number, "2026-11-21 10:00:00", each) for number, each in enumerate(prices)]
    sqlite_shop.run("INSERT INTO bought VALUES (?, ?, ?, ?)", rows)
    source = Source("shop", sqlite_shop.url, 30, tables=Tables((BOUGHT,)))

    with answer(source, definition("event('Bought').sum(property('price'))", Kind.TRAIT), NOON) as opened:
        found = [text for chunk in opened.chunks for text in chunk.values or ()]

    assert found == [value_text(each if each.is_integer() else float(f"{each:.15g}")) for each in prices]


def test_json_that_is_none_and_json_that_jsonb_has_not_end_no_run(shop: Shop) -> None:
    instant, document = ("text", "text") if shop.dialect == "sqlite" else ("timestamptz", "json")
    shop.run(f"CREATE TABLE tracked (id int, user_id text, ts {instant}, name text, props {document})")
    documents = [
        '{"v": 1e400}',
        r'{"v": "\u0000", "w": 1}',
        r'{"v": "\ud800"}',
        '{"v": 5, "w": "x"}',
        '"v"',
        r'{"v": "\ud83d\ude00"}',
    ]
    if shop.dialect == "sqlite":
        documents += ["{", "", "v"]
    at = "2026-11-21 10:00:00"
    shop.run(
        "INSERT INTO tracked VALUES (?, ?, ?, ?, ?)", [(n, f"u{n}", at, "A", each) for n, each in enumerate(documents)]
    )
    assert members(shop, Tables((TRACKED,)), "event('A').where(property('v') = 5).count() >= 1") == ["u3"]
    assert values(shop, Tables((TRACKED,)), "event('A').where(property('w') = 1).count()")["u1"] == 1
    last = values(shop, Tables((TRACKED,)), "event('A').last(property('v'))")
    assert (last["u3"], last["u5"]) == (5, "😀")


def test_a_property_of_any_name_is_found_in_json(shop: Shop) -> None:
    instant, document = ("text", "text") if shop.dialect == "sqlite" else ("timestamptz", "json")
    shop.run(f"CREATE TABLE tracked (id int, user_id text, ts {instant}, name text, props {document})")
    shop.run("INSERT INTO tracked VALUES (1, 'ann', '2026-11-21 10:00:00', 'A', '{\"it''s $ %\": 5}')")
    query = """event('A').max(property("it's $ %"))"""
    assert values(shop, Tables((TRACKED,)), query) == {"ann": 5}


def test_what_is_no_instant_is_no_event_and_infinity_never_comes(postgresql_shop: Shop) -> None:
    shop = postgresql_shop
    shop.run("CREATE TABLE bought (id int, user_id uuid, ts timestamp)")
    shop.run("CREATE TABLE people (id uuid, since timestamptz, kind text)")
    ann, bob = "6f9619ff-8b86-d011-b42d-00c04fc964f1", "6f9619ff-8b86-d011-b42d-00c04fc964f2"
    shop.run(
        "INSERT INTO bought VALUES (?, ?, ?)", [(1, ann, "infinity"), (2, ann, None), (3, bob, "2026-11-21 12:00:00")]
    )
    shop.run("INSERT INTO people VALUES (?, ?, ?)", [(ann, "infinity", "x"), (bob, "2026-11-21T12:00:00.5Z", None)])
    tables = Tables((BOUGHT,), PEOPLE)
    assert values(shop, tables, "event('Bought').count()") == {ann: 0, bob: 1}
    assert values(shop, tables, "trait('since')") == {bob: "2026-11-21T12:00:00.5Z"}
    assert members(shop, tables, "trait('since').within_next(1 hours)") == [bob]


def test_user_ids_of_two_types_are_one_user(postgresql_shop: Shop) -> None:
    shop = postgresql_shop
    shop.run("CREATE TABLE bought (id int, user_id bigint, ts timestamptz)")
    shop.run("CREATE TABLE people (id varchar(10), vip boolean)")
    shop.run("INSERT INTO bought VALUES (?, ?, ?)", [(1, 7, NOON)])
    shop.run("INSERT INTO people VALUES (?, ?)", [("7", True), ("8", True), ("", True)])
    assert members(shop, Tables((BOUGHT,), PEOPLE), "trait('vip') = true AND event('Bought').count() = 0") == ["8"]
    assert values(shop, Tables((BOUGHT,), PEOPLE), "event('Bought').count()") == {"7": 1, "8": 0}


def test_an_events_name_is_exact_whatever_the_column_is(shop: Shop) -> None:
    if shop.dialect == "sqlite":
        shop.run("CREATE TABLE tracked (id int, user_id text, ts text, name text COLLATE NOCASE, props text)")
    else:
        shop.run("CREATE TABLE tracked (id int, user_id text, ts timestamptz, name char(8), props jsonb)")
    rows = [(1, "ann", "2026-11-21", "A", "{}"), (2, "bob", "2026-11-21", "a", "{}")]
    shop.run("INSERT INTO tracked VALUES (?, ?, ?, ?, ?)", rows)
    assert members(shop, Tables((TRACKED,)), "event('A').count() = 1") == ["ann"]


def test_text_is_no_json_on_postgresql(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE TABLE tracked (id int, user_id text, ts timestamptz, name text, props text)")
    with pytest.raises(QueryError, match="column 'props' of table 'tracked' must be json or jsonb"):
        members(postgresql_shop, Tables((TRACKED,)), "event('A').count() = 1")


def test_a_table_that_is_not_there_is_named(shop: Shop) -> None:
    with pytest.raises(QueryError, match="audience 'Name': there is no table 'tracked'"):
        members(shop, Tables((TRACKED,)), "event('A').count() = 1")


@pytest.mark.parametrize(
    ("query", "used"),
    [
        (
            "event('A').within(7 days).count() >= 1",
            {"sqlite": "by_name (name=? AND ts>? AND ts<?)", "postgresql": "by_name"},
        ),
        (
            "event('A').where(event('B').within(parent: 1 days).count() >= 1).within(7 days).count() >= 1",
            {"sqlite": "by_user (user_id=? AND ts>? AND ts<?)", "postgresql": "by_user"},
        ),
    ],
)
def test_windows_and_funnels_use_an_index(shop: Shop, query: str, used: dict[str, str]) -> None:
    instant, document = ("text", "text") if shop.dialect == "sqlite" else ("timestamptz", "jsonb")
    shop.run(f"CREATE TABLE tracked (id int, user_id text, ts {instant}, name text, props {document})")
    shop.run("CREATE INDEX by_name ON tracked (name, ts)")
    shop.run("CREATE INDEX by_user ON tracked (user_id, ts)")
    if shop.dialect == "postgresql":  # its choice depends on what is there
        shop.run(
            "INSERT INTO tracked SELECT n, 'u' || n, timestamptz '2026-11-21' - n * interval '1 hour', 'B' FROM generate_series(1, 3000) n"
        )
        shop.run("ANALYZE tracked")
    assert used[shop.dialect] in plan(shop, Tables((TRACKED,)), query)


def test_two_profiles_of_one_user_count_no_event_twice_and_the_newer_is_the_one(shop: Shop) -> None:
    shop.run("CREATE TABLE people (id varchar(9), plan varchar(9), changed integer)")
    shop.run(
        "INSERT INTO people VALUES ('ann', 'free', 1), ('ann', 'pro', 2), ('ann', 'none', NULL), ('bob', 'pro', 1)"
    )
    shop.run("CREATE TABLE bought (id integer, user_id varchar(9), ts timestamp, total integer)")
    shop.run("INSERT INTO bought VALUES (1, 'ann', '2026-11-20 10:00:00', 5), (2, 'ann', '2026-11-20 11:00:00', 7)")
    tables = Tables((BOUGHT,), ProfilesTable("people", "id", cursor="changed"))

    assert values(shop, tables, "event('Bought').where(trait('plan').is_set()).sum(property('total'))") == {"ann": 12}
    assert values(shop, tables, "event('Bought').where(trait('plan') = 'pro').count()") == {"ann": 2, "bob": 0}
    assert values(shop, tables, "trait('plan')") == {"ann": "pro", "bob": "pro"}
    assert members(shop, tables, "trait('plan') = 'free'") == []


@pytest.mark.parametrize(
    ("key", "grouped"),
    [
        ("PRIMARY KEY (id)", False),
        ("UNIQUE (id)", False),
        ("PRIMARY KEY (id, plan)", True),
        ("CHECK (id <> 'x')", True),
    ],
)
def test_profiles_that_cannot_be_doubled_are_read_as_they_are(shop: Shop, key: str, grouped: bool) -> None:
    shop.run(f"CREATE TABLE people (id varchar(9), plan varchar(9), {key})")
    sql = readable_sql(Source("shop", shop.url, 30, tables=Tables((), PEOPLE)), definition("trait('plan') = 'pro'"))

    assert ("row_number()" in sql) is grouped


@pytest.mark.parametrize("name", ["Größe", 'it\'s "odd" $%', "a/b~c", ""])
def test_whatever_a_property_is_called_it_is_read(shop: Shop, name: str) -> None:
    kinds = ("jsonb", "timestamptz") if shop.dialect == "postgresql" else ("text", "text")
    shop.run("CREATE TABLE tracked (id integer, user_id text, name text, props {}, ts {})".format(*kinds))
    document = orjson.dumps({name or "x": {name or "y": 5}}).decode()
    shop.run("INSERT INTO tracked VALUES (1, 'ann', 'Bought', ?, '2026-11-20 10:00:00Z')", [(document,)])
    quoted = (f"{name}.{name}" if name else "x.y").replace("'", r"\'")

    assert values(shop, Tables((TRACKED,)), f"event('Bought').max(property('{quoted}'))") == {"ann": 5}


NEVER = [
    *(f"{reducer}(property('never'))" for reducer in ("sum", "first", "last", "unique")),
    "mode(property('never'), 1)",
]


@pytest.mark.parametrize("tables", [("one",), ("one", "two"), ("one", "two", "three")])
def test_a_property_that_some_tables_of_an_event_lack_is_missing_there(shop: Shop, tables: tuple[str, ...]) -> None:
    for number, name in enumerate(("one", "two", "three"), 1):
        shop.run(f"CREATE TABLE {name} (user_id text, ts {_INSTANT[shop.dialect]}{', brand text' * (number == 3)})")
        shop.run(f"INSERT INTO {name} (user_id, ts) VALUES ('ann', '2026-11-0{number} 10:00:00Z')")
    shop.run("UPDATE three SET brand = 'Acme'")
    found = Tables(tuple(EventsTable(each, "user_id", "ts", event="Bought") for each in tables))
    brands = {"ann": "Acme"} if "three" in tables else {}
    assert values(shop, found, "event('Bought').last(property('brand'))") == brands
    funnel = "event('Bought').where(event('Bought').within(parent: 5 days).{} = 'x').count() >= 1"
    assert [values(shop, found, f"event('Bought').{each}") for each in NEVER] == [{}] * len(NEVER)
    assert [members(shop, found, funnel.format(each)) for each in NEVER if "unique" not in each] == [[]] * 4


def test_dates_before_the_year_1_and_after_9999_are_missing(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE TABLE people (id text, day date, at timestamp, moment timestamptz)")
    odd = ["5874897-12-31", "4713-01-01 BC", "infinity", "-infinity"]
    rows = [(f"odd {day}", day, day.replace("5874897", "294276"), day.replace("5874897", "294276")) for day in odd]
    rows += [("first", *["0001-01-01"] * 3), ("last", *["9999-12-31"] * 3)]
    postgresql_shop.run("INSERT INTO people VALUES (?, ?, ?, ?)", rows)
    tables = Tables(profiles=PEOPLE)
    assert values(postgresql_shop, tables, "trait('day')") == {"first": "0001-01-01", "last": "9999-12-31"}
    for name in ("day", "at", "moment"):
        assert members(postgresql_shop, tables, f"trait('{name}').is_set()") == ["first", "last"]
        assert members(postgresql_shop, tables, f"trait('{name}').before_date('2026-01-01')") == ["first"]


def test_an_event_on_a_day_that_is_no_timestamp_ends_no_run(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE TABLE days (user_id text, day date, brand text)")
    postgresql_shop.run("INSERT INTO days VALUES ('ann', '5874897-12-31', 'never'), ('ann', '2026-11-01', 'Acme')")
    tables = Tables((EventsTable("days", "user_id", "day", event="Bought"),))
    assert values(postgresql_shop, tables, "event('Bought').last(property('brand'))") == {"ann": "Acme"}


@pytest.mark.parametrize("digits", [400, 5_000])
def test_a_number_in_jsonb_that_no_json_reader_can_hold_is_missing(postgresql_shop: Shop, digits: int) -> None:
    postgresql_shop.run("CREATE TABLE people (id text, huge jsonb)")
    postgresql_shop.run(f"INSERT INTO people VALUES ('ann', '1e{digits}'), ('bob', '12')")
    assert values(postgresql_shop, Tables(profiles=PEOPLE), "trait('huge')") == {"bob": 12}


def test_a_server_that_goes_while_it_answers_a_query_is_away(postgresql_shop: Shop) -> None:
    postgresql_shop.run("CREATE TABLE people (id text)")
    postgresql_shop.run("INSERT INTO people VALUES ('ann')")
    postgresql_shop.run(
        "CREATE VIEW leaving AS SELECT id, CASE WHEN pg_terminate_backend(pg_backend_pid()) THEN 'gone' END AS plan FROM people"
    )
    with pytest.raises(SourceUnavailable, match="cannot be reached"):
        values(postgresql_shop, Tables(profiles=ProfilesTable("leaving", "id")), "trait('plan')")


@pytest.mark.parametrize(("digits", "said"), [(400, "a number beyond what JSON readers can hold"), (5_000, "too long")])
def test_a_number_in_jsonb_that_no_json_reader_can_hold_is_refused_in_sql(
    postgresql_shop: Shop, digits: int, said: str
) -> None:
    sql = f"SELECT 'ann' AS user_id, '1e{digits}'::jsonb AS value"
    asked = Definition(Kind.TRAIT, "key", "Name", "shop", (), sql=sql)
    with (
        pytest.raises(DataError, match=said),
        answer(postgresql_shop.source, asked, NOON) as opened,
    ):
        list(opened.chunks)
