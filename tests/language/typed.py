"""The world of random data in a customer's own tables: typed columns, and a table of its own for one event.

Half of ``Shoes Bought`` stands in a table of its own, the other half with all other events. What fits into no typed column
is left out for the reference as well; an instant is the text that its column means.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import Connection, text

from sync.language.sql import compile_query
from sync.language.tree import Query
from sync.model.canonical import value_text
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import tables
from tests.language.reference.evaluate import Data, Event, Object
from tests.language.reference.values import instant, sort_of

OWN = "Shoes Bought"
TABLES = ("shoes_bought", "all_events", "customers")


def following(lateness: float, cursor: str | None = "changed") -> Tables:
    """What these tables mean, with what they promise."""
    return Tables(
        (
            EventsTable("shoes_bought", "who", "happened", event=OWN, cursor="n", lateness=lateness),
            EventsTable(
                "all_events", "user_id", "ts", name="event_name", properties="props", cursor="id", lateness=lateness
            ),
        ),
        ProfilesTable("customers", "id", cursor=cursor, lateness=lateness),
    )


_PROPERTIES = {
    "price": "number",
    "spend": "number",
    "Größe": "number",
    "gift": "boolean",
    "due": "date",
    "brand": "text",
    "code": "text",
    'it\'s "odd" $%': "text",
    "details": "json",
    "products": "json",
}
_TRAITS = {
    "total_spend": "number",
    "avg_spend": "number",
    "vip": "boolean",
    "birthday": "date",
    "email": "text",
    "address": "json",
    "tags": "json",
}
_TYPES = {
    "sqlite": {"number": "NUMERIC", "text": "TEXT", "boolean": "BOOLEAN", "date": "TEXT", "json": "JSON"},
    "postgresql": {"number": "FLOAT8", "text": "TEXT", "boolean": "BOOLEAN", "date": "TIMESTAMPTZ", "json": "JSONB"},
    "duckdb": {"number": "DOUBLE", "text": "VARCHAR", "boolean": "BOOLEAN", "date": "TIMESTAMP", "json": "JSON"},
}


def cleaned(data: Data, *, any_text: bool = False) -> tuple[Data, int]:
    """What typed tables can hold of it, and how many of the events stand in a table of their own: the first ones.

    ``any_text``: their times too may be any.
    """
    profiles = {each["user_id"]: each for each in data.profiles if isinstance(each.get("user_id"), str)}
    own, others = [], []
    for place, raw in enumerate(data.events):
        event = {key: value for key, value in raw.items() if key != "projectId"}
        at = raw.get("timestamp")
        if instant(at) is None and not (any_text and isinstance(at, str)):
            continue
        if event.get("event") == OWN and event.get("type") == "track" and place % 2:
            own.append({**event, "properties": _fitting(event.get("properties"), _PROPERTIES)})
        else:
            others.append(event)
    people = [{**each, "traits": _fitting(each.get("traits"), _TRAITS)} for each in profiles.values()]
    return Data(people, own + others), len(own)


def _fitting(document: object, columns: Mapping[str, str]) -> Object:
    found = document if isinstance(document, dict) else {}
    return {name: _fits(found.get(name), sort) for name, sort in columns.items()}


def _fits(value: object, sort: str) -> object:
    if sort == "date":
        at = instant(value)
        return None if at is None else at.isoformat().replace("+00:00", "Z").replace(".500000", ".5")
    return value if sort == "json" or sort_of(value) == sort else None


class Typed:
    """Such tables on a connection; whoever gives the connection takes them away, with it where they are ``temporary``."""

    def __init__(self, connection: Connection, *, temporary: bool = True) -> None:
        self.connection, self._dialect = connection, connection.dialect.name
        types = _TYPES[self._dialect]
        own = {"n": "number", "who": "text", "happened": "date", **_PROPERTIES, "context": "json"}
        everything = {"id": "number", "user_id": "text", "event_name": "text", "ts": "date", "props": "json"}
        self._columns = {
            "customers": {"id": "text", **_TRAITS, "changed": "number"},
            "shoes_bought": own,
            "all_events": {**everything, "context": "json"},
        }
        for name, columns in self._columns.items():
            listed = ", ".join(f"{_quoted(column)} {types[sort]}" for column, sort in columns.items())
            kind = "TEMPORARY TABLE" if temporary else "TABLE"
            connection.exec_driver_sql(f"CREATE {kind} {name} ({listed})".replace("%", self._percent))
        if self._dialect == "sqlite":  # where windows are looked for in another way if there are such indexes
            for index in ("shoes_bought (happened)", "all_events (event_name, ts)"):
                connection.exec_driver_sql(f"CREATE INDEX {index.partition(' ')[0]}_in_time ON {index}")
        connection.commit()  # an error takes back what was loaded, and not the tables
        self.layout = tables.layout(connection, following(0))
        self.engine = tables.engine(self._dialect)

    @property
    def _percent(self) -> str:
        return "%%" if self._dialect == "postgresql" else "%"

    def load(self, data: Data, own: int) -> None:
        """Have this, which is ``cleaned``."""
        for name, rows in rows_of(data, own).items():
            self.connection.execute(text(f"DELETE FROM {name}"))
            self.insert(name, rows)

    def insert(self, name: str, rows: Sequence[Sequence[Any]]) -> None:
        """Have these rows besides."""
        types, columns = _TYPES[self._dialect], self._columns[name]
        places = ", ".join(f"CAST(:p{place} AS {types[sort]})" for place, sort in enumerate(columns.values()))
        if self._dialect == "sqlite":
            places = ", ".join(f":p{place}" for place in range(len(columns)))
        for row in rows:
            given = {
                f"p{place}": self._given(*each) for place, each in enumerate(zip(row, columns.values(), strict=True))
            }
            self.connection.execute(text(f"INSERT INTO {name} VALUES ({places})"), given)

    def break_promise(self, chance: float) -> bool:
        """Change some old rows as nobody may, delete others; whether there are any. The newest stays: it would be noticed."""
        found = 0
        for name, cursor, user in (("shoes_bought", "n", "who"), ("all_events", "id", "user_id")):
            old = f"{cursor} < (SELECT max({cursor}) FROM {name})"
            some = f"CAST({cursor} AS INTEGER) % 3 = {int(chance * 3)}"
            found += self.connection.execute(text(f"DELETE FROM {name} WHERE {old} AND {some}")).rowcount
            moved = f"UPDATE {name} SET {user} = 'u1' WHERE {old} AND CAST({cursor} AS INTEGER) % 5 = 0"
            found += self.connection.execute(text(moved)).rowcount
        self.connection.commit()
        return found > 0

    def _given(self, value: object, sort: str) -> object:
        if value is None:
            return None
        if sort == "json":
            return json.dumps(value)
        if sort == "date" and self._dialect == "duckdb":
            at = instant(value)
            assert at is not None
            return at.replace(tzinfo=None)
        return value

    def answer(self, query: Query, as_of: str) -> object:
        """In the shape of the reference's."""
        found = compile_query(query, self.layout, self.engine)
        asked = {"as_of": self.engine.bound(datetime.fromisoformat(as_of))}
        rows = self.connection.execute(found.statement, asked).all()
        if not found.decoded:
            return {"kind": "audience", "members": sorted(row[0] for row in rows)}
        (decoded,) = found.decoded
        return {
            "kind": "trait",
            "values": {row[0]: orjson.loads(value_text(decoded(row[1])) or "null") for row in rows},
        }


def rows_of(data: Data, own: int) -> dict[str, list[list[Any]]]:
    """What stands in each table. The first column of an event is its cursor, the last one of a customer too."""
    rows: dict[str, list[list[Any]]] = {"customers": [], "shoes_bought": [], "all_events": []}
    for each in data.profiles:
        traits: Any = each["traits"]
        rows["customers"].append([each["user_id"], *traits.values(), None])
    for place, raw in enumerate(data.events):
        event = Event(raw, datetime.min.replace(tzinfo=UTC), place)
        who, at, properties, context = raw.get("userId"), raw["timestamp"], event.properties, raw.get("context")
        if place < own:
            rows["shoes_bought"].append([place, who, at, *properties.values(), context])  # type: ignore[attr-defined]
        else:
            rows["all_events"].append([place, who, event.name, at, properties, context])
    return rows


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
