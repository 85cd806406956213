"""What a query means, once read: the typed tree. Says nothing about how it was written, but for where a trait stood.

::

    Query      Condition of an audience, Value of a computed trait
    Condition  Comparison  Presence  TextMatch  ContainsOne  OneOf  DateMatch  RecencyMatch  |  And  Or  Not
    Value      Text  Number  Boolean  |  Trait  Reference  |  Property  Context  |  Reduction
    Stream     the events of one name, through filters: Where  ExcludeSources  Within  Between

Invariants, kept by ``parse``: an ``And`` or ``Or`` has two parts or more; ``Property`` and ``Context`` stand only inside
a ``Where`` or as the argument of a ``Reduction``; what is ``of_parent`` has a parent, which is always the next stream
outwards: the one whose ``Where`` it stands in. A list (``Reduction.is_list``) is nothing but a trait's answer.

Two-valued throughout: a missing value makes a comparison false, and the negative forms (``!=``, ``omits``, ``is_set``,
``Not``) are the plain opposite of their positive ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the text of a query; both count from 1, columns in characters."""

    line: int
    column: int


class Unit(StrEnum):
    """What windows are counted in; a day is 24 hours."""

    HOURS = "hours"
    DAYS = "days"


@dataclass(frozen=True, slots=True)
class Duration:
    """``7 days``; ``amount`` is at least 0, and 0 only as the nearer end of a ``Between``."""

    amount: int
    unit: Unit

    @property
    def delta(self) -> timedelta:
        """Its length."""
        return timedelta(hours=self.amount) if self.unit is Unit.HOURS else timedelta(days=self.amount)


@dataclass(frozen=True, slots=True)
class Text:
    """A literal text: any Unicode without NUL and line breaks."""

    value: str


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number: a whole one of 64 bits is an ``int`` (``5.0`` too), any other a finite ``float``."""

    value: int | float


@dataclass(frozen=True, slots=True)
class Boolean:
    """``true`` or ``false``: what a trait or a property may hold, and what an audience gives when it is referred to."""

    value: bool


@dataclass(frozen=True, slots=True)
class Trait:
    """``trait('name')``: a profile trait, or the key of another definition until ``expand`` made it a ``Reference``.

    Dots step into nested JSON: see ``path``. ``position`` is where it stands, for whoever must complain about it.
    """

    name: str
    position: Position = field(default=Position(1, 1), compare=False, repr=False)

    @property
    def path(self) -> tuple[str, ...]:
        """The pieces between the dots."""
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True)
class Reference:
    """The answer of another definition for the same user: a trait's value, or whether an audience has them.

    ``query`` is that definition's own tree, expanded too. The same key gives the same object within one expansion.
    """

    key: str
    query: Query


@dataclass(frozen=True, slots=True)
class Property:
    """``property('name')`` of the event at hand; of the parent event in a funnel when ``of_parent``."""

    name: str
    of_parent: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The pieces between the dots."""
        return tuple(self.name.split("."))


@dataclass(frozen=True, slots=True)
class Context:
    """``context('page.url')`` of the event at hand; of the parent event in a funnel when ``of_parent``."""

    name: str
    of_parent: bool = False

    @property
    def path(self) -> tuple[str, ...]:
        """The pieces between the dots."""
        return tuple(self.name.split("."))


class Reducer(StrEnum):
    """How a stream becomes one value. All but the counts of no values are missing."""

    COUNT = "count"
    SUM = "sum"
    AVG = "avg"
    MIN = "min"
    MAX = "max"
    MODE = "mode"
    FIRST = "first"
    LAST = "last"
    UNIQUE = "unique"
    COUNT_UNIQUE = "count_unique"


@dataclass(frozen=True, slots=True)
class Reduction:
    """A stream and its reducer: ``event('A').sum(property('total'))``.

    ``argument`` is of the stream's own events, and ``None`` for ``COUNT`` only. ``minimum`` is ``mode``'s second
    argument, at least 1, and ``None`` for all others. ``COUNT_UNIQUE`` is ``unique(…).count()``.
    """

    stream: Stream
    reducer: Reducer
    argument: Property | Context | None = None
    minimum: int | None = None

    @property
    def is_list(self) -> bool:
        """Whether it gives a list of values, in alphabetical order."""
        return self.reducer is Reducer.UNIQUE


@dataclass(frozen=True, slots=True)
class Stream:
    """The user's events called ``event`` (exactly) that pass every filter, never those after ``as_of``.

    ``Page Viewed`` means page calls, ``Screen Viewed`` screen calls. ``filters`` are in the order they were written; the
    order means nothing, and several windows intersect.
    """

    event: str
    filters: tuple[Filter, ...] = ()


@dataclass(frozen=True, slots=True)
class Where:
    """Events for which ``condition`` holds. It may read them, traits, and other streams of the same user (a funnel)."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class ExcludeSources:
    """Events whose source's id is none of ``ids``; there may be none."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """Timestamps in (as_of - duration, as_of]; ``of_parent``: in (parent's, parent's + duration]."""

    duration: Duration
    of_parent: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Timestamps in (as_of - far, as_of - near]; ``of_parent``: in (parent's + near, parent's + far]. near < far."""

    near: Duration
    far: Duration
    of_parent: bool = False


class Comparator(StrEnum):
    """The six comparisons of two values."""

    EQ = "="
    NEQ = "!="
    GT = ">"
    GTE = ">="
    LT = "<"
    LTE = "<="


@dataclass(frozen=True, slots=True)
class Comparison:
    """``left`` is never a literal; ``right`` is any value. Values of two types are not equal, and in no order."""

    left: Value
    comparator: Comparator
    right: Value


@dataclass(frozen=True, slots=True)
class Presence:
    """``is_set()``, or ``is_null()`` when not ``is_set``."""

    left: Value
    is_set: bool


class TextComparator(StrEnum):
    """The comparisons with one text. ``omits`` is the opposite of ``contains``."""

    CONTAINS = "contains"
    OMITS = "omits"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"


@dataclass(frozen=True, slots=True)
class TextMatch:
    """Case-sensitive, by code point; what is no text contains nothing. ``text`` may be empty: every text contains it."""

    left: Value
    comparator: TextComparator
    text: str


@dataclass(frozen=True, slots=True)
class ContainsOne:
    """Whether at least one of ``texts`` is a part of the value; never when there are none."""

    left: Value
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether the value equals one of ``values``, type included; never when there are none."""

    left: Value
    values: tuple[Literal, ...]


class DateComparator(StrEnum):
    """The comparisons with a fixed instant; at the very instant both are false."""

    BEFORE_DATE = "before_date"
    AFTER_DATE = "after_date"


@dataclass(frozen=True, slots=True)
class DateMatch:
    """``instant`` is in UTC. A value that is no date is missing."""

    left: Value
    comparator: DateComparator
    instant: datetime


class RecencyComparator(StrEnum):
    """The comparisons of a date with as_of, each with both its ends (the reference's "inclusive").

    ``within_last`` [as_of - N, as_of], ``within_next`` [as_of, as_of + N], ``before_last`` up to as_of - N,
    ``after_next`` from as_of + N on.
    """

    WITHIN_LAST = "within_last"
    WITHIN_NEXT = "within_next"
    BEFORE_LAST = "before_last"
    AFTER_NEXT = "after_next"


@dataclass(frozen=True, slots=True)
class RecencyMatch:
    """A value that is no date is missing."""

    left: Value
    comparator: RecencyComparator
    duration: Duration


@dataclass(frozen=True, slots=True)
class And:
    """All of ``parts`` hold."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of ``parts`` holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """``part`` does not hold."""

    part: Condition


Literal: TypeAlias = Text | Number | Boolean
Value: TypeAlias = Literal | Trait | Reference | Property | Context | Reduction
Filter: TypeAlias = Where | ExcludeSources | Within | Between
Condition: TypeAlias = (
    Comparison | Presence | TextMatch | ContainsOne | OneOf | DateMatch | RecencyMatch | And | Or | Not
)
Query: TypeAlias = Condition | Value
