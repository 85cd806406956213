"""What one database says in its own way: values of unknown type, texts by code point, instants, lists."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    CompoundSelect,
    Dialect,
    FromClause,
    Select,
    String,
    cast,
    func,
    literal,
    literal_column,
    select,
    table,
    union,
)
from sqlalchemy import column as named

from sync.language.sql.layout import Column
from sync.language.sql.values import NOTHING, Expression, Found

_MOST_PARTS = 400
"""SQLite unites no more than 500 at once."""


class Clock(ABC):
    """A column with the time of events."""

    at: Expression
    """The instant in the engine's own form; NULL where it is no date."""

    @abstractmethod
    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:
        """Conditions for an instant in (after, until], such that an index on the column is of use; ``of_users``: rows are
        better looked for by their users, if there is an index for that."""

    def looked_for(self, after: Expression, until: Expression, name: str) -> list[Expression]:  # noqa: ARG002
        """The same, where rows are looked for by this alone. ``name``: under which these conditions may define something."""
        return self.during(after, until)

    def proven(self, times: Select[Any], name: str) -> Expression | None:  # noqa: ARG002
        """Condition, of no row, under which less need be asked of each of ``times``; ``None``: there is none. ``name`` as above."""
        return None

    def up_to(self, until: Expression, proven: Expression | None) -> list[Expression]:  # noqa: ARG002
        """Conditions for an instant up to ``until``, where all events are looked at; ``proven`` is known of them all."""
        return self.during(None, until)

    def passed(self, after: Expression, until: Expression, name: str) -> list[Expression]:
        """The same of a moment that has passed by: most of what has to be looked at for it is not in it."""
        return self.looked_for(after, until, name)

    def following(self, engine: Engine, other: Clock, near: timedelta, far: timedelta) -> list[Expression]:
        """Conditions for an instant that lies in (near, far] after another one."""
        return self.during(engine.shifted(other.at, near), engine.shifted(other.at, far), of_users=True)


class Instants(Clock):
    """A column with instants in the engine's own form."""

    def __init__(self, column: Expression) -> None:
        self.at = column

    def during(self, after: Expression | None, until: Expression, *, of_users: bool = False) -> list[Expression]:  # noqa: ARG002
        return [*([] if after is None else [self.at > after]), self.at <= until]


class Engine(ABC):
    """One kind of database.

    An *instant* is in the form that ``as_of`` gives; a *carried* value in the form that ``Found.carried`` gives.
    """

    dialect: Dialect
    sums_are_exact = False
    """Whether sums and means are decimals: the order of the rows does nothing to them."""

    @property
    def as_of(self) -> Expression:
        """The instant that is asked about: the one bind called ``as_of``."""
        return self.instant("as_of")

    @abstractmethod
    def instant(self, name: str) -> Expression:
        """An instant that is bound by this name."""

    @abstractmethod
    def bound(self, instant: datetime) -> object:
        """What is bound as an instant."""

    @abstractmethod
    def moment(self, instant: datetime) -> Expression:
        """A fixed instant."""

    @abstractmethod
    def shifted(self, instant: Expression, delta: timedelta) -> Expression:
        """An instant so much later, or earlier when ``delta`` is negative."""

    @abstractmethod
    def clock(self, column: Expression, kind: Column, at: Expression | None) -> Clock:
        """The time of events; ``at`` is what ``timed`` has added."""

    def computed_once(self, statement: CompoundSelect[Any] | Select[Any], name: str) -> CTE:
        """A statement that is run by itself and kept, however often and wherever it is read."""
        return statement.cte(name).prefix_with("MATERIALIZED")

    def united(self, parts: Sequence[Select[Any]]) -> Select[Any] | CompoundSelect[Any]:
        """The users of all parts, each once."""
        while len(parts) > _MOST_PARTS:
            some = [parts[place : place + _MOST_PARTS] for place in range(0, len(parts), _MOST_PARTS)]
            parts = [select(*union(*each).subquery().c) if len(each) > 1 else each[0] for each in some]
        every = [*parts, *self.padding(1)]
        return union(*every) if len(every) > 1 else every[0].distinct()

    def padding(self, columns: int) -> list[Select[Any]]:  # noqa: ARG002
        """What is added to the rows of users that are joined to each other, lest the database think them too few."""
        return []

    def instants(self, column: Expression) -> Clock:
        """The time of events in our own form."""
        return Instants(column)

    def timed(
        self,
        source: FromClause,
        timestamp: str,  # noqa: ARG002
        kind: Column,  # noqa: ARG002
        name: str,  # noqa: ARG002
    ) -> tuple[FromClause, str | None]:
        """A table with events, and the name of a column that was added to it: its instants in our form."""
        return source, None

    def nothing(self) -> Found:
        """What is never there, in a form that goes together with what was carried."""
        return NOTHING

    @abstractmethod
    def column(self, column: Expression, kind: Column) -> Found:
        """What stands in a column."""

    @abstractmethod
    def document(self, column: Expression, kind: Column, path: Sequence[str]) -> Found:
        """What stands in a column's JSON, stepping into objects only; nothing where that is no JSON."""

    @abstractmethod
    def carried(self, value: Expression) -> Found:
        """What was carried."""

    @abstractmethod
    def number(self, expression: Expression) -> Found:
        """A number of ours."""

    @abstractmethod
    def boolean(self, condition: Expression) -> Found:
        """Whether a condition holds, as a value: false where it is NULL."""

    @abstractmethod
    def literal(self, value: str | int | float | bool) -> Found:
        """What stands in the query itself."""

    @abstractmethod
    def scalar(self, value: Expression) -> Expression:
        """Condition: the carried value is neither missing nor a list or an object."""

    @abstractmethod
    def alphabetical(self, value: Expression) -> list[Expression]:
        """What carried values are put in order by: as they are written, by code point, a number before its look-alike."""

    @abstractmethod
    def listed(self, value: Expression) -> ColumnElement[Any]:
        """The aggregate that makes a list of carried values."""

    @abstractmethod
    def decoded(self, value: object) -> object:
        """A carried value as Python has it."""

    @abstractmethod
    def decoded_list(self, value: object) -> object:
        """A list of carried values as Python has it."""

    @abstractmethod
    def contains(self, text: Expression, part: str) -> Expression:
        """Whether ``part`` is a part of the text."""

    @abstractmethod
    def starts_with(self, text: Expression, part: str) -> Expression:
        """Whether the text begins with ``part``."""

    @abstractmethod
    def ends_with(self, text: Expression, part: str) -> Expression:
        """Whether the text ends with ``part``."""

    def total(self, number: Expression) -> Expression:
        """The sum of numbers, whatever their size."""
        return func.sum(number)

    def total_of_some(self, number: Expression) -> Expression:
        """The same, where there is at least one, and nothing that is none."""
        return self.total(number)

    def average(self, number: Expression) -> Expression:
        """The mean of numbers."""
        return func.avg(number)

    def settled(self, number: Expression) -> Expression:
        """A sum or mean to be compared: without the digits that only say in which order it was added up."""
        return number

    @abstractmethod
    def can_be_given(self, number: Expression) -> Expression:
        """Condition: it is a number that JSON can hold; false or NULL where it is missing."""

    def user(self, column: Expression, kind: Column, *, as_text: bool) -> Expression:  # noqa: ARG002
        """A user's id; ``as_text`` where ids of several kinds meet."""
        return cast(column, String) if as_text else column

    def somebody(self, user: Expression, kind: Column, *, as_text: bool) -> Expression:  # noqa: ARG002
        """Condition: the id is not empty."""
        return user != literal_column("''")

    def grouped(self, statement: Select[Any], user: Expression, somebody: Sequence[Expression]) -> Select[Any]:
        """Rows by their user, of those who are ``somebody``; without such a condition, all are."""
        return statement.where(*somebody).group_by(user)

    def equals(self, column: Expression, kind: Column, text: str) -> Expression:  # noqa: ARG002
        """A column with texts against one text, exactly, such that an index on the column is of use."""
        return column == literal(text, String)

    def table(self, name: str, columns: Sequence[str]) -> FromClause:
        """A table by its name, its schema before a dot."""
        schema, _, own = name.rpartition(".")
        return table(own, *(named(each) for each in columns), schema=schema or None)
