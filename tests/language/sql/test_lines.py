"""A statement is laid out in lines, and stays the statement that it is."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sync.errors import InvalidQuery
from sync.language.sql import compile_query
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Column, Events, Layout, Profiles, Type
from sync.language.sql.lines import WIDTH, in_lines
from sync.language.sql.mysql import Mysql
from sync.language.sql.postgresql import Postgresql
from sync.language.sql.sqlite import Sqlite
from tests.language.compiled import query
from tests.language.golden import golden_cases

TEXT = r"'(?:[^']|'')*'"


def layout(of_sqlite: bool) -> Layout:
    text = Column(Type.ANY if of_sqlite else Type.TEXT, "text")
    json = Column(Type.JSON, "json", exact=False)
    columns = {
        "user_id": text,
        "name": text,
        "ts": text if of_sqlite else Column(Type.INSTANT, "instant"),
        "props": json,
    }
    events = Events("tracked", columns, "user_id", "ts", name="name", properties="props")
    return Layout((events,), Profiles("people", {"user_id": text, "traits": json}, "user_id", "traits"))


def statements(engine: Engine) -> Iterator[str]:
    """Every golden query that compiles."""
    for golden in golden_cases():
        try:
            asked = query(str(golden.input["query"]), golden.input.get("definitions", {}))  # type: ignore[arg-type]
        except InvalidQuery:
            continue
        found = compile_query(asked, layout(isinstance(engine, Sqlite)), engine).statement
        yield str(found.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True}))


def texts(statement: str) -> list[str]:
    return re.findall(TEXT, statement)


@pytest.mark.parametrize("kind", [Sqlite, Postgresql, Mysql])
def test_every_word_sign_and_text_stays_as_it_is(kind: type[Engine]) -> None:
    longest = 0
    for statement in statements(kind(readable=True)):  # type: ignore[call-arg]
        found = in_lines(statement)
        assert "".join(found.split()) == "".join(statement.split())
        assert texts(found) == texts(statement)
        assert in_lines(found) == found
        longest = max(longest, *(len(re.sub(TEXT, "''", line)) for line in found.splitlines()))
    assert 80 < longest <= WIDTH + 20  # what has no place to break may stand out a little


def test_what_is_inside_stands_further_in_and_what_is_short_stays_in_a_line() -> None:
    statement = """SELECT a.x AS x, sum(CASE WHEN a.kind = 'one AND  two' THEN a.price END) AS value,
    (SELECT max(b.at) FROM b) AS latest, a.quite_a_long_name_of_a_column AS quite_a_long_name_of_a_column
    FROM a LEFT OUTER JOIN b ON a.x = b.x WHERE a.at BETWEEN 1 AND 2 AND (a.kind = 'an event with a long name' OR
    a.kind = 'another event with quite a long name' OR a.kind IS NOT DISTINCT FROM b.kind) GROUP BY a.x"""
    assert (
        in_lines(statement)
        == """\
SELECT
  a.x AS x,
  sum(CASE WHEN a.kind = 'one AND  two' THEN a.price END) AS value,
  (SELECT max(b.at) FROM b) AS latest,
  a.quite_a_long_name_of_a_column AS quite_a_long_name_of_a_column
FROM a
LEFT OUTER JOIN b ON a.x = b.x
WHERE a.at BETWEEN 1 AND 2
  AND (
    a.kind = 'an event with a long name'
    OR a.kind = 'another event with quite a long name'
    OR a.kind IS NOT DISTINCT FROM b.kind
  )
GROUP BY a.x"""
    )
