"""By which columns the statements of a query get at the rows of its tables: what an index has to begin with to be of use."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sync.language.reads import nodes
from sync.language.sql.changes import in_full, watched
from sync.language.sql.edges import edges
from sync.language.sql.layout import Events, Layout
from sync.language.sql.unknown import drivers
from sync.language.tree import Between, Query, Within


@dataclass(frozen=True, slots=True)
class Access:
    """Rows of a table that are looked for. An index serves whose first columns are ``leading``, or any of ``others``.

    ``best`` are the columns of the one that serves best.
    """

    table: str
    leading: tuple[str, ...]
    best: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()


def accesses(query: Query, layout: Layout) -> Iterator[Access]:
    """What is looked for by more than one row at a time.

    A window, and whatever comes due between two runs, are found by time; the events of a parent event's user, and of those
    users for whom something can have changed, by user; new rows by their cursor.
    """
    cursor = None if layout.profiles is None else layout.profiles.cursor
    follows = in_full(query, layout, profiles_cursor=cursor) is None
    new = watched(query, layout, profiles_cursor=cursor) if follows else ()
    for each in new:
        yield Access(each.table, (each.cursor,), (each.cursor,))
    for events in layout.events:
        yield from _of_events(query, layout, events, follows=follows)
    if layout.profiles is not None and layout.profiles.table in [each.table for each in new]:
        user = layout.profiles.user_id
        yield Access(layout.profiles.table, (user,), (user,))


def _of_events(query: Query, layout: Layout, events: Events, *, follows: bool) -> Iterator[Access]:
    at, user = events.timestamp, events.user_id
    # Where all rows are of one event, it is not looked for by its name.
    name = () if events.name is None or events.event is not None else (events.name,)
    read = [moments for event, moments in edges(query).items() if events.may_hold(event)]
    if read and (follows or any(any(moments) for moments in read)):
        yield Access(events.table, (*name, at), (*name, at, user))
    if follows and drivers(query) is None and (name or not read):
        yield Access(events.table, (at,), (at, user))
    if read and layout.one_family and (follows or any(map(_of_parent, nodes(query)))):
        yield Access(events.table, (user,), (user, *name, at), ((*name, user),))


def _of_parent(node: object) -> bool:
    return isinstance(node, Within | Between) and node.of_parent
