"""One row for each person, whatever the table of profiles is."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, func, literal_column, select

from sync.language.sql.engine import Engine
from sync.language.sql.layout import Profiles


def people(engine: Engine, profiles: Profiles) -> FromClause:
    """What to select profiles from; its columns are those of ``profiles``."""
    table = engine.table(profiles.table, list(profiles.columns))
    return _newest(table, profiles).subquery() if profiles.newest_by else table


def _newest(said: FromClause, profiles: Profiles) -> Select[Any]:
    """Of each column what was said last, each read by itself: a row says something of few traits."""
    own = profiles.user_id
    everybody = select(said.c[own]).where(said.c[own].is_not(None)).distinct().subquery("everybody")
    columns: list[ColumnElement[Any]] = [everybody.c[own]]
    joined: FromClause = everybody
    for number, name in enumerate(each for each in profiles.columns if each not in (own, *profiles.newest_by)):
        order = [said.c[each].desc() for each in profiles.newest_by]
        place = func.row_number().over(partition_by=said.c[own], order_by=order).label("place")
        placed = select(said.c[own], said.c[name], place).where(said.c[name].is_not(None)).subquery(f"said_{number}")
        joined = joined.outerjoin(
            placed, and_(placed.c[own] == everybody.c[own], placed.c.place == literal_column("1"))
        )
        columns.append(placed.c[name])
    return select(*columns).select_from(joined)
