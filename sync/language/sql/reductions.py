"""Streams that become one value each: once for all users, or for each event that a funnel asks about."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import CTE, FromClause, Select, Subquery, case, exists, func, literal_column, null, select, union_all

from sync.language.sql.branches import Among, Branch, Tables, branch, seen
from sync.language.sql.conditions import holds, numbers
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Layout
from sync.language.sql.people import people
from sync.language.sql.users import Users
from sync.language.sql.values import Expression, Found
from sync.language.tree import Between, Context, Property, Reducer, Reduction, Stream, Value, Where, Within

_COUNTS = (Reducer.COUNT, Reducer.COUNT_UNIQUE)
_ONE: Expression = literal_column("1")
_ZERO: Expression = literal_column("0")


class Streams:
    """All streams of one query; equal ones are computed once."""

    def __init__(self, engine: Engine, layout: Layout, among: Among | None) -> None:
        self.engine, self.layout, self.among = engine, layout, among
        self._reduced: dict[Reduction, CTE | None] = {}
        self._grouped: dict[CTE, Select[Any]] = {}
        self._tables = Tables(engine)
        self._numbers = count(1)

    def name(self, *words: str) -> str:
        """A name for a part of the statement, in which people see what it is."""
        slug = re.sub(r"[^a-z0-9]+", "_", " ".join(words).lower()).strip("_")[:40]
        return f"{slug}_{next(self._numbers)}"

    def profiles(self) -> tuple[FromClause, Expression, list[Expression]]:
        """The profiles, their users, and the conditions for being somebody who is asked about."""
        profiles, engine = self.layout.profiles, self.engine
        assert profiles is not None  # noqa: S101 - the caller's branch
        table = people(engine, self.layout, self.among).alias(self.name("profiles"))
        kind, as_text = profiles.columns[profiles.user_id], not self.layout.one_family
        user = engine.user(table.c[profiles.user_id], kind, as_text=as_text)
        asked = [] if self.among is None else [self.among(user)]
        return table, user, [engine.somebody(user, kind, as_text=as_text), *asked]

    def seen(self) -> list[Select[Any]]:
        """The users of every table with events."""
        tables = [(each, self.name("events")) for each in self.layout.events]
        return [seen(self.engine, self._tables, each, self.layout, self.among, name) for each, name in tables]

    def reduced(self, reduction: Reduction) -> CTE | None:
        """``user_id`` and ``value`` of every user with events in the stream; ``None`` where there can be none."""
        if reduction not in self._reduced:
            self._reduced[reduction] = self._for_all(reduction)
        return self._reduced[reduction]

    def grouped(self, reduced: CTE) -> Select[Any] | None:
        """The same as one SELECT that groups events by user, where it is no more than that."""
        return self._grouped.get(reduced)

    def nothing(self, reduction: Reduction) -> Found:
        """What a stream without events comes to."""
        return self.engine.number(_ZERO) if reduction.reducer in _COUNTS else self.engine.nothing()

    def found(self, reduction: Reduction, value: Expression, *, always: bool) -> Found:
        """What was reduced, as a value; ``always``: there is an event."""
        match reduction.reducer:
            case Reducer.COUNT | Reducer.COUNT_UNIQUE:
                return self.engine.number(value if always else func.coalesce(value, _ZERO))
            case Reducer.SUM | Reducer.AVG | Reducer.MIN | Reducer.MAX:
                return self.engine.number(value)
            case Reducer.UNIQUE:
                return Found(value.is_not(null()), lambda: value)
        return self.engine.carried(value)

    def _for_all(self, reduction: Reduction) -> CTE | None:
        stream, name = reduction.stream, self.name(reduction.stream.event, reduction.reducer)
        rows = branch(self.engine, self._tables, self.layout, reduction, self.among, self.name(stream.event))
        if rows is None:
            return None
        event = _Event(self, stream, rows, Users(self, rows.source, rows.user), None)
        conditions = event.conditions()
        selected = _Selected(self, event, conditions)
        statement = selected.by_user(reduction)
        if statement is None:
            return None
        padding = self.engine.padding(2)
        reduced = (union_all(statement, *padding) if padding else statement).cte(name)
        if selected.is_plain(reduction):
            self._grouped[reduced] = statement
        return reduced

    def after(self, reduction: Reduction, outer: _Event) -> _Selected | None:
        """The events of a stream that depend on another event."""
        stream = reduction.stream
        name = self.name(stream.event)
        rows = branch(self.engine, self._tables, self.layout, reduction, self.among, name, of_one=True)
        if rows is None:
            return None
        event = _Event(self, stream, rows, outer.users, outer)
        return _Selected(self, event, [rows.user == outer.rows.user, *event.conditions()])


class _Event:
    """An event of a stream, as conditions see it. ``users``: what is known of its user; ``outer``: the parent event."""

    def __init__(self, streams: Streams, stream: Stream, rows: Branch, users: Users, outer: _Event | None) -> None:
        self.engine, self.rows, self.users = streams.engine, rows, users
        self._streams, self._stream, self._outer = streams, stream, outer

    def value(self, value: Value) -> Found:
        match value:
            case Property() | Context():
                return self._parent.rows.property(value) if value.of_parent else self.rows.property(value)
            case Reduction() if _depends(value.stream):
                selected = self._streams.after(value, self)
                return self._streams.nothing(value) if selected is None else selected.of_event(value)
        return self.users.value(value)

    def any_of(self, reduction: Reduction) -> Expression | None:
        if not _depends(reduction.stream):
            return None
        selected = self._streams.after(reduction, self)
        return None if selected is None else selected.any()

    def conditions(self) -> list[Expression]:
        """What makes an event one of the stream."""
        found = list(self.rows.conditions)
        for each in self._stream.filters:
            match each:
                case Where(condition):
                    found.append(holds(condition, self))
                case Within(duration, True):
                    found += self._following(timedelta(0), duration.delta)
                case Between(near, far, True):
                    found += self._following(near.delta, far.delta)
        return [*found, *self.rows.in_time]

    def is_number(self, value: Value) -> bool:
        """Whether a value is one in all events of the stream, by its conditions."""
        return any(value in numbers(each.condition) for each in self._stream.filters if isinstance(each, Where))

    def _following(self, near: timedelta, far: timedelta) -> list[Expression]:
        return self.rows.clock.following(self.engine, self._parent.rows.clock, near, far)

    @property
    def _parent(self) -> _Event:
        assert self._outer is not None  # noqa: S101 - the checker's promise
        return self._outer


class _Selected:
    """The events of a stream, ready to be reduced."""

    def __init__(self, streams: Streams, event: _Event, conditions: Sequence[Expression]) -> None:
        self._engine, self._name, self._found = streams.engine, streams.name, streams.found
        self._event, self._rows, self._conditions = event, event.rows, conditions

    def any(self) -> Expression:
        """Whether there is one."""
        return exists(self._of_outer(_ONE))

    def of_event(self, reduction: Reduction) -> Found:
        """The value, for one event of the outer stream."""
        if (plain := self._plain(reduction)) is not None:
            return self._found(reduction, self._of_outer(plain).scalar_subquery(), always=True)
        if reduction.reducer in (Reducer.SUM, Reducer.AVG, Reducer.MIN, Reducer.MAX):
            return self._engine.nothing()
        return self._mode_of_event(reduction) if reduction.reducer is Reducer.MODE else self._one_of_event(reduction)

    def _mode_of_event(self, reduction: Reduction) -> Found:
        value = self._argument(reduction).carried()
        statement = self._of_outer(value).where(self._engine.scalar(value)).group_by(value).limit(_ONE)
        statement = statement.having(func.count() >= literal_column(str(reduction.minimum)))
        statement = statement.order_by(func.count().desc(), *self._engine.alphabetical(value))
        return self._found(reduction, statement.scalar_subquery(), always=False)

    def _one_of_event(self, reduction: Reduction) -> Found:
        """The first or the last: looked for once for each way in which it is seen, and not for each look at it."""
        found = self._argument(reduction)
        order = self._in_time(reduction, self._rows.order, found.carried())

        def seen(facet: Expression | None) -> Expression | None:
            if facet is None:
                return None
            scalar = self._engine.scalar(found.carried())
            return self._of_outer(facet).where(scalar).order_by(*order).limit(_ONE).scalar_subquery()

        def certain(facet: Expression) -> Expression:
            wanted = seen(facet)
            assert wanted is not None  # noqa: S101 - it was given
            return wanted

        instant = found.instant
        return Found(
            is_set=certain(found.carried()).is_not(null()),
            carried=lambda: certain(found.carried()),
            number=seen(found.number),
            text=seen(found.text),
            boolean=seen(found.boolean),
            instant=None if instant is None else lambda: certain(instant()),
        )

    def _of_outer(self, *columns: Expression) -> Select[Any]:
        statement = select(*columns).select_from(self._rows.source).where(*self._rows.somebody, *self._conditions)
        return statement.correlate_except(self._rows.source)

    def by_user(self, reduction: Reduction) -> Select[Any] | None:
        """``user_id`` and ``value`` of all users."""
        plain, user = self._plain(reduction, of_some=True), self._rows.user.label("user_id")
        if plain is not None:
            each = select(user, plain.label("value")).select_from(self._event.users.joined()).where(*self._conditions)
            return self._engine.grouped(each, self._rows.user, self._rows.somebody)
        match reduction.reducer:
            case Reducer.MODE:
                return self._mode(self._values(reduction, ()), reduction)
            case Reducer.FIRST | Reducer.LAST:
                return self._by_time(self._values(reduction, self._rows.order), reduction)
            case Reducer.UNIQUE:
                return self._unique(self._values(reduction, ()))
        return None

    def is_plain(self, reduction: Reduction) -> bool:
        """Whether it is one aggregate of the events."""
        return self._plain(reduction) is not None

    def _plain(self, reduction: Reduction, *, of_some: bool = False) -> Expression | None:
        """What is one aggregate; ``None``: it is not, or there is nothing to aggregate. ``of_some``: there is an event."""
        if reduction.reducer is Reducer.COUNT:
            return func.count()
        found, engine = self._argument(reduction), self._engine
        if reduction.reducer is Reducer.COUNT_UNIQUE:
            value = found.carried()
            return func.count(func.distinct(case((engine.scalar(value), value))))
        if found.number is None:
            return None
        bare = self._bare(reduction, found)
        number = found.number if bare is None else bare
        match reduction.reducer:
            case Reducer.SUM:
                return engine.total(number) if bare is None or not of_some else engine.total_of_some(bare)
            case Reducer.AVG:
                return engine.average(number)
            case Reducer.MIN:
                return func.min(number)
            case Reducer.MAX:
                return func.max(number)
        return None

    def _bare(self, reduction: Reduction, found: Found) -> Expression | None:
        """The argument as it stands, where no event is one of the stream that has anything but a number there."""
        argument = reduction.argument
        if found.bare is None or argument is None or not self._event.is_number(argument):
            return None
        return found.bare.column

    def _argument(self, reduction: Reduction) -> Found:
        assert reduction.argument is not None  # noqa: S101 - all but counts have one
        return self._rows.property(reduction.argument)

    def _values(self, reduction: Reduction, order: Sequence[Expression]) -> Subquery:
        """Each event's user and value, and what it is put in order by."""
        value = self._argument(reduction).carried()
        columns = [self._rows.user.label("user_id"), value.label("value")]
        columns += [each.label(f"order_{place}") for place, each in enumerate(order)]
        statement = select(*columns).select_from(self._event.users.joined())
        statement = statement.where(*self._rows.somebody, *self._conditions)
        return statement.subquery(self._name("values"))

    def _mode(self, values: Subquery, reduction: Reduction) -> Select[Any]:
        user, value = values.c.user_id, values.c.value
        times = select(user, value, func.count().label("times")).where(self._engine.scalar(value)).group_by(user, value)
        times = times.having(func.count() >= literal_column(str(reduction.minimum)))
        often = times.subquery(self._name("times"))
        return self._first(often, [often.c.times.desc(), *self._engine.alphabetical(often.c.value)])

    def _by_time(self, values: Subquery, reduction: Reduction) -> Select[Any]:
        order = [column for column in values.c if column.name.startswith("order_")]
        return self._first(values, self._in_time(reduction, order, values.c.value))

    def _in_time(self, reduction: Reduction, order: Sequence[Expression], value: Expression) -> list[Expression]:
        """By time, then by cursor; where neither tells two apart, by value, so that the answer is the same each time."""
        by_time = [each.desc() if reduction.reducer is Reducer.LAST else each for each in order]
        # Cursors are alike so seldom that a costlier order would be for nothing.
        return [*by_time, value] if len(order) > 1 else [*by_time, *self._engine.alphabetical(value)]

    def _first(self, values: Subquery, order: Sequence[Expression]) -> Select[Any]:
        user, value = values.c.user_id, values.c.value
        place = func.row_number().over(partition_by=user, order_by=order).label("place")
        placed = select(user, value, place).where(self._engine.scalar(value)).subquery(self._name("placed"))
        return select(placed.c.user_id, placed.c.value).where(placed.c.place == _ONE)

    def _unique(self, values: Subquery) -> Select[Any]:
        user, value, engine = values.c.user_id, values.c.value, self._engine
        each = select(user, value).where(engine.scalar(value)).group_by(user, value)
        distinct = each.subquery(self._name("distinct"))
        user, value = distinct.c.user_id, distinct.c.value
        order = engine.alphabetical(value)
        listed = engine.listed(value).over(partition_by=user, order_by=order, rows=(None, None)).label("value")
        place = func.row_number().over(partition_by=user, order_by=order).label("place")
        lists = select(user, listed, place).subquery(self._name("lists"))
        return select(lists.c.user_id, lists.c.value).where(lists.c.place == _ONE)


def _depends(stream: Stream) -> bool:
    """Whether it is about the event that it stands in, and not about the user alone."""
    return any(
        each.of_parent if isinstance(each, Within | Between) else isinstance(each, Where) and _of_parent(each.condition)
        for each in stream.filters
    )


def _of_parent(node: object) -> bool:
    """Whether a stream's own condition reads its parent event; what is in streams inside it has another parent."""
    if isinstance(node, Property | Context):
        return node.of_parent
    if isinstance(node, tuple):
        return any(map(_of_parent, node))
    if isinstance(node, Reduction) or not is_dataclass(node):
        return False
    return any(_of_parent(getattr(node, field.name)) for field in fields(node))
