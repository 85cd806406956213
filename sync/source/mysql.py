"""MySQL and MariaDB as sources: each transaction of the session is READ ONLY, and what is asked can be nothing but a query.

READ ONLY keeps the tables as they are, and not the server's disk: ``SELECT … INTO OUTFILE`` is a query like any other there.
So the SQL of a definition becomes a derived table, in which that may not stand. Answers are streamed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from math import ceil
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from sync.source.derived import bound, derived
from sync.source.extras import installed

SCHEMES = ("mysql", "mariadb")

_CONNECTING = 10
_SILENCE = 60
"""Seconds beyond the statement timeout after which a server that says nothing is gone."""

_WRITES = frozenset({1290, 1792, 1836})
"""Errors of the server: what was asked would write, and may not."""

_TIMEOUT = frozenset({1317, 1969, 3024})
_AWAY = frozenset({1040, 1042, 1043, 1044, 1045, 1049, 1053, 1129, 1130, 1158, 1159, 1160, 1161, 1203, 1226, 1698})
_OF_THE_DRIVER = range(2000, 3000)
"""All of them are about the connection."""

# A backslash escapes in MySQL's strings, and its names stand in backticks.
_BIND_OR_OPAQUE = re.compile(
    r"""'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `[^`]*` | --\s[^\n]* | \#[^\n]* | /\*.*?\*/
        | (?<![:\w]):as_of\b""",
    re.DOTALL | re.VERBOSE,
)


def engine(url: URL, setting: str, statement_timeout: float) -> Engine:
    """What opens connections whose every transaction is READ ONLY, in UTC; raises `ConfigurationError` without a driver."""
    installed(setting, "mysql", "pymysql")
    found = create_engine(
        url.set(drivername="mysql+pymysql"),
        poolclass=NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": _CONNECTING, "read_timeout": ceil(statement_timeout) + _SILENCE},
    )

    def prepare(driver: Any, _: object) -> None:
        with driver.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            for statement in session(str(cursor.fetchone()[0]), statement_timeout):
                cursor.execute(statement)

    event.listen(found, "connect", prepare)
    return found


def session(version: str, statement_timeout: float) -> tuple[str, ...]:
    """What is said first on every connection to a server of this version."""
    limit = f"max_execution_time = {ceil(statement_timeout * 1000)}"
    if "mariadb" in version.lower():
        limit = f"max_statement_time = {statement_timeout:f}"
    return ("SET SESSION TRANSACTION READ ONLY", "SET SESSION time_zone = '+00:00'", f"SET SESSION {limit}")


def question(sql: str, as_of: datetime) -> tuple[str, dict[str, object]]:
    """A definition's SQL with its one parameter, as the driver wants them: instants have no zone there, and are in UTC."""
    asked, _ = bound(derived(sql.replace("%", "%%")), "%(as_of)s", _BIND_OR_OPAQUE)
    return asked, {"as_of": as_of.astimezone(UTC).replace(tzinfo=None)}


def cursor(driver: Any) -> Any:
    """A cursor that does not hold the whole answer."""
    return driver.cursor(import_module("pymysql.cursors").SSCursor)


def message(error: BaseException) -> str:
    """What the server said, without its number."""
    return str(error.args[-1] if error.args else error)


def sqlstate(error: BaseException) -> str | None:
    """The SQLSTATE by which PostgreSQL would say the same, as far as it matters here."""
    number = error.args[0] if error.args else None
    if number in _WRITES:
        return "25006"
    if number in _TIMEOUT:
        return "57014"
    if not number or number in _AWAY or number in _OF_THE_DRIVER:
        return "08000"
    return "42000"


def give_up(engine: Engine, driver: Any) -> None:
    """Let what runs on a connection end, by another one: nothing else reaches the server."""
    with suppress(SQLAlchemyError), engine.connect() as other:
        other.execute(text("KILL QUERY :id"), {"id": driver.thread_id()})
