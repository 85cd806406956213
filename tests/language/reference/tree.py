"""A definition as the reference understands it: a plain tree that knows nothing of SQL and nothing of the product's own.

It says what was meant, not how it was spelled: ``= 5``, ``== 5``, ``.eq(5)`` and ``.eq({literal(5)})`` are one tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, or ``True`` and ``False``."""

    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Trait:
    """``trait('name')``: another definition's answer, or a trait of the profile."""

    name: str


@dataclass(frozen=True, slots=True)
class Property:
    """``property('name')`` of the event at hand, or of the one around it."""

    name: str
    parent: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """``context('name')`` of the event at hand, or of the one around it."""

    name: str
    parent: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """``7 days``, ``12 hours``."""

    number: int
    unit: str
    """``hours`` or ``days``."""

    @property
    def long(self) -> timedelta:
        """How long that is; a day is 24 hours, whatever clocks are put forward."""
        return timedelta(**{self.unit: self.number})


@dataclass(frozen=True, slots=True)
class Where:
    """Only events of which ``holds`` is true."""

    holds: Comparison


@dataclass(frozen=True, slots=True)
class Sources:
    """Only events of other sources than these."""

    exclude: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """Only events of the last ``span``, or, in a funnel, of the ``span`` after the event around this one."""

    span: Span
    parent: bool = False


@dataclass(frozen=True, slots=True)
class Between:
    """Only events of between ``near`` and ``far`` ago; in a funnel, of between ``near`` and ``far`` after the one around."""

    near: Span
    far: Span
    parent: bool = False


Filter = Where | Sources | Within | Between


@dataclass(frozen=True, slots=True)
class Reduced:
    """The events of one name that pass all filters, as one value."""

    event: str
    filters: tuple[Filter, ...]
    reducer: str
    """``count sum avg min max mode first last unique``, or ``unique_count`` for ``unique(…).count()``."""
    of: Property | Context | None = None
    minimum: int | None = None
    """Of ``mode``."""


Scalar = Literal | Trait | Property | Context | Reduced


@dataclass(frozen=True, slots=True)
class Compare:
    """Two scalars, and one of ``eq neq gt gte lt lte``."""

    left: Scalar
    comparison: str
    right: Scalar


@dataclass(frozen=True, slots=True)
class Check:
    """A scalar, and any other comparison with what it was given: texts, numbers, or one span."""

    left: Scalar
    comparison: str
    given: tuple[str | int | float | bool | Span, ...] = ()


@dataclass(frozen=True, slots=True)
class And:
    """True when all parts are."""

    parts: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True when any part is."""

    parts: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is false."""

    part: Comparison


@dataclass(frozen=True, slots=True)
class Account:
    """``ANY`` and ``ALL``: over the users of an account, which nothing here knows."""

    junction: str
    part: Comparison


Comparison = Compare | Check | And | Or | Not | Account
Definition = Comparison | Scalar

SYMBOLS = {"eq": ("=", "=="), "neq": ("!=",), "gt": (">",), "gte": (">=",), "lt": ("<",), "lte": ("<=",)}
REDUCERS = ("count", "sum", "avg", "min", "max", "mode", "first", "last", "unique")
NOTHING_GIVEN = ("is_null", "is_set")
A_TEXT_GIVEN = ("contains", "omits", "starts_with", "ends_with")
A_DATE_GIVEN = ("before_date", "after_date")
A_LIST_GIVEN = ("contains_one", "one_of")
A_SPAN_GIVEN = ("within_last", "within_next", "before_last", "after_next")


def is_comparison(definition: Definition) -> bool:
    """Whether this is what an audience ends in; else it is a trait's value."""
    return isinstance(definition, Comparison)


def inside(node: object) -> Iterator[object]:
    """The node itself, and every node inside it."""
    if isinstance(node, tuple):
        for one in node:
            yield from inside(one)
    elif is_dataclass(node):
        yield node
        for own in fields(node):
            yield from inside(getattr(node, own.name))
