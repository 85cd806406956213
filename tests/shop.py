"""A customer's database, written by the tests and read by the program."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import psycopg

from sync.source.connection import Source


@dataclass(frozen=True)
class Shop:
    """``source`` is how the program sees it; everything else is how its owner does."""

    url: str
    source: Source

    @property
    def dialect(self) -> str:
        return self.source.dialect

    def run(self, statement: str, rows: Iterable[Sequence[object]] | None = None) -> None:
        """Run a statement as the owner, once or for each of ``rows`` (``?`` stands for a value on both engines)."""
        if self.dialect == "sqlite":
            with sqlite3.connect(self.path) as connection:
                connection.execute(statement) if rows is None else connection.executemany(statement, rows)
            connection.close()
        elif self.dialect == "duckdb":
            with duckdb.connect(self.url.removeprefix("duckdb:///")) as owner:
                owner.execute(statement) if rows is None else owner.executemany(statement, list(rows))
        else:
            with psycopg.connect(self.url) as other, other.cursor() as cursor:
                if rows is None:
                    cursor.execute(statement)  # type: ignore[arg-type]
                else:
                    cursor.executemany(statement.replace("?", "%s"), rows)  # type: ignore[arg-type]

    @property
    def path(self) -> Path:
        """The file of a shop on SQLite."""
        return Path(self.url.removeprefix("sqlite:///"))

    def answers(self, rows: Iterable[tuple[object, ...]]) -> None:
        """Let the table ``answer`` (user_id, value, email) hold exactly ``rows``; what is left out is NULL."""
        self.run("DROP TABLE IF EXISTS answer")
        self.run("CREATE TABLE answer (user_id text, value text, email text)")
        filled = [(*row, None, None)[:3] for row in rows]
        if filled:
            self.run("INSERT INTO answer VALUES (?, ?, ?)", filled)

    def members(self, *user_ids: str) -> None:
        """Let ``answer`` hold exactly these users."""
        self.answers((user_id,) for user_id in user_ids)
