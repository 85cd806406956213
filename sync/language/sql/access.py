"""By which columns the statements of a query get at the rows of its tables, and which of their columns they read: what an
index has to begin with to be of use, and what it has to hold to be read instead of the table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import ClauseElement, ColumnClause, FromClause, Select, TableClause

from sync.language.reads import nodes
from sync.language.sql.changes import in_full, watched
from sync.language.sql.compiler import compile_query
from sync.language.sql.edges import edges
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Events, Layout, Type
from sync.language.sql.unknown import drivers
from sync.language.tree import Between, Query, Within

_DOCUMENTS = (Type.JSON, Type.JSONB)


@dataclass(frozen=True, slots=True)
class Access:
    """Rows of a table that are looked for. An index serves whose first columns are ``leading``, or any of ``others``.

    ``best`` are the columns of the one that serves best. ``beside``: what else is read of rows that are looked for user by
    user at each refresh of what has changed; ``None`` where that is not so, or where it is more than an index should hold.
    """

    table: str
    leading: tuple[str, ...]
    best: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()
    beside: frozenset[str] | None = None


def accesses(query: Query, layout: Layout, engine: Engine) -> Iterator[Access]:
    """What is looked for by more than one row at a time.

    A window, and whatever comes due between two runs, are found by time; the events of a parent event's user, and of those
    users for whom something can have changed, by user; new rows by their cursor.
    """
    cursor = None if layout.profiles is None else layout.profiles.cursor
    follows = in_full(query, layout, profiles_cursor=cursor) is None
    new = watched(query, layout, profiles_cursor=cursor) if follows else ()
    read = _read(query, layout, engine) if follows else None
    for each in new:
        yield Access(each.table, (each.cursor,), (each.cursor,))
    for events in layout.events:
        yield from _of_events(query, layout, events, read)
    if layout.profiles is not None and layout.profiles.table in [each.table for each in new]:
        user = layout.profiles.user_id
        yield Access(layout.profiles.table, (user,), (user,))


def _of_events(
    query: Query, layout: Layout, events: Events, looked_up: Mapping[str, frozenset[str]] | None
) -> Iterator[Access]:
    """``looked_up``: what is read of those users for whom something can have changed, where that can be told."""
    at, user, follows = events.timestamp, events.user_id, looked_up is not None
    # Where all rows are of one event, it is not looked for by its name.
    name = () if events.name is None or events.event is not None else (events.name,)
    read = [moments for event, moments in edges(query).items() if events.may_hold(event)]
    if read and (follows or any(any(moments) for moments in read)):
        yield Access(events.table, (*name, at), (*name, at, user))
    if follows and drivers(query) is None and (name or not read):
        yield Access(events.table, (at,), (at, user))
    if read and layout.one_family and (follows or any(map(_of_parent, nodes(query)))):
        best = (user, *name, at)
        beside = None if looked_up is None else _beside(events, best, looked_up.get(events.table, frozenset()))
        yield Access(events.table, (user,), best, ((*name, user),), beside)


def _of_parent(node: object) -> bool:
    return isinstance(node, Within | Between) and node.of_parent


def _beside(events: Events, best: tuple[str, ...], read: frozenset[str]) -> frozenset[str] | None:
    documents = {events.properties, events.context}
    if any(each in documents or events.columns[each].type in _DOCUMENTS for each in read):
        return None
    return read - set(best)


def _read(query: Query, layout: Layout, engine: Engine) -> Mapping[str, frozenset[str]]:
    """The columns of each table with events that the statement mentions which is asked about some users."""
    asked = compile_query(query, layout, engine, among=lambda user: user.is_not(None)).statement
    found: dict[str, set[str]] = {each.table: set() for each in layout.events}
    own = {each.table: each.columns for each in layout.events}
    for each in _parts(asked):
        if isinstance(each, ColumnClause):
            table = _table(each.table)
            if table in found and each.name in own[table]:  # what is worked out of a row has another name
                found[table].add(each.name)
    return {table: frozenset(columns) for table, columns in found.items()}


def _parts(whole: ClauseElement) -> Iterator[ClauseElement]:
    """Everything in a statement, each part once, however often it is mentioned."""
    seen, waiting = {id(whole): whole}, [whole]
    while waiting:
        part = waiting.pop()
        yield part
        fresh = [each for each in part.get_children() if id(each) not in seen]
        seen.update((id(each), each) for each in fresh)
        waiting += fresh


def _table(rows: FromClause | None) -> str | None:
    """The table whose rows have been given a name, by themselves or with something that is worked out of each."""
    inside = getattr(rows, "element", None)
    if isinstance(inside, Select):
        inside = inside.get_final_froms()[0] if len(inside.get_final_froms()) == 1 else None
    return inside.fullname if isinstance(inside, TableClause) else None
