"""SQLite: what a text means as a date of ISO 8601, in SQL that stands there once, whatever it is asked about.

SQLite's own functions know more than dates (``now``, days as numbers), and take the 30th of February for the 1st of March
only when they have to count: so the form is checked, and the day against what becomes of it. They round to milliseconds:
the fraction goes its own way. Zones are written with a colon for them.

No deeper than it must be: SQLite's parser has room for so many things begun, and no more.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String, and_, func, literal_column
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.operators import custom_op

_ZONED = """CASE WHEN substr(t, -5) GLOB '[+-][0-9][0-9][0-9][0-9]' THEN substr(t, 1, length(t) - 2) || ':' || substr(t, -2)
      WHEN substr(t, 14) GLOB '*[+-][0-9][0-9]' THEN t || ':00' ELSE t END"""

_MEANT = f"""(SELECT CASE
    WHEN t < '0001-' THEN NULL
    WHEN datetime(t, '+0 days') = t THEN t || '.000000'
    WHEN t NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*' OR date(substr(t, 1, 10), '+0 days') IS NOT substr(t, 1, 10)
    THEN NULL
    WHEN length(t) = 10 THEN t || ' 00:00:00.000000'
    WHEN substr(t, 11, 6) GLOB '[T ][0-2][0-9]:[0-5][0-9]' AND substr(t, 12, 2) < '24' AND substr(t, 12) NOT GLOB '* *'
      AND substr(t, -1) GLOB '[0-9Z]' AND julianday({_ZONED}) IS NOT NULL
    THEN datetime(substr({_ZONED}, 1, 19)
        || ltrim(substr({_ZONED}, 20), '.0123456789'))
      || CASE substr(t, 20, 1) WHEN '.' THEN substr(printf('%.6f', '0' || substr(t, 20, 7)), 2) ELSE '.000000' END
    END FROM (SELECT {{text}} AS t))"""


class instant_of(FunctionElement[str]):  # noqa: N801 - a function in SQL
    """The instant, in UTC and of fixed width; NULL where the text is no date."""

    type = String()
    inherit_cache = True


@compiles(instant_of)
def _instant_of(element: instant_of, compiler: SQLCompiler, **words: Any) -> str:
    (text,) = element.clauses
    return _MEANT.format(text=compiler.process(text, **words))


def instant(text: ColumnElement[Any]) -> ColumnElement[str]:
    """What a text means as a date; NULL where it is none."""
    return instant_of(text)


def is_plain(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Condition: a real date in SQLite's own form, ``2026-11-21 10:00:00``."""
    counted = func.datetime(column, literal_column("'+0 days'"))
    return and_(counted == unconverted(column), unconverted(column) > literal_column("'0001-'"))


def looks_plain(column: ColumnElement[Any]) -> ColumnElement[bool]:
    """Condition: a date in that form, on a day and at an hour that there may not be (`sync.language.sql.days`)."""
    return func.datetime(column) == unconverted(column)


def unconverted(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A column whose values are compared as they are. In one that is declared ``DATETIME`` or ``NUMERIC``, SQLite tries
    otherwise to read each text as a number first, and in one that is declared ``TEXT`` a number becomes a text."""
    return UnaryExpression(column, operator=custom_op("+"))
