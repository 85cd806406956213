"""Bring the store's schema up to date, by Alembic; and say what is wrong when it is not."""

from __future__ import annotations

import re
from pathlib import Path

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from sync.errors import SchemaError
from sync.store import event_schema, privacy_schema  # noqa: F401 - their tables join the metadata
from sync.store.engine import Database, begin_write, translated
from sync.store.revision import REVISIONS, current, head
from sync.store.schema import metadata

_MIGRATION_LOCK = 0x656E67616765
"""PostgreSQL advisory lock ("engage"): two processes migrating at once take turns."""


def scripts() -> ScriptDirectory:
    """Alembic's revisions: inside the package when installed from a wheel, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    config = Config()
    config.set_main_option("script_location", str(inside if inside.is_dir() else package.parent / "migrations"))
    return ScriptDirectory.from_config(config)


def migrate(database: Database, schema: str | None = None) -> tuple[str | None, str]:
    """Run what is missing, all or nothing; gives the revisions before and after."""
    directory = scripts()
    with translated(), database.engine.connect() as connection, begin_write(connection):
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            if schema:
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        before = current(connection)
        if before is not None and before not in REVISIONS:
            raise SchemaError(
                f"the store was written by a newer version of engage-sync (schema {before}): upgrade engage-sync"
            )
        if before is None:
            _refuse_strangers(connection)
        try:
            _upgrade(directory, connection)
        except DBAPIError as error:
            _refuse_names_taken(error)
            raise
    return before, head()


def _refuse_strangers(connection: Connection) -> None:
    """Our tables without our version mark are somebody else's: never build on top of them."""
    found = set(inspect(connection).get_table_names())
    # A SQLite file has no schemas to keep things apart: it is ours alone, or it is somebody's database.
    taken = sorted(found if connection.dialect.name == "sqlite" else found & set(metadata.tables))
    if taken:
        raise SchemaError(
            f"the store already holds tables of other origin ({', '.join(taken[:5])}): "
            "give engage-sync a database of its own, or on PostgreSQL a schema (`store: {url: …, schema: engage}`)"
        )


_TAKEN = re.compile(r'"?(\w+)"? already exists|there is already an? \w+ named (\w+)')


def _refuse_names_taken(error: DBAPIError) -> None:
    """An upgrade that finds something under a name of its own, made by somebody else since the store was set up."""
    taken = _TAKEN.search(str(error.orig))
    if taken:
        raise SchemaError(
            f"the store cannot be upgraded: it holds something of other origin that is called {taken[1] or taken[2]!r}, a name that "
            "engage-sync needs now: rename or move that; nothing was changed"
        ) from error


def _upgrade(directory: ScriptDirectory, connection: Connection) -> None:
    config = Config()
    config.attributes["connection"] = connection

    def steps(revision: str | tuple[str, ...], _: MigrationContext) -> list[object]:
        return list(directory._upgrade_revs("head", revision))  # type: ignore[arg-type]  # noqa: SLF001

    with EnvironmentContext(config, directory, fn=steps):
        directory.run_env()
