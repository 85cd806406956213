"""Where the events of one name stand: in one table, or in several that are read as one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import FromClause, Select, false, func, literal_column, or_, select, union_all

from sync.language.sql import flattened
from sync.language.sql.engine import Clock, Engine
from sync.language.sql.layout import Column, Events, Layout, Profiles, Type
from sync.language.sql.values import Expression, Found, opposite
from sync.language.tree import Between, Context, ExcludeSources, Property, Reduction, Stream, Within

Among = Callable[[Expression], Expression]
"""Condition: a user is one of those that are asked about."""

_VIEWS = {"Page Viewed": ("page", "page_name"), "Screen Viewed": ("screen", "screen_name")}
"""Events that are calls of their own: which, and what the name of what was viewed is called among the properties."""

_LONGEST = timedelta(days=3660)
"""Of longer windows, most tables hold nothing else."""


class Tables:
    """The tables with events, each prepared once for all that reads it. ``word``: sets these apart in one statement."""

    def __init__(self, engine: Engine, word: str = "") -> None:
        self._engine, self._word = engine, word
        self._timed: dict[tuple[str, str], tuple[FromClause, str | None]] = {}
        self._proven: dict[tuple[str | None, ...], Expression | None] = {}

    def open(self, events: Events, name: str) -> tuple[FromClause, Clock]:
        """The table under a name of its own, and the time of its events."""
        kind = events.columns[events.timestamp]
        key = events.table, events.timestamp
        if key not in self._timed:
            source = self._engine.table(events.table, list(events.columns))
            others = sum(table == events.table for table, _ in self._timed)  # by other times of the same rows
            own = events.table.replace(".", "_") + self._word + (f"_{others}" if others else "")
            self._timed[key] = self._engine.timed(source, events.timestamp, kind, own)
        found, at = self._timed[key]
        source = found.alias(name)
        return source, self._engine.clock(source.c[events.timestamp], kind, None if at is None else source.c[at])

    def proven(self, events: Events, event: str, name: str) -> Expression | None:
        """What is proven of when the events of the table were, once for all streams; of a table that holds several kinds, of
        those of this name."""
        named = None if events.event is not None else events.name
        key = (events.table, events.timestamp, named, None if named is None else event)
        if key not in self._proven:
            rows, clock = self.open(events, f"{name}_times")
            times = select(rows.c[events.timestamp])
            if named is not None:
                times = times.where(self._engine.equals(rows.c[named], events.columns[named], event))
            self._proven[key] = clock.proven(times, name)
        return self._proven[key]


class Branch(ABC):
    """The events of one name: what to select from, which of its rows are meant, and what they hold."""

    source: FromClause
    user: Expression
    clock: Clock
    order: Sequence[Expression]
    somebody: Sequence[Expression] = ()
    """The condition for its user to be somebody, unless there are no others."""
    conditions: Sequence[Expression]
    in_time: Sequence[Expression] = ()
    """Conditions too: that it is in the windows. They cost more than others, and hold for most rows that an index gives."""

    @abstractmethod
    def property(self, asked: Property | Context) -> Found:
        """A property of an event, or a piece of its context."""


def branch(
    engine: Engine,
    tables: Tables,
    layout: Layout,
    reduction: Reduction,
    among: Among | None,
    name: str,
    *,
    of_one: bool = False,
) -> Branch | None:
    """The events of a stream, but for what its filters say of each; ``None`` where no table can hold any.

    ``of_one``: they are asked for user by user.
    """
    stream = reduction.stream
    holding = [each for each in layout.events if each.may_hold(stream.event)]
    if of_one and len(holding) == 1:
        among = None  # whoever the one is, is among them
    names = [name] if len(holding) == 1 else [f"{name}_{place}" for place in range(len(holding))]
    found = [
        _OneTable(engine, tables, each, stream, layout, among, own, of_one=of_one)
        for each, own in zip(holding, names, strict=True)
    ]
    if len(found) > 1:
        return _SeveralTables(engine, found, sorted(set(_read(reduction)), key=repr), name)
    return found[0] if found else None


def seen(engine: Engine, tables: Tables, events: Events, layout: Layout, among: Among | None, name: str) -> Select[Any]:
    """``user_id`` of whoever has an event up to as_of, whatever its name."""
    source, clock = tables.open(events, name)
    user, somebody = person(engine, events, layout, source)
    conditions = [somebody, *clock.during(None, engine.as_of)]
    if among is not None:
        conditions.append(among(user))
    return select(user.label("user_id")).select_from(source).where(*conditions)


def person(engine: Engine, of: Events | Profiles, layout: Layout, rows: FromClause) -> tuple[Expression, Expression]:
    """The user of a row, and the condition for being somebody."""
    kind, as_text = of.columns[of.user_id], not layout.one_family
    user = engine.user(rows.c[of.user_id], kind, as_text=as_text)
    return user, engine.somebody(user, kind, as_text=as_text)


def called(engine: Engine, events: Events, rows: FromClause, event: str) -> Iterator[Expression]:
    """Conditions for being an event of this name, in a table that may hold some."""
    if events.name is not None:
        yield engine.equals(rows.c[events.name], events.columns[events.name], event)
    if events.call is not None and event in _VIEWS:
        yield engine.equals(rows.c[events.call], events.columns[events.call], _VIEWS[event][0])


def document_or_column(engine: Engine, source: FromClause, columns: Mapping[str, Column], path: Sequence[str]) -> Found:
    """What is called so among columns: one of that very name, or one of its first piece, with JSON in it."""
    whole, first = ".".join(path), path[0]
    if whole in columns:
        return engine.column(source.c[whole], columns[whole])
    if first in columns and columns[first].type in (Type.JSON, Type.JSONB, Type.ANY):
        return engine.document(source.c[first], columns[first], path[1:])
    return engine.nothing()


class _OneTable(Branch):
    def __init__(
        self,
        engine: Engine,
        tables: Tables,
        events: Events,
        stream: Stream,
        layout: Layout,
        among: Among | None,
        name: str,
        *,
        of_one: bool,
    ) -> None:
        self._engine, self._events, self._stream = engine, events, stream
        self.source, self.clock = tables.open(events, name)
        self.user, somebody = person(engine, events, layout, self.source)
        self.somebody = [somebody]
        ties = [self.source.c[each] for each in (events.cursor, events.message_id) if each is not None]
        self.order = [self.clock.at, *ties]
        self.conditions = [
            *called(engine, events, self.source, stream.event),
            *self._elsewhere(),
            *([] if among is None else [among(self.user)]),
        ]
        self.in_time = list(self._in_windows(tables, name, of_users=of_one or among is not None))

    def _in_windows(self, tables: Tables, name: str, *, of_users: bool) -> Iterator[Expression]:
        """Conditions: an event is in every window. By the first one, rows are looked for unless they are by their users."""
        for place, (after, until, length) in enumerate(_windows(self._engine, self._stream)):
            if of_users or place or (after is not None and length > _LONGEST):
                yield from self.clock.during(after, until, of_users=of_users)
            elif after is None:
                yield from self.clock.up_to(until, tables.proven(self._events, self._stream.event, name))
            else:
                yield from self.clock.looked_for(after, until, name)

    def _elsewhere(self) -> Iterator[Expression]:
        """Conditions: an event comes from none of the excluded sources."""
        for each in self._stream.filters:
            if isinstance(each, ExcludeSources) and self._events.source is not None:
                own, kind = self.source.c[self._events.source], self._events.columns[self._events.source]
                yield opposite(or_(false(), *(self._engine.equals(own, kind, name) for name in each.ids)))

    def property(self, asked: Property | Context) -> Found:
        if isinstance(asked, Context):
            return self._context(asked.path)
        events = self._events
        if events.title is not None and _VIEWS.get(self._stream.event, ("", ""))[1] == asked.path[0]:
            return self._titled(asked.path)
        if events.flattened:
            return flattened.property_or_trait(self._engine, self.source, events.columns, asked.path)
        if events.properties is not None:
            return self._engine.document(
                self.source.c[events.properties], events.columns[events.properties], asked.path
            )
        columns = {key: kind for key, kind in events.columns.items() if key not in self._taken()}
        return document_or_column(self._engine, self.source, columns, asked.path)

    def cursor(self) -> Expression:
        """What settles which of two events at one instant came first, to be compared with those of the same table."""
        own = self._events.cursor
        if own is None:
            return self._engine.nothing().carried()
        return self._engine.column(self.source.c[own], self._events.columns[own]).carried()

    def _taken(self) -> tuple[str | None, ...]:
        return (self._events.user_id, self._events.timestamp, self._events.name)

    def _titled(self, path: Sequence[str]) -> Found:
        """A page's name, else what the properties say that it is."""
        events, engine = self._events, self._engine
        own = events.title or ""
        if events.flattened:
            return engine.column(self.source.c[own], events.columns[own])
        title = engine.document(self.source.c[own], events.columns[own], ()).carried()
        if events.properties is None:
            return engine.carried(title)
        told = engine.document(self.source.c[events.properties], events.columns[events.properties], path)
        return engine.carried(func.coalesce(title, told.carried())) if len(path) == 1 else told

    def _context(self, path: Sequence[str]) -> Found:
        events = self._events
        if events.flattened:
            return flattened.context(self._engine, self.source, events.columns, path)
        if events.context is not None:
            return self._engine.document(self.source.c[events.context], events.columns[events.context], path)
        flat = "_".join(("context", *path))
        found = events.columns.get(flat)
        return self._engine.nothing() if found is None else self._engine.column(self.source.c[flat], found)


class _SeveralTables(Branch):
    """Several tables have events of this name: each gives what is read of them in one form."""

    def __init__(
        self, engine: Engine, tables: Sequence[_OneTable], read: Sequence[Property | Context], name: str
    ) -> None:
        self._engine = engine
        self._places = {each: f"value_{place}" for place, each in enumerate(read)}
        parts = []
        for number, each in enumerate(tables):
            place: Expression = literal_column(str(number))
            columns = [each.user.label("user_id"), each.clock.at.label("at"), place.label("place")]
            columns.append(each.cursor().label("cursor"))
            columns += [each.property(asked).carried().label(label) for asked, label in self._places.items()]
            parts.append(
                select(*columns).select_from(each.source).where(*each.somebody, *each.conditions, *each.in_time)
            )
        self.source = union_all(*parts).subquery(name)
        found = self.source.c
        self.user, self.clock, self.conditions = found.user_id, engine.instants(found.at), ()
        cursor = engine.carried(found.cursor)
        self.order = [each for each in (found.at, found.place, cursor.number, cursor.text) if each is not None]

    def property(self, asked: Property | Context) -> Found:
        return self._engine.carried(self.source.c[self._places[_own(asked)]])


def _windows(engine: Engine, stream: Stream) -> Iterator[tuple[Expression | None, Expression, timedelta]]:
    """The windows of a stream that end some time before as_of, with their lengths; without any, as_of is the only end."""
    found = False
    for each in stream.filters:
        match each:
            case Within(duration, False):
                found = True
                yield engine.shifted(engine.as_of, -duration.delta), engine.as_of, duration.delta
            case Between(near, far, False):
                found = True
                begin, end = (engine.shifted(engine.as_of, -each.delta) for each in (far, near))
                yield begin, end, far.delta - near.delta
    if not found:
        yield None, engine.as_of, timedelta.max


def _own(asked: Property | Context) -> Property | Context:
    return type(asked)(asked.name)


def _read(node: object) -> Iterator[Property | Context]:
    """Whatever is read of events anywhere inside: more than is needed, and never less."""
    if isinstance(node, Property | Context):
        yield _own(node)
    elif isinstance(node, tuple):
        for each in node:
            yield from _read(each)
    elif is_dataclass(node):
        for field in fields(node):
            yield from _read(getattr(node, field.name))
