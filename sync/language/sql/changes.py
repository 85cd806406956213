"""Who can have another answer than at the last run, and what it is now; so that a refresh costs what has changed.

Between two instants a user's answer changes only with

- an event that is new: its row's cursor is above the mark that the last run left, whatever its time;
- an event that was there before and comes into a window or leaves one: see ``edges``. Where nothing limits a stream, it
  comes in when its time has come;
- a profile that is new or was changed, where traits are read; or, where the query says something of people of whom
  nothing is known, any event or profile at all: it may be the first that is known of somebody.

Candidates are found by these, each by an index of its own: (event, time), (cursor), (time) for queries about everybody.
Then the whole query is asked about the candidates alone, by the index (user, event, time). Too many candidates cost time;
one too few would be a change that is lost.

It all rests on the promise that a ``cursor`` makes: rows are only ever appended, in its order but for some lateness that
the mark leaves room for; and a profile's cursor rises with each change of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import (
    CTE,
    FromClause,
    Select,
    String,
    and_,
    bindparam,
    cast,
    false,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.types import NullType

from sync.language.reads import nodes, profile_traits
from sync.language.sql.branches import Tables, called, person
from sync.language.sql.compiler import as_it_is, compile_query
from sync.language.sql.edges import edges
from sync.language.sql.engine import Engine
from sync.language.sql.layout import WITHOUT_ORDER, Column, Events, Layout, Profiles
from sync.language.sql.unknown import drivers
from sync.language.sql.values import Expression
from sync.language.tree import Query, RecencyMatch, Stream

_NOW = timedelta(0)
_MOST = 20_000
"""SQLite has room for 65,535 mentions of a table, where each stream is mentioned up to three times."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A table whose new rows matter, its ``cursor`` column, and the ``bind`` for the value above which rows are new.

    What is bound must be comparable with the column: a number, or a text as the database writes it.
    """

    table: str
    cursor: str
    bind: str


@dataclass(frozen=True, slots=True)
class Changes:
    """``statement`` gives ``user_id``, ``present`` (whether there is an answer: they are a member, or have a value), of a
    trait ``value``, and what was asked for besides; one row for each user whose answer can have changed. What follows
    ``present`` is NULL where that is false.

    Binds: ``as_of``, ``since`` (the as_of of the last run, no later), and one for each of ``watched``.
    ``decoded`` makes of the columns after ``present`` what Python has for them.
    """

    statement: Select[Any]
    decoded: tuple[Callable[[object], object], ...]
    watched: tuple[Watched, ...]


def in_full(query: Query, layout: Layout, *, profiles_cursor: str | None) -> str | None:
    """Why a query cannot be refreshed by what has changed, and what to do about it; ``None`` when it can."""
    return next(_obstacles(query, layout, profiles_cursor), None)


def watched(query: Query, layout: Layout, *, profiles_cursor: str | None) -> tuple[Watched, ...]:
    """The tables whose new rows can change an answer, of a query that `in_full` has nothing to say about.

    Whoever refreshes, in full too, has to know their highest cursors for the next time.
    """
    found = dict.fromkeys((each.table, str(each.cursor)) for each in _events(query, layout))
    if (profiles := _profiles(query, layout)) is not None:
        found[profiles.table, str(profiles_cursor)] = None
    return tuple(Watched(*each, f"mark_{place}") for place, each in enumerate(found))


def compile_changes(
    query: Query,
    layout: Layout,
    engine: Engine,
    *,
    enrichment: Sequence[str] = (),
    profiles_cursor: str | None = None,
    unread: Collection[Watched] = (),
) -> Changes:
    """The SELECT of what can have changed, of a query that `in_full` has nothing to say about.

    ``unread`` are those `watched` that had no row at all at the last run: all of theirs are new, and no mark is bound.
    """
    marks = watched(query, layout, profiles_cursor=profiles_cursor)
    candidates = _Candidates(query, layout, engine, [each for each in marks if each not in unread]).all(profiles_cursor)

    def among(user: Expression) -> Expression:
        return user.in_(select(candidates.c.user_id))

    asked = compile_query(query, layout, engine, enrichment=enrichment, among=among)
    answer = asked.statement.subquery("answer")
    user_id, *others = answer.c
    statement = select(candidates.c.user_id, user_id.is_not(null()).label("present"), *others)
    statement = statement.select_from(candidates.outerjoin(answer, user_id == candidates.c.user_id))
    return Changes(statement, tuple(map(_if_any, asked.decoded)), tuple(each for each in marks if each not in unread))


def _if_any(decoded: Callable[[object], object]) -> Callable[[object], object]:
    return decoded if decoded is as_it_is else lambda value: None if value is None else decoded(value)


def _obstacles(query: Query, layout: Layout, profiles_cursor: str | None) -> Iterator[str]:
    for each in nodes(query):
        if isinstance(each, RecencyMatch):
            yield f"`{each.comparator}` counts from the time of the run: answers change although no row does"
    if _size(query, layout) > _MOST:
        yield "it reads so many streams of events that looking for what has changed in each costs more than it saves"
    for table in _events(query, layout):
        yield from _without_order("events", table.table, table.columns, table.cursor)
    if (profiles := _profiles(query, layout)) is not None:
        said = "reads traits of profiles" if profile_traits(query) else "says something of people without events too"
        for sentence in _without_order("profiles", profiles.table, profiles.columns, profiles_cursor):
            yield f"it {said}, and {sentence}"


def _size(query: Query, layout: Layout) -> int:
    """How many ways there are to be a candidate, times how often candidates are asked for: SQLite reads a statement so."""
    tables, moments = len(_events(query, layout)), sum(map(len, edges(query).values()))
    asked = len({each for each in nodes(query) if isinstance(each, Stream)})
    return (asked + tables) * (moments + tables)


def _without_order(kind: str, table: str, columns: Mapping[str, Column], cursor: str | None) -> Iterator[str]:
    if cursor is None:
        yield f"{kind} table {table!r} has no `cursor`, which tells new rows from old ones: name the column"
    elif cursor in columns and columns[cursor].type in WITHOUT_ORDER:
        yield f"the `cursor` of {kind} table {table!r}, {cursor!r}, has no order: name a column with numbers or instants"


def _events(query: Query, layout: Layout) -> list[Events]:
    """The tables of which a new row can matter."""
    if drivers(query) is None:
        return list(layout.events)
    return [table for table in layout.events if any(map(table.may_hold, edges(query)))]


def _profiles(query: Query, layout: Layout) -> Profiles | None:
    """The table with profiles, where a new or a changed one can matter."""
    return layout.profiles if drivers(query) is None or profile_traits(query) else None


class _Candidates:
    """Finds the users whose answer can have changed."""

    def __init__(self, query: Query, layout: Layout, engine: Engine, marks: Sequence[Watched]) -> None:
        self._query, self._layout, self._engine = query, layout, engine
        self._marks = {(each.table, each.cursor): each for each in marks}
        self._edges, self._everybody = edges(query), drivers(query) is None
        self._tables, self._numbers = Tables(engine, "_passing"), count(1)

    def all(self, profiles_cursor: str | None) -> CTE:
        """``user_id`` of each, once."""
        found: list[Select[Any]] = []
        for events in _events(self._query, self._layout):
            found += [self._arrived(events), *self._crossed(events)]
        if (profiles := _profiles(self._query, self._layout)) is not None:
            found.append(self._changed(profiles, str(profiles_cursor)))
        nobody = select(cast(null(), String).label("user_id")).where(false())
        return self._engine.computed_once(self._engine.united(found or [nobody]), "can_have_changed")

    def _arrived(self, events: Events) -> Select[Any]:
        """Users of new rows. Only of these is it asked what they are called: else an index of names might be taken."""
        rows = self._engine.table(events.table, list(events.columns)).alias(self._named("rows"))
        read = dict.fromkeys(each for each in (events.user_id, events.name, events.call) if each is not None)
        new = select(*(rows.c[each] for each in read)).where(*self._is_new(rows, events.table, str(events.cursor)))
        arrived = self._engine.computed_once(new, self._named("new_rows"))
        user, somebody = person(self._engine, events, self._layout, arrived)
        statement = select(user.label("user_id")).where(somebody)
        if self._everybody:
            return statement
        names = [list(called(self._engine, events, arrived, each)) for each in self._edges if events.may_hold(each)]
        return statement.where(or_(*(and_(true(), *each) for each in names)))

    def _is_new(self, rows: FromClause, table: str, cursor: str) -> list[Expression]:
        mark = self._marks.get((table, cursor))
        # Without a type: what it is compared with says what it is.
        return [] if mark is None else [rows.c[cursor] > bindparam(mark.bind, type_=NullType())]

    def _crossed(self, events: Events) -> Iterator[Select[Any]]:
        """Users of events that have come into a window, or left one."""
        if self._everybody:
            yield self._passing(events, None, _NOW)
        for event in filter(events.may_hold, self._edges):
            for distance in sorted(self._edges[event] - ({_NOW} if self._everybody else set())):
                yield self._passing(events, event, distance)

    def _passing(self, events: Events, event: str | None, distance: timedelta) -> Select[Any]:
        """Users of events, of all or of one name, that were younger than ``distance`` at the last run, and are not now."""
        engine = self._engine
        name = self._named("passing")
        rows, clock = self._tables.open(events, name)
        user, somebody = person(engine, events, self._layout, rows)
        named = [] if event is None else list(called(engine, events, rows, event))
        after, until = (engine.shifted(each, -distance) for each in (engine.instant("since"), engine.as_of))
        in_time = clock.passed(after, until, name) if named or events.event else clock.during(after, until)
        return select(user.label("user_id")).where(*named, *in_time, somebody)

    def _changed(self, profiles: Profiles, cursor: str) -> Select[Any]:
        """Users of profiles that are new or have changed."""
        engine = self._engine
        rows = engine.table(profiles.table, [profiles.user_id, cursor]).alias(self._named("changed"))
        user, somebody = person(engine, profiles, self._layout, rows)
        return select(user.label("user_id")).where(somebody, *self._is_new(rows, profiles.table, cursor))

    def _named(self, word: str) -> str:
        return f"{word}_{next(self._numbers)}"
