"""Indexes that queries would use, and that their source has not: with the statement that makes them.

Only of tables that are worth one, and where the database would use it: views, and what is computed, have none. For users
who are looked up at each refresh of what has changed there is one for all queries of a table: where it holds the few
columns that they read, the table itself is not read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from sqlalchemy import Connection

from sync.language.sql.access import Access, accesses
from sync.language.sql.layout import Layout, Type
from sync.model.definition import Definition
from sync.source.indexed import Index, everywhere, indexes, is_large, kind, plain, virtual
from sync.source.lengths import short
from sync.source.names import quoted, quoted_column
from sync.source.questions import Posed
from sync.source.tables import engine

MOST_HELD = 4
"""Columns that an index should hold besides those by which it is in order."""

_DATES = (Type.DATE, Type.TIMESTAMP, Type.INSTANT)
_LONGEST_NAME = 63
"""Bytes, on PostgreSQL."""


@dataclass(frozen=True, slots=True)
class Lacking:
    """An index that is not there: what it must begin with, the statement that makes the best one, and who would use it.

    ``read``: the columns that are read besides, where an index is there that begins so, but does not hold all of them.
    ``unlimited``: the columns that it would hold and that nothing keeps short, where the database refuses a row too long.
    """

    table: str
    leading: tuple[str, ...]
    read: tuple[str, ...]
    statement: str
    wanted_by: tuple[Definition, ...]
    unlimited: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Wish:
    """A definition that looks for rows, and what it reads of them ``beside``."""

    definition: Definition
    beside: frozenset[str] | None

    def is_met(self, connection: Connection, access: Access, there: Sequence[Index]) -> bool:
        """Whether an index is all that is read, if that is wanted."""
        read = frozenset(plain(connection, (*access.best, *(self.beside or ()))))
        return self.beside is None or any(read <= index.holds for index in there)


def lacking(connection: Connection, asked: Sequence[tuple[Definition, Posed]]) -> Iterator[Lacking]:
    """The indexes that queries of a source would use if they were there; nothing but on SQLite and PostgreSQL."""
    if connection.dialect.name not in ("sqlite", "postgresql"):
        return
    wishes: dict[Access, list[_Wish]] = {}
    for definition, found in asked:
        for access in dict.fromkeys(accesses(found.query, found.layout, engine(found.dialect))):
            if _is_of_use(connection, found.layout, access):
                wishes.setdefault(replace(access, beside=None), []).append(_Wish(definition, access.beside))
    for access, every in wishes.items():
        yield from _lacking(connection, access, every)


def _is_of_use(connection: Connection, layout: Layout, access: Access) -> bool:
    """On PostgreSQL, a time that is kept as a text is computed."""
    times = {each.timestamp: each.columns[each.timestamp] for each in layout.events if each.table == access.table}
    computed = [name for name, kind in times.items() if kind.type not in _DATES]
    return connection.dialect.name == "sqlite" or not set(computed) & set(access.leading)


def _lacking(connection: Connection, access: Access, wishes: Sequence[_Wish]) -> Iterator[Lacking]:
    """One index for all that is wanted, if it is not there."""
    leading = [plain(connection, each) for each in (access.leading, *access.others)]
    there = [each for each in indexes(connection, access.table) if any(map(each.begins_with, leading))]
    unmet = [each for each in wishes if not there or not each.is_met(connection, access, there)]
    sort = kind(connection, access.table)
    if not unmet or sort is None or not is_large(connection, access.table):
        return
    never = virtual(connection, access.table)
    if never.intersection(access.best):
        return
    served, held, unlimited = _served(connection, access, wishes, never)
    wanted_by = tuple(each.definition for each in unmet if not there or each in served)
    if wanted_by:
        statement = _statement(connection, access, sort, held)
        read = tuple(each for each in (*access.best, *held) if each not in access.leading) if there else ()
        yield Lacking(access.table, access.leading, read, statement, wanted_by, unlimited)


def _served(
    connection: Connection, access: Access, wishes: Sequence[_Wish], never: frozenset[str]
) -> tuple[list[_Wish], tuple[str, ...], tuple[str, ...]]:
    """Those for whom one index can hold all that they read, who read least first; what it holds; what of it has no limit.

    ``never``: columns that no index can hold.
    """
    given = everywhere(connection, access.table)
    able = [
        (each, {name for name in each.beside if given.isdisjoint(plain(connection, [name]))})
        for each in wishes
        if each.beside is not None
    ]
    found = short(connection, access.table, set().union(*(columns for _, columns in able)) - never)
    held: set[str] = set()
    served = []
    for wish, columns in sorted(able, key=lambda each: len(each[1])):
        if len(held | columns) <= MOST_HELD and columns <= found.columns:
            held |= columns
            served.append(wish)
    return served, tuple(sorted(held)), tuple(sorted(held & found.unlimited))


def _statement(connection: Connection, access: Access, sort: str, held: Sequence[str]) -> str:
    quote = partial(quoted_column, connection)
    own = access.table.rpartition(".")[2]
    name = quote(_name((own, *access.best, *held)))
    if connection.dialect.name == "sqlite":  # an index is where its table is
        return f"CREATE INDEX {name} ON {quote(own)} ({', '.join(map(quote, (*access.best, *held)))})"
    concurrently = "CONCURRENTLY " if sort != "p" else ""
    include = f" INCLUDE ({', '.join(map(quote, held))})" if held else ""
    columns = ", ".join(map(quote, access.best))
    return f"CREATE INDEX {concurrently}{name} ON {quoted(connection, access.table)} ({columns}){include}"


def _name(parts: Sequence[str]) -> str:
    """One that no other index has: where it is too long to be told from another's by its end, it gets a mark."""
    whole = "_".join(parts)
    written = whole.encode()
    if len(written) <= _LONGEST_NAME:
        return whole
    mark = hashlib.sha256(written).hexdigest()[:8]
    return f"{written[: _LONGEST_NAME - len(mark) - 1].decode(errors='ignore')}_{mark}"
