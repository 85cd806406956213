"""A set of users, and what is known of each: traits, and what their streams come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, select
from sqlalchemy.sql.visitors import replacement_traverse

from sync.language.sql import flattened
from sync.language.sql.branches import document_or_column
from sync.language.sql.conditions import holds
from sync.language.sql.unknown import Driver, Known, is_condition
from sync.language.sql.values import Expression, Found
from sync.language.tree import Boolean, Number, Reduction, Reference, Text, Trait, Value

if TYPE_CHECKING:
    from sync.language.sql.reductions import Streams

_MOST_JOINS = 40
"""SQLite joins no more than 64 tables; what else is needed is looked up user by user."""


class Users:
    """Rows that are of one user each. What conditions ask of the users is joined to them.

    ``known``: what the rows themselves are; ``real``: conditions without which a row is of nobody.
    """

    def __init__(
        self,
        streams: Streams,
        source: FromClause,
        user: Expression,
        known: Mapping[Driver, FromClause] | None = None,
        real: tuple[Expression, ...] = (),
    ) -> None:
        self.engine = streams.engine
        self.user, self.real = user, real
        self._streams, self._source = streams, source
        self._known = dict(known or {})
        self._joined: dict[Driver, tuple[FromClause, Expression]] = {}

    def select(self, columns: Sequence[ColumnElement[Any]] = (), conditions: Sequence[Expression] = ()) -> Select[Any]:
        """``user_id`` and ``columns`` of those who meet ``conditions``, once everything has been asked."""
        if isinstance(self._source, CTE) and not self._joined:
            grouped = self._streams.grouped(self._source)
            if grouped is not None:
                return _merged(self._source, grouped, columns, conditions)
        statement = select(self.user.label("user_id"), *columns).select_from(self.joined())
        return statement.where(*self.real, *conditions)

    def joined(self) -> FromClause:
        """What to select from, once everything has been asked."""
        source = self._source
        for table, condition in self._joined.values():
            source = source.outerjoin(table, condition)
        return source

    def value(self, value: Value) -> Found:
        match value:
            case Text() | Number() | Boolean():
                return self.engine.literal(value.value)
            case Trait():
                return self._trait(value)
            case Reference(_, query) if is_condition(query):
                return self.engine.boolean(holds(query, self))  # type: ignore[arg-type]
            case Reference(_, query):
                return self.value(query)  # type: ignore[arg-type]
            case Reduction():
                return self._reduction(value)
        raise AssertionError(value)

    def any_of(self, reduction: Reduction) -> None:  # noqa: ARG002 - it is counted once for all users
        return None

    def _trait(self, trait: Trait) -> Found:
        profiles = self._streams.layout.profiles
        if profiles is None:
            return self._streams.engine.nothing()
        table = self._known.get(Known.PROFILES)
        if table is None:
            table, user, _ = self._streams.profiles()
            self._join(Known.PROFILES, table, user == self.user)
        if profiles.traits is not None:
            return self.engine.document(table.c[profiles.traits], profiles.columns[profiles.traits], trait.path)
        if profiles.flattened:
            return flattened.property_or_trait(self.engine, table, profiles.columns, trait.path)
        columns = {name: kind for name, kind in profiles.columns.items() if name != profiles.user_id}
        return document_or_column(self.engine, table, columns, trait.path)

    def _reduction(self, reduction: Reduction) -> Found:
        reduced = self._streams.reduced(reduction)
        if reduced is None:
            return self._streams.nothing(reduction)
        always = reduction in self._known and reduction not in self._joined
        if reduction not in self._known and len(self._joined) < _MOST_JOINS:
            self._join(reduction, reduced, reduced.c.user_id == self.user)
        if reduction in self._known:
            return self._streams.found(reduction, self._known[reduction].c.value, always=always)
        looked_up = select(reduced.c.value).where(reduced.c.user_id == self.user).correlate_except(reduced)
        return self._streams.found(reduction, looked_up.scalar_subquery(), always=False)

    def _join(self, driver: Driver, table: FromClause, condition: Expression) -> None:
        self._known[driver] = table
        self._joined[driver] = (table, condition)


def _merged(
    cte: CTE, grouped: Select[Any], columns: Sequence[ColumnElement[Any]], conditions: Sequence[Expression]
) -> Select[Any]:
    """What is asked of a CTE that groups, asked of its groups: nobody who does not meet the conditions leaves it."""
    inside = {cte.c[each.name]: each.element for each in grouped.selected_columns}

    def replaced(expression: ColumnElement[Any]) -> ColumnElement[Any]:
        return replacement_traverse(expression, {}, lambda each, **_: inside.get(each))  # type: ignore[call-overload,no-any-return]

    statement = grouped.with_only_columns(inside[cte.c.user_id].label("user_id"), *map(replaced, columns))
    return statement.having(*map(replaced, conditions)) if conditions else statement
