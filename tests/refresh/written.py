"""Where histories are written: a customer's typed tables, or the log of what our API has collected."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, delete, insert, text

from sync.source.connection import Source
from sync.source.tables import COLLECTED
from sync.store.engine import Database
from sync.store.event_schema import event, profile
from tests.language.reference.evaluate import Object
from tests.language.reference.values import instant
from tests.language.typed import TABLES, Typed, following
from tests.refresh.histories import History, Step


class OwnTables:
    """Tables of a customer, at ``url``, which ``connection`` may write."""

    def __init__(self, connection: Connection, url: str) -> None:
        self._connection, self._url = connection, url

    def begin(self, history: History) -> None:
        for name in TABLES:
            self._connection.execute(text(f"DROP TABLE IF EXISTS {name}"))
        self._tables = Typed(self._connection, temporary=False)
        self._source = Source("shop", self._url, 60.0, tables=following(history.lateness))

    def write(self, step: Step) -> None:
        for name, rows in step.rows.items():
            self._tables.insert(name, rows)
        for user in step.profiles:
            self._connection.execute(text("DELETE FROM customers WHERE id = :user"), {"user": user})
        self._tables.insert("customers", list(step.profiles.values()))
        self._connection.commit()

    def source(self, database: Database) -> Source:
        return self._source

    def break_promise(self, chance: float) -> bool:
        return self._tables.break_promise(chance)


class Collected:
    """The log in each of the stores themselves."""

    def __init__(self, sources: dict[Database, tuple[str, str | None]]) -> None:
        self._databases = list(sources)
        self._sources = {
            database: Source("collector", url, 60.0, schema=schema, tables=COLLECTED)
            for database, (url, schema) in sources.items()
        }

    def begin(self, history: History) -> None:
        for database in self._databases:
            with database.write() as connection:
                connection.execute(delete(event))
                connection.execute(delete(profile))

    def write(self, step: Step) -> None:
        for database in self._databases:
            with database.write() as connection:
                for cursor, raw in step.rows["event"]:
                    connection.execute(insert(event).values(_event(connection, cursor, raw, step)))
                for user, traits, _ in step.profiles.values():
                    at = {"created_at": step.clock, "updated_at": step.clock}
                    known = {"traits": _document(connection, traits), "times": _document(connection, {})}
                    connection.execute(delete(profile).where(profile.c.user_id == user))
                    connection.execute(insert(profile).values(user_id=user, **known, **at))

    def source(self, database: Database) -> Source:
        return self._sources[database]

    def break_promise(self, chance: float) -> bool:
        return False


def _event(connection: Connection, cursor: int, raw: Object, step: Step) -> dict[str, Any]:
    kind, name = str(raw.get("type", "track")), raw.get("event")
    views = {"page": "Page Viewed", "screen": "Screen Viewed"}
    return {
        "id": cursor,
        "source": raw.get("projectId") or "web",
        "message_id": f"m{cursor}",
        "type": kind,
        "name": name if kind == "track" and isinstance(name, str) else views.get(kind),
        "user_id": raw.get("userId"),
        "timestamp": instant(raw["timestamp"]),
        "received_at": step.clock,
        "lane": 0,
        "collected": True,
        "body": _document(connection, raw),
    }


def _document(connection: Connection, document: object) -> object:
    return document if connection.dialect.name == "postgresql" else orjson.dumps(document).decode()
