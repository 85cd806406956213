"""A schema that Segment or RudderStack fills: which of its tables hold what a query reads.

Nothing of it is in the configuration, so it is looked for each time: tables and columns come with the first event that
needs them. A table that is not there holds no events.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches

from sqlalchemy import Connection, text

from sync.errors import QueryError
from sync.language import reads
from sync.language.sql.layout import Column
from sync.language.tree import Query
from sync.model.feed import EventsTable, ProfilesTable, Tables, Warehouse
from sync.model.warehouse import STANDARD_TABLES, spelled, spellings
from sync.source.tables import columns_of

_VIEWS = {"Page Viewed": "pages", "Screen Viewed": "screens"}
"""Events that are calls of their own, and their tables."""

_INSTANTS = ("timestamp", "received_at")
"""When it happened: the first of them that is there."""

_LOADED = ("uuid_ts", "loaded_at", "received_at")
"""When a row came into the warehouse, or as near to it as can be told: the first of them that is there."""

_ALWAYS = ("tracks", "pages", "screens", "users", "identifies")
_MOST_NAMES = 3

_NAMES = {
    "sqlite": "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY 1",
    "postgresql": """
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
AND CASE WHEN CAST(:schema AS text) = '' THEN pg_table_is_visible(c.oid) AND n.nspname NOT LIKE 'pg\\_%'
  AND n.nspname <> 'information_schema' ELSE n.nspname = :schema END ORDER BY 1""",
    "duckdb": """
SELECT table_name FROM information_schema.tables
WHERE table_schema = CASE WHEN :schema = '' THEN current_schema() ELSE :schema END
AND table_catalog = current_database() ORDER BY 1""",
    "mysql": """
SELECT table_name FROM information_schema.tables
WHERE table_schema = CASE WHEN :schema = '' THEN DATABASE() ELSE :schema END ORDER BY 1""",
}


def resolved(connection: Connection, tables: Tables, query: Query, enrichment: Iterable[str] = ()) -> Tables:
    """The tables that a query reads, found by their names where there is a warehouse; raises `QueryError` for none."""
    if tables.warehouse is None:
        return tables
    schema = _Schema(connection, tables.warehouse)
    own = [found for event in sorted(reads.events(query)) if (found := schema.events(event)) is not None]
    people = schema.people([*reads.profile_traits(query), *(name.split(".") for name in enrichment)])
    return replace(tables, events=(*own, *schema.everybody(own)), profiles=people, warehouse=None)


def standard_tables(connection: Connection, warehouse: Warehouse) -> list[str]:
    """Those tables that are there whatever the events are; raises `QueryError` where there is none."""
    schema = _Schema(connection, warehouse)
    return [each for each in _ALWAYS if each in schema.names]


def unknown(connection: Connection, tables: Tables, query: Query) -> Mapping[str, list[str]]:
    """The events of a query for which a warehouse has no table, and the tables with names that come close."""
    if tables.warehouse is None:
        return {}
    schema = _Schema(connection, tables.warehouse)
    missing = [event for event in sorted(reads.events(query)) if schema.events(event) is None]
    return {event: schema.nearest(event) for event in missing}


class _Schema:
    """The tables of one schema, by their names as they would be compared."""

    def __init__(self, connection: Connection, warehouse: Warehouse) -> None:
        self._connection, self._warehouse = connection, warehouse
        asked = {"schema": warehouse.schema or ""}
        names = connection.execute(text(_NAMES[connection.dialect.name]), asked)
        # Nobody's table of events has a dot in its name, which here would mean a schema.
        self.names = {str(name).casefold(): str(name) for (name,) in names if "." not in str(name)}
        self._columns: dict[str, Mapping[str, Column]] = {}
        if not any(each in self.names for each in _ALWAYS):
            where = (
                "where names are looked up, there is"
                if warehouse.schema is None
                else f"schema {warehouse.schema!r} has"
            )
            raise QueryError(
                f"{where} no table that Segment or RudderStack fills ({', '.join(_ALWAYS)}): "
                "name the schema that holds them with `schema`"
            )

    def events(self, event: str) -> EventsTable | None:
        """The table with the events of a name; `None` when there is none, so that it never happened."""
        if event in _VIEWS:
            return self._of_calls(_VIEWS[event], event)
        name = spelled([event], self._own())
        found = None if name is None else self._table(name)
        if found is None:
            return None
        told = "event_text" if "event_text" in self._columns_of(name or "") else None
        return replace(found, event=event, name=told)

    def everybody(self, known: Collection[EventsTable]) -> Iterator[EventsTable]:
        """What else tells who had events: of track calls one table, or all of those that there are."""
        taken = {each.table for each in known}
        calls = [name for name in ("tracks", "pages", "screens") if name in self.names]
        for name in calls if "tracks" in calls else [*calls, *self._own()]:
            found = self._table(name)
            if found is not None and found.table not in taken:
                yield replace(found, summary=True)

    def people(self, traits: Iterable[Sequence[str]]) -> ProfilesTable | None:
        """Whoever was identified: one row for each person, or else whatever was said of them, one row for each time."""
        for name, user_id in (("users", "id"), ("identifies", "user_id")):
            columns = self._columns_of(name)
            if user_id not in columns:
                continue
            cursor = next((each for each in _LOADED if each in columns), None)
            found = ProfilesTable(
                self._qualified(name), user_id, cursor, warehouse=True, lateness=self._warehouse.lateness
            )
            newest = tuple(each for each in ("received_at", "id") if each in columns)
            return found if name == "users" else replace(found, newest_by=newest, columns=self._read(columns, traits))
        return None

    def _read(self, columns: Mapping[str, Column], traits: Iterable[Sequence[str]]) -> tuple[str, ...]:
        """The columns that hold traits, or the JSON in which they stand."""
        paths = [path[:steps] for path in traits for steps in range(1, len(path) + 1)]
        found = (spelled(path, columns) for path in paths)
        return tuple(dict.fromkeys(each for each in found if each is not None))

    def nearest(self, event: str) -> list[str]:
        """The names of tables that come close to what an event's table would be called."""
        return get_close_matches((spellings([event]) or [""])[0], self._own(), n=_MOST_NAMES)

    def _of_calls(self, name: str, event: str) -> EventsTable | None:
        found = self._table(name)
        title = "name" if "name" in self._columns_of(name) else None
        return None if found is None else replace(found, event=event, title=title)

    def _own(self) -> list[str]:
        """The tables that may be of one event each."""
        return [each for each in self.names if each not in STANDARD_TABLES]

    def _table(self, name: str) -> EventsTable | None:
        """A table whose rows are events of somebody; `None` for anything else."""
        columns = self._columns_of(name)
        at = next((each for each in _INSTANTS if each in columns), None)
        if at is None or "user_id" not in columns:
            return None
        cursor = next((each for each in _LOADED if each in columns), None)
        lateness = self._warehouse.lateness
        return EventsTable(self._qualified(name), "user_id", at, cursor=cursor, lateness=lateness, warehouse=True)

    def _columns_of(self, name: str) -> Mapping[str, Column]:
        if name not in self.names:
            return {}
        if name not in self._columns:
            self._columns[name] = columns_of(self._connection, self._qualified(name), warehouse=True)
        return self._columns[name]

    def _qualified(self, name: str) -> str:
        own = self.names[name]
        return own if self._warehouse.schema is None else f"{self._warehouse.schema}.{own}"
