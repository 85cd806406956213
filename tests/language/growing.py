"""What is known at one instant, and more of it at the next: for asking whose answer may be another one now.

Rows arrive, late ones and some that are not due yet, new profiles and changed ones; between the two nothing else happens.
``Documents`` and ``Columns`` are databases for that, like those of ``databases``, with cursors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson
from sqlalchemy import Connection, NullPool, create_engine, text

from sync.language.sql import compile_changes, in_full
from sync.language.sql.layout import Layout
from sync.language.tree import Query
from sync.model.canonical import value_text
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import tables
from sync.source.scratch import Scratch
from tests.language.reference.cases import Case
from tests.language.reference.evaluate import Data, Object, evaluate
from tests.language.reference.tree import Definition, Span, inside
from tests.language.reference.values import instant
from tests.language.typed import Typed, cleaned

_DOCUMENTS = Tables(
    (EventsTable("query_events", "user_id", "timestamp", name="event", properties="properties", cursor="id"),),
    ProfilesTable("query_profiles", "user_id", cursor="changed", traits="traits"),
    collected=True,
)
_KNOWN, _CHANGED = 7, 8
"""Cursors of profiles."""
_NEAR = (timedelta(microseconds=-1), timedelta(0), timedelta(0), timedelta(microseconds=1))
_AGES = (timedelta(microseconds=1), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=40))


@dataclass(frozen=True, slots=True)
class Grown:
    """Two instants, and what was there at each; ``exact``: times are written as the store writes them."""

    since: datetime
    as_of: datetime
    before: Data
    now: Data
    exact: bool


def grown(cases: Sequence[Case], random: Random, *, exact: bool) -> Grown:
    """The data of cases as if it had come in two parts, the events of the first before the others."""
    case, as_of = cases[0], datetime.fromisoformat(cases[0].as_of)
    events = [each for each in map(_exactly, case.events) if each is not None] if exact else list(case.events)
    early = [random.random() < 0.8 for _ in events]
    first = [each for each, was_there in zip(events, early, strict=True) if was_there]
    then = [each for each, was_there in zip(events, early, strict=True) if not was_there]
    profiles = list({each["user_id"]: each for each in case.profiles if isinstance(each.get("user_id"), str)}.values())
    earlier = [_earlier(each, profiles, random) for each in profiles]
    before = Data([each for each in earlier if each is not None], first)
    since = _since(as_of, events, spans_of(cases), random)
    return Grown(since, as_of, before, Data(profiles, first + then), exact)


def _exactly(event: Object) -> Object | None:
    at = instant(event.get("timestamp"))
    return None if at is None else {**event, "timestamp": at.replace(tzinfo=None).isoformat(" ", "microseconds")}


def _earlier(profile: Object, profiles: Sequence[Object], random: Random) -> Object | None:
    """What a profile was before: the same, another one, or not there."""
    choice = random.random()
    if choice < 0.15:
        return None
    return {**profile, "traits": random.choice(profiles).get("traits")} if choice < 0.3 else profile


def _since(as_of: datetime, events: Sequence[Object], spans: Sequence[timedelta], random: Random) -> datetime:
    """Some time ago, mostly such that an event stands on the edge of a window, or a microsecond beside it."""
    times = [at for each in events if (at := instant(each.get("timestamp"))) is not None]
    edges = [at + span + random.choice(_NEAR) for at in times for span in (timedelta(0), *spans)]
    earlier = [each for each in edges if as_of - timedelta(days=15) < each < as_of]
    return random.choice(earlier) if earlier and random.random() < 0.7 else as_of - random.choice(_AGES)


def spans_of(cases: Sequence[Case]) -> list[timedelta]:
    """All that windows are long in the definitions."""
    definitions: list[Definition] = [each for case in cases for each in (case.definition, *_others(case).values())]
    return sorted({each.long for one in definitions for each in inside(one) if isinstance(each, Span)})


def answers(case: Case, data: Data, as_of: datetime) -> dict[str, Any]:
    """What the reference says of whom there is anything to say."""
    match evaluate(case.definition, data, as_of, _others(case)):
        case {"members": list(members)}:
            return dict.fromkeys(members, True)
        case {"values": dict(values)}:
            return values
    raise AssertionError(case.definition)


def _others(case: Case) -> dict[str, Definition]:
    return {key: other.definition for key, other in case.others.items()}


class Growing(ABC):
    """Such data in tables that vanish."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.engine = connection, tables.engine(connection.dialect.name)
        self.marks: Mapping[str, int] = {}

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Where what was loaded stands."""

    @abstractmethod
    def load(self, found: Grown) -> Grown:
        """Have all that is there now; gives what of it such tables can hold."""

    def in_full(self, query: Query) -> str | None:
        """Why it cannot be asked about changes alone."""
        return in_full(query, self.layout, profiles_cursor="changed")

    def changes(self, query: Query, found: Grown, *, overlap: int) -> dict[str, Any]:
        """The answer of each user whose answer may be another one; ``None`` where there is none.

        ``overlap``: so many of the events that were there before count as new.
        """
        asked = compile_changes(query, self.layout, self.engine, profiles_cursor="changed")
        bound = {each.bind: self.marks.get(each.table, _KNOWN + overlap) - overlap for each in asked.watched}
        times = {"as_of": self.engine.bound(found.as_of), "since": self.engine.bound(found.since)}
        rows = self.connection.execute(asked.statement, bound | times).all()
        told = {row[0]: _told(row[1:], asked.decoded) for row in rows}
        assert len(told) == len(rows)
        return told

    def _tell_changed(self, found: Grown, table: str, user_id: str) -> None:
        """Give each profile its cursor."""
        before = {each["user_id"]: each.get("traits") for each in found.before.profiles}
        update = text(f"UPDATE {table} SET changed = :changed WHERE {user_id} = :user_id")
        for each in found.now.profiles:
            known = each["user_id"] in before and before[each["user_id"]] == each.get("traits")
            self.connection.execute(update, {"changed": _KNOWN if known else _CHANGED, "user_id": each["user_id"]})


def _told(row: Sequence[Any], decoded: Sequence[Callable[[object], object]]) -> Any:
    present, *values = row
    if not decoded:
        return True if present else None
    (value,) = [decode(value) for decode, value in zip(decoded, values, strict=True)]
    assert bool(present) is (value is not None)
    return orjson.loads(value_text(value) or "null")


class Documents(Growing):
    """In JSON."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._scratch = Scratch(connection)
        connection.execute(text("ALTER TABLE query_profiles ADD COLUMN changed INTEGER"))
        connection.commit()
        self._layouts = [tables.layout(connection, _DOCUMENTS, exact_times=exact) for exact in (False, True)]
        self._exact = False

    @property
    def layout(self) -> Layout:
        return self._layouts[self._exact]

    def load(self, found: Grown) -> Grown:
        self._exact = found.exact
        self._scratch.load(found.now.profiles, found.now.events)
        self._tell_changed(found, "query_profiles", "user_id")
        self.marks = {"query_events": len(found.before.events) - 1}
        return found


class Columns(Growing):
    """In typed columns, one event in a table of its own; nothing says that nobody has two profiles."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._typed = Typed(connection)

    @property
    def layout(self) -> Layout:
        return self._typed.layout

    def load(self, found: Grown) -> Grown:
        early = [{**each, "early": True} for each in found.before.events]
        late = found.now.events[len(early) :]
        held, own = cleaned(Data(found.now.profiles, [*early, *late]))
        profiles, _ = cleaned(Data(found.before.profiles))
        before = [each for each in held.events if "early" in each]
        of_own = sum("early" in each for each in held.events[:own])
        self._typed.load(held, own)
        found = replace(found, before=Data(profiles.profiles, before), now=held)
        self._tell_changed(found, "customers", "id")
        self.marks = {"shoes_bought": of_own - 1, "all_events": own + len(before) - of_own - 1}
        return found


@contextmanager
def growing(engine: str, layout: str, postgresql: str) -> Iterator[Growing]:
    """An empty one on a connection of its own; ``postgresql`` is the URL of a server."""
    urls = {"sqlite": "sqlite://", "duckdb": "duckdb:///:memory:"}
    url = urls.get(engine, postgresql.replace("postgresql:", "postgresql+psycopg:"))
    with create_engine(url, poolclass=NullPool, enable_from_linting=False).connect() as connection:
        yield Documents(connection) if layout == "documents" else Columns(connection)
