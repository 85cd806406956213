"""MySQL and MariaDB as sources: what they would be told. There is no server here to tell it."""

from __future__ import annotations

import importlib.machinery
from datetime import datetime, timedelta, timezone

import pytest

from sync.errors import ConfigurationError
from sync.language.sql.layout import Column, Type
from sync.source import extras, mysql
from sync.source.connection import Source
from sync.source.tables import mysql_column
from tests.source.conftest import NOON


@pytest.mark.parametrize("scheme", ["mysql", "mysql+pymysql", "mariadb"])
def test_a_missing_driver_is_named(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    def nothing(name: str) -> importlib.machinery.ModuleSpec | None:
        return None

    monkeypatch.setattr(extras, "find_spec", nothing)
    with pytest.raises(ConfigurationError, match=r"sources.shop.url: .* run `pip install 'engage-sync\[mysql\]'`"):
        Source("shop", f"{scheme}://reader:secret@h/shop", 30)


@pytest.mark.parametrize(
    ("version", "limit"),
    [("8.0.36", "max_execution_time = 1500"), ("10.11.6-MariaDB-1:10.11.6+maria~ubu2204", "max_statement_time = 1.500000")],
)  # fmt: skip
def test_every_session_is_read_only_in_utc_and_limited(version: str, limit: str) -> None:
    assert mysql.session(version, 1.5) == (
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION time_zone = '+00:00'",
        f"SET SESSION {limit}",
    )


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT :as_of;", "SELECT %(as_of)s"),
        (r"SELECT 'it\'s :as_of', ':as_of'", r"SELECT 'it\'s :as_of', ':as_of'"),
        ('SELECT ":as_of" -- :as_of', 'SELECT ":as_of" -- :as_of'),
        ("SELECT `:as_of` # :as_of", "SELECT `:as_of` # :as_of"),
        ("SELECT 7 % 2, x LIKE 'a%' /* :as_of */", "SELECT 7 %% 2, x LIKE 'a%%' /* :as_of */"),
        ("SELECT 1--:as_of", "SELECT 1--%(as_of)s"),
    ],
)
def test_what_is_asked_is_a_derived_table_with_its_instant(sql: str, expected: str) -> None:
    assert mysql.question(sql, NOON)[0] == f"SELECT * FROM (\n{expected}\n) AS answer"


def test_an_instant_is_in_utc_without_a_zone() -> None:
    asked = mysql.question("SELECT 1", NOON.astimezone(timezone(timedelta(hours=9))))
    assert asked[1] == {"as_of": datetime(2026, 11, 21, 12)}  # noqa: DTZ001 - the database has no zones


@pytest.mark.parametrize(
    ("number", "expected"),
    [(1792, "25006"), (3024, "57014"), (1969, "57014"), (1045, "08000"), (2013, "08000"), (0, "08000"), (1054, "42000")],
)  # fmt: skip
def test_errors_are_told_apart_by_their_number(number: int, expected: str) -> None:
    error = Exception(number, "what the server says")
    assert (mysql.sqlstate(error), mysql.message(error)) == (expected, "what the server says")


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (("int", "int unsigned", ""), Column(Type.INTEGER, Type.INTEGER)),
        (("tinyint", "tinyint(1)", ""), Column(Type.BOOLEAN, Type.BOOLEAN)),
        (("varchar", "varchar(40)", "utf8mb4_general_ci"), Column(Type.TEXT, "text utf8mb4_general_ci", exact=False)),
        (("varchar", "varchar(40)", "utf8mb4_bin"), Column(Type.TEXT, "text utf8mb4_bin")),
        (("timestamp", "timestamp", ""), Column(Type.INSTANT, Type.INSTANT)),
        (("enum", "enum('a')", "utf8mb4_bin"), Column(Type.TEXT, "enum", cast=True, exact=False)),
        (("blob", "blob", ""), Column(Type.OTHER, "blob", cast=True)),
    ],
)
def test_columns_are_what_the_server_says(told: tuple[str, str, str], expected: Column) -> None:
    assert mysql_column(*told) == expected
