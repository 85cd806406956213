"""One row for each person, whatever the table of profiles is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, cast, func, literal_column, select

from sync.language.sql.branches import Among, person
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Column, Layout, Profiles, Type
from sync.language.sql.values import Expression
from sync.model.warehouse import is_standard


def people(engine: Engine, layout: Layout, among: Among | None) -> FromClause:
    """What to select profiles from, at least of those who are asked about; its columns are those of the layout's profiles."""
    profiles = layout.profiles
    assert profiles is not None  # noqa: S101 - the caller's branch
    table = engine.table(profiles.table, list(profiles.columns))
    if profiles.unique and not profiles.newest_by:
        return table
    user, _ = person(engine, profiles, layout, table)
    asked = [] if among is None else [among(user)]
    if profiles.newest_by:
        return _newest(table, profiles, asked).subquery()
    return _one_each(table, user, profiles, asked).subquery()


def _one_each(rows: FromClause, user: Expression, profiles: Profiles, asked: Sequence[Expression]) -> Select[Any]:
    """One row of each user. Two would make two of each event that is looked at together with its user's traits.

    The last one; where the cursor does not tell which that is, what is in them decides: it is the same one each time.
    """
    cursor = None if profiles.cursor is None else rows.c[profiles.cursor]
    order = [] if cursor is None else [cursor.is_(None), cursor.desc()]
    order += [_in_some_order(rows.c[name], kind) for name, kind in profiles.columns.items() if name != profiles.user_id]
    name = "place"
    while name in profiles.columns:
        name += "_"
    place = func.row_number().over(partition_by=user, order_by=order or None).label(name)
    placed = select(*rows.c, place).where(*asked).subquery("placed")
    return select(*(placed.c[each] for each in profiles.columns)).where(placed.c[name] == literal_column("1"))


def _in_some_order(column: Expression, kind: Column) -> Expression:
    """Not every type has an order; each can be written."""
    return cast(column, Text) if kind.cast or kind.type in (Type.JSON, Type.OTHER) else column


def _newest(said: FromClause, profiles: Profiles, asked: Sequence[Expression]) -> Select[Any]:
    """Of each column what was said last, each read by itself: a row says something of few traits."""
    own = profiles.user_id
    everybody = select(said.c[own]).where(said.c[own].is_not(None), *asked).distinct().subquery("everybody")
    columns: list[ColumnElement[Any]] = [everybody.c[own]]
    joined: FromClause = everybody
    for number, name in enumerate(each for each in profiles.columns if not is_standard(each)):
        order = [part for each in profiles.newest_by for part in (said.c[each].is_(None), said.c[each].desc())]
        place = func.row_number().over(partition_by=said.c[own], order_by=order).label("place")
        placed = (
            select(said.c[own], said.c[name], place).where(said.c[name].is_not(None), *asked).subquery(f"said_{number}")
        )
        joined = joined.outerjoin(
            placed, and_(placed.c[own] == everybody.c[own], placed.c.place == literal_column("1"))
        )
        columns.append(placed.c[name])
    return select(*columns).select_from(joined)
