"""From a tree to one SELECT: who is meant, or who has which value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import FromClause, Select, String, case, cast, false, null, select

from sync.language.reads import is_sum
from sync.language.sql.branches import Among
from sync.language.sql.conditions import holds
from sync.language.sql.engine import Engine
from sync.language.sql.layout import Layout
from sync.language.sql.reductions import Streams
from sync.language.sql.unknown import Driver, Drivers, Known, drivers, is_condition
from sync.language.sql.users import Users
from sync.language.sql.values import Expression
from sync.language.tree import Query, Reduction, Trait, Value


@dataclass(frozen=True, slots=True)
class Compiled:
    """``statement`` gives ``user_id``, of a trait ``value``, and what was asked for besides; each user once.

    Its one open bind is ``as_of``. ``decoded`` makes of the columns after the first what Python has for them; where it is
    `as_it_is`, that is what they are.
    """

    statement: Select[Any]
    decoded: tuple[Callable[[object], object], ...]


def compile_query(
    query: Query, layout: Layout, engine: Engine, *, enrichment: Sequence[str] = (), among: Among | None = None
) -> Compiled:
    """The SELECT that answers ``query``, with every reference in place, from the tables of ``layout``.

    ``enrichment`` are traits that come along. ``among`` limits the answer to some users, and what is read to their rows.
    """
    streams = Streams(engine, layout, among)
    users = _users(drivers(query), streams)
    asked: list[tuple[str, Expression, Callable[[object], object]]] = []
    conditions: list[Expression] = []
    if is_condition(query):
        conditions.append(holds(query, users))  # type: ignore[arg-type]
    else:
        value, is_one, decoded = _answer(query, users)  # type: ignore[arg-type]
        asked.append(("value", value, decoded))
        conditions.append(is_one)
    for name in enrichment:
        value, is_one, decoded = _answer(Trait(name), users)
        asked.append((name, case((is_one, value)), decoded))
    columns = [value.label(name) for name, value, _ in asked]
    return Compiled(users.select(columns, conditions), tuple(decoded for *_, decoded in asked))


def _answer(asked: Value, users: Users) -> tuple[Expression, Expression, Callable[[object], object]]:
    """A value as an answer, the condition for it to be one, and how Python reads it."""
    found, engine = users.value(asked), users.engine
    if found.number is not None and found.text is None:
        decoded = without_noise if is_sum(asked) and not engine.sums_are_exact else as_it_is
        return found.number, engine.can_be_given(found.number), decoded
    value = found.carried()
    if isinstance(asked, Reduction) and asked.is_list:
        return value, value.is_not(null()), engine.decoded_list
    return value, engine.scalar(value), engine.decoded


def as_it_is(value: object) -> object:
    """A number as an engine gives it: JSON can hold it, whichever it is."""
    return value


def without_noise(value: object) -> object:
    """A sum of binary floats with the digits that mean something: what the order of the rows does to the others is no
    change of a trait."""
    return float(f"{value:.15g}") if isinstance(value, float) and not value.is_integer() else value


def _users(wanted: Drivers | None, streams: Streams) -> Users:
    """Those users of whom the query may say something."""
    if wanted is None:
        everybody = _everybody(streams)
        return Users(streams, everybody, everybody.c.user_id)
    if len(wanted) == 1:
        (driver,) = wanted
        return _of_one(driver, streams)
    parts = [users.select() for users in (_of_one(driver, streams) for driver in sorted(wanted, key=repr))]
    some = streams.engine.united(parts).subquery("everybody")
    return Users(streams, some, some.c.user_id)


def _of_one(driver: Driver, streams: Streams) -> Users:
    if isinstance(driver, Reduction):
        reduced = streams.reduced(driver)
        return _nobody(streams) if reduced is None else Users(streams, reduced, reduced.c.user_id, {driver: reduced})
    if streams.layout.profiles is None:
        return _nobody(streams)
    table, user, real = streams.profiles()
    return Users(streams, table, user, {Known.PROFILES: table}, tuple(real))


def _nobody(streams: Streams) -> Users:
    nobody = select(cast(null(), String).label("user_id")).where(false()).subquery("nobody")
    return Users(streams, nobody, nobody.c.user_id)


def _everybody(streams: Streams) -> FromClause:
    """Whoever has a profile, or an event up to the instant that is asked about."""
    parts = [_of_one(Known.PROFILES, streams)] if streams.layout.profiles is not None else []
    selects = [each.select() for each in parts]
    if not selects and not streams.layout.events:
        return _nobody(streams).joined()
    return streams.engine.united(selects + streams.seen()).subquery("everybody")
