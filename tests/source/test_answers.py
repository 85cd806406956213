from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from random import Random

import pytest

from sync.model.canonical import value_text
from sync.model.definition import Definition, Kind, Table
from sync.source.connection import Source
from sync.source.reader import ROWS_PER_CHUNK, answer
from tests.shop import Shop
from tests.source.conftest import NOON, Asked

EVERY_TYPE = [
    ("12", "12", "12"),
    ("9007199254740993", "9007199254740993", "9007199254740993"),
    ("12.00", "12", "12"),
    ("12.5", "12.5", "12.5"),
    ("'Ann'", "Ann", '"Ann"'),
    ("'2026-11-01'", "2026-11-01", '"2026-11-01"'),
]
ONLY_POSTGRESQL = [
    ("12::bigint", "12", "12"),
    ("12.00::numeric(10, 2)", "12", "12"),
    ("1e20::numeric", "100000000000000000000", "100000000000000000000"),
    ("0.1::real", "0.1", "0.1"),
    ("1e300::float8 / 1e299", "10", "10"),
    ("'ABCDEF00-1111-2222-3333-444455556666'::uuid",) + ("abcdef00-1111-2222-3333-444455556666",) * 2,
    ("date '2026-11-01'", "2026-11-01", '"2026-11-01"'),
    ("timestamptz '2026-11-01 12:00:00+02'", "2026-11-01T10:00:00Z", '"2026-11-01T10:00:00Z"'),
    ("timestamp '2026-11-01 12:00:00.5'", "2026-11-01T12:00:00.5Z", '"2026-11-01T12:00:00.5Z"'),
    ("true", "true", "true"),
    ("'Ann'::varchar", "Ann", '"Ann"'),
]


def quoted(text: str) -> str:
    return text if text.startswith('"') or text[0].isdigit() or text == "true" else f'"{text}"'


@pytest.mark.parametrize(("literal", "user_id", "value"), EVERY_TYPE)
def test_the_same_answer_of_both_engines_canonicalises_alike(
    shop: Shop, ask: Asked, literal: str, user_id: str, value: str
) -> None:
    sql = f"SELECT {literal} AS user_id, {literal} AS value"
    assert ask(shop.source, sql, Kind.TRAIT) == [(user_id, value, None)]


@pytest.mark.parametrize(("literal", "user_id", "value"), ONLY_POSTGRESQL)
def test_postgresql_types_have_the_canonical_text(
    postgresql_shop: Shop, ask: Asked, literal: str, user_id: str, value: str
) -> None:
    found = ask(postgresql_shop.source, f"SELECT {literal} AS user_id, {literal} AS value", Kind.TRAIT)
    assert found == [(user_id, quoted(value), None)]


def test_arrays_are_lists_in_their_order(postgresql_shop: Shop, ask: Asked) -> None:
    sql = "SELECT 1 AS user_id, ARRAY['b', 'a', NULL] AS value"
    assert ask(postgresql_shop.source, sql, Kind.TRAIT) == [("1", '["b","a",null]', None)]


@pytest.mark.parametrize("odd", [1e300, 5e-324, -0.0, 2.0**60, 1e15, 1.5e15, 9007199254740993, -(2**63)])
def test_whole_numbers_among_fractions_have_the_canonical_text_too(sqlite_shop: Shop, ask: Asked, odd: float) -> None:
    given = [odd, 0, 7, -12, 2**62, 0.1, 12.0, 0.30000000000000004, 1234.5]
    rows = " UNION ALL ".join(f"SELECT {number} AS user_id, {each!r} AS value" for number, each in enumerate(given))
    assert ask(sqlite_shop.source, f"{rows} ORDER BY user_id", Kind.TRAIT) == [
        (str(number), value_text(each), None) for number, each in enumerate(given)
    ]


def test_numbers_of_all_sizes_have_the_canonical_text(sqlite_shop: Shop, ask: Asked) -> None:
    chance = Random(7)
    sizes = [chance.uniform(-1, 1) * 10.0 ** chance.randint(-5, 15) for _ in range(300)]
    for given in (
        sizes,
        [round(each, 2) for each in sizes],
        [0.0001, 0.00001, 1.0, 100.0, 1.05, 10.0],
        [2**63 - 1, -1],
        [7.0],
    ):
        sqlite_shop.run("CREATE TABLE numbers (id integer, value)")
        sqlite_shop.run("INSERT INTO numbers VALUES (?, ?)", list(enumerate(given)))
        found = ask(sqlite_shop.source, "SELECT id AS user_id, value FROM numbers ORDER BY id", Kind.TRAIT)
        assert found == [(str(number), value_text(each), None) for number, each in enumerate(given)]
        sqlite_shop.run("DROP TABLE numbers")


def test_a_null_value_is_no_row(shop: Shop, ask: Asked) -> None:
    shop.answers([("ann", "1"), ("bob", None), ("cid", "3")])
    found = ask(shop.source, "SELECT user_id, value FROM answer ORDER BY 1", Kind.TRAIT)
    assert found == [("ann", '"1"', None), ("cid", '"3"', None)]


def test_a_trait_may_name_its_value_by_its_key(shop: Shop, ask: Asked) -> None:
    assert ask(shop.source, "SELECT 'ann' AS user_id, 3 AS key", Kind.TRAIT) == [("ann", "3", None)]


def test_a_null_enrichment_is_left_out(shop: Shop, ask: Asked) -> None:
    shop.answers([("ann", None, "a@x"), ("bob", None, None)])
    found = ask(shop.source, "SELECT user_id, email FROM answer ORDER BY 1", enrichment=("email",))
    assert found == [("ann", None, '{"email":"a@x"}'), ("bob", None, "{}")]


def test_an_enrichment_of_any_name_is_json(shop: Shop, ask: Asked) -> None:
    found = ask(shop.source, """SELECT 'ann' AS user_id, 1 AS "a""b" """, enrichment=('a"b',))
    assert found == [("ann", None, '{"a\\"b":1}')]


def test_a_membership_table_is_read_as_it_is(shop: Shop, ask: Asked) -> None:
    shop.run('CREATE TABLE "Members Of" ("Member Id" integer, email text)')
    shop.run('INSERT INTO "Members Of" VALUES (?, ?)', [(7, "a@x")])
    found = ask(shop.source, None, table=Table("Members Of", "Member Id"), enrichment=("email",))
    assert found == [("7", None, '{"email":"a@x"}')]


def test_a_membership_table_may_stand_in_a_schema(postgresql_shop: Shop, ask: Asked) -> None:
    postgresql_shop.run("CREATE SCHEMA marketing")
    postgresql_shop.run("CREATE TABLE marketing.members AS SELECT 7 AS user_id")
    assert ask(postgresql_shop.source, None, table=Table("marketing.members", "user_id")) == [("7", None, None)]


@pytest.mark.parametrize(
    "decoration",
    [
        "{};",
        "{} ; ",
        "{} -- ends with a comment; and :nothing",
        "{} -- nobody's :as_of",
        "/* 10:30 :x :as_of */ {}",
        "{} ; -- the end",
        "  \n{}\n",
    ],
)
def test_semicolons_and_comments_do_no_harm(shop: Shop, ask: Asked, decoration: str) -> None:
    assert ask(shop.source, decoration.format("SELECT 'ann' AS user_id")) == [("ann", None, None)]


@pytest.mark.parametrize(
    "condition",
    [
        "'10:30' = '10:30'",
        "' :30' <> ':x'",
        "':as_of' <> 'x :as_of'",
        "'a' LIKE '%a%'",
        "'%(as_of)s' <> '%s' AND 100 % 7 = 2",
        "'it''s :x' = 'it''s :x'",
        "'back\\:slash' <> 'back:slash'",
        "'question?' <> '?'",
    ],
)
@pytest.mark.parametrize("bound", ["", " AND :as_of IS NOT NULL"])
def test_colons_and_percent_signs_in_the_sql_stay_what_they_are(
    shop: Shop, ask: Asked, condition: str, bound: str
) -> None:
    assert ask(shop.source, f"SELECT 'ann' AS user_id WHERE {condition}{bound}") == [("ann", None, None)]


@pytest.mark.parametrize(
    "condition",
    [
        "(ARRAY[1, 2, 3])[:2] = ARRAY[1, 2]",
        "'{\"a\": 1}'::jsonb @? '$.a ? (@ == 1)'",
        "$$ :as_of $$ <> $x$ :y $x$",
        "E'it\\'s :as_of' <> ''",
        "'a' = (SELECT \"od:as_of\" FROM (SELECT 'a' AS \"od:as_of\") named)",
    ],
)
@pytest.mark.parametrize("bound", ["", " AND :as_of::date = date '2026-11-21'"])
def test_postgresql_spellings_with_colons_stay_what_they_are(
    postgresql_shop: Shop, ask: Asked, condition: str, bound: str
) -> None:
    assert ask(postgresql_shop.source, f"SELECT 1 AS user_id WHERE {condition}{bound}") == [("1", None, None)]


@pytest.mark.parametrize("as_of", [NOON, NOON.astimezone(timezone(timedelta(hours=9)))])
def test_as_of_is_utc_text_on_sqlite(sqlite_shop: Shop, ask: Asked, as_of: datetime) -> None:
    found = ask(sqlite_shop.source, "SELECT :as_of AS user_id WHERE :as_of = :as_of", as_of=as_of)
    assert found == [("2026-11-21 12:00:00", None, None)]


@pytest.mark.parametrize("as_of", [NOON, NOON.astimezone(timezone(timedelta(hours=9)))])
def test_as_of_is_a_timestamptz_on_postgresql(postgresql_shop: Shop, ask: Asked, as_of: datetime) -> None:
    sql = "SELECT :as_of AS user_id, pg_typeof(:as_of)::text AS value WHERE :as_of - interval '1 day' < :as_of::date"
    assert ask(postgresql_shop.source, sql, Kind.TRAIT, as_of=as_of) == [
        ("2026-11-21T12:00:00Z", '"timestamp with time zone"', None)
    ]


MANY = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT i AS user_id FROM n",
    "postgresql": "SELECT i AS user_id FROM generate_series(1, {}) i",
}


def peak_while_reading(source: Source, rows: int) -> int:
    asked = Definition(Kind.AUDIENCE, "key", "Name", "shop", (), sql=MANY[source.dialect].format(rows))
    tracemalloc.start()
    try:
        with answer(source, asked, datetime.now(UTC)) as opened:
            assert sum(len(chunk.user_ids) for chunk in opened.chunks) == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_answer_of_any_size_is_read_in_flat_memory(source: Source) -> None:
    peak_while_reading(source, 10)
    small = peak_while_reading(source, 2 * ROWS_PER_CHUNK)
    assert peak_while_reading(source, 12 * ROWS_PER_CHUNK) < 1.5 * small
