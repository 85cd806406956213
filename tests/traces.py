"""Where a word still stands in a store: in the bytes of SQLite's files, in every column of PostgreSQL's tables."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from sync.store.engine import Database


def traces(database: Database, word: str) -> list[str]:
    """The files or tables that hold it."""
    if database.dialect == "sqlite":
        path = Path(str(database.engine.url.database))
        files = [each for each in sorted(path.parent.glob(f"{path.name}*")) if each.is_file()]
        return [each.name for each in files if word.encode() in each.read_bytes()]
    with database.read() as connection:
        tables = inspect(connection).get_table_names()
        holding = 'SELECT count(*) FROM "{}" t WHERE strpos(t::text, :word) > 0'
        return [
            name
            for name in sorted(tables)
            if connection.execute(text(holding.format(name)), {"word": word}).scalar_one()
        ]
