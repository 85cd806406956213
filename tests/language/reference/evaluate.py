"""The meaning of a definition, worked out one user at a time in plain Python, as the rules of the language say it.

Nothing here is quick or clever on purpose: each rule stands in one place, in the order in which one would check it by hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from functools import cached_property

from tests.language.reference.tree import (
    Account,
    And,
    Between,
    Check,
    Compare,
    Comparison,
    Context,
    Definition,
    Filter,
    Literal,
    Not,
    Or,
    Property,
    Reduced,
    Scalar,
    Sources,
    Span,
    Trait,
    Where,
    Within,
    inside,
    is_comparison,
)
from tests.language.reference.values import alphabetical, equal, instant, less, plain, sort_of, step

Object = dict[str, object]


class Refused(Exception):
    """The definition has no answer: it asks about accounts, or about itself."""


@dataclass(frozen=True, slots=True)
class Data:
    """What is known: profiles and Segment events, in the shapes of ``query eval``; events in the order of their cursor."""

    profiles: Sequence[Object] = ()
    events: Sequence[Object] = ()


def evaluate(
    definition: Definition, data: Data, as_of: str | datetime, others: Mapping[str, Definition] | None = None
) -> Object:
    """The answer in the shape of ``query eval``: the members of an audience, the values of a trait.

    ``others`` are the definitions that ``trait('key')`` may mean, by key.
    Raises Refused.
    """
    now = instant(as_of) if isinstance(as_of, str) else as_of
    if now is None:
        raise ValueError(f"as_of is no date: {as_of}")
    refuse(definition, others or {})
    users = known_users(data, now, others or {})
    answers = {name: answer(definition, user) for name, user in sorted(users.items())}
    if is_comparison(definition):
        return {"kind": "audience", "members": [name for name, member in answers.items() if member]}
    return {"kind": "trait", "values": {name: value for name, value in answers.items() if value is not None}}


def refuse(definition: Definition, others: Mapping[str, Definition], asking: tuple[str, ...] = ()) -> None:
    """Refuse what asks about accounts, or, by way of others, about itself."""
    for part in inside(definition):
        if isinstance(part, Account):
            raise Refused(f"{part.junction} asks about accounts")
        if isinstance(part, Trait) and part.name in others:
            if part.name in asking:
                raise Refused(" → ".join((*asking, part.name)))
            refuse(others[part.name], others, (*asking, part.name))


@dataclass(slots=True)
class User:
    """One user, and what was found out about her so far."""

    as_of: datetime
    others: Mapping[str, Definition]
    traits: object = None
    events: list[Event] = field(default_factory=list)
    found: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Event:
    """A Segment event with a time, and its place among all of them."""

    raw: Object
    at: datetime
    place: int

    @cached_property
    def name(self) -> str | None:
        """What ``event('…')`` calls it."""
        match self.raw.get("type", "track"), self.raw.get("event"):
            case "page", _:
                return "Page Viewed"
            case "screen", _:
                return "Screen Viewed"
            case "track", str(name) if name not in ("Page Viewed", "Screen Viewed"):
                return name
        return None

    @cached_property
    def properties(self) -> object:
        """Its properties, and the name of a page or screen among them."""
        properties, name = self.raw.get("properties"), self.raw.get("name")
        kind = self.raw.get("type")
        if kind in ("page", "screen") and name is not None:
            return {**(properties if isinstance(properties, dict) else {}), f"{kind}_name": name}
        return properties


def known_users(data: Data, as_of: datetime, others: Mapping[str, Definition]) -> dict[str, User]:
    """Everybody with a profile or an event that counts; an empty id is nobody's."""
    users: dict[str, User] = {}

    def user(name: object) -> User | None:
        return users.setdefault(name, User(as_of, others)) if isinstance(name, str) and name else None

    for profile in data.profiles:
        if (known := user(profile.get("user_id"))) is not None:
            known.traits = profile.get("traits")
    for place, raw in enumerate(data.events):
        at = instant(raw.get("timestamp"))
        if at is not None and at <= as_of and (known := user(raw.get("userId"))) is not None:
            known.events.append(Event(raw, at, place))
    return users


def answer(definition: Definition, user: User, around: tuple[Event, ...] = ()) -> object:
    """What the definition says of a user; ``around`` are the events that it is asked about, the innermost last."""
    if is_comparison(definition):
        return holds(definition, user, around)  # type: ignore[arg-type]
    return value(definition, user, around)  # type: ignore[arg-type]


def holds(comparison: Comparison, user: User, around: tuple[Event, ...]) -> bool:
    """Whether a comparison is true; there is nothing between true and false."""
    match comparison:
        case And(parts):
            return all(holds(part, user, around) for part in parts)
        case Or(parts):
            return any(holds(part, user, around) for part in parts)
        case Not(part):
            return not holds(part, user, around)
        case Compare(left, name, right):
            return _COMPARE[name](value(left, user, around), value(right, user, around))
        case Check(left, name, given):
            return check(value(left, user, around), name, given, user.as_of)
    raise TypeError(comparison)


_COMPARE: dict[str, Callable[[object, object], bool]] = {
    "eq": equal,
    "neq": lambda left, right: not equal(left, right),
    "lt": less,
    "gt": lambda left, right: less(right, left),
    "lte": lambda left, right: less(left, right) or (ordered(left) and equal(left, right)),
    "gte": lambda left, right: less(right, left) or (ordered(left) and equal(left, right)),
}


def ordered(found: object) -> bool:
    """Numbers and texts have an order, booleans have none."""
    return sort_of(found) in ("number", "text")


_OF_TEXTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "contains_one": lambda text, part: part in text,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
_OF_DATES: dict[str, Callable[[datetime, datetime], bool]] = {
    "before_date": lambda date, other: date < other,
    "after_date": lambda date, other: date > other,
}
# "Inclusive", says Segment of each of them: both ends are in.
_OF_SPANS: dict[str, Callable[[datetime, datetime, Span], bool]] = {
    "within_last": lambda date, now, span: now - span.long <= date <= now,
    "before_last": lambda date, now, span: date <= now - span.long,
    "within_next": lambda date, now, span: now <= date <= now + span.long,
    "after_next": lambda date, now, span: date >= now + span.long,
}


def check(found: object, name: str, given: tuple[object, ...], as_of: datetime) -> bool:
    """Whether a value stands one of the comparisons that are written as a call."""
    if name in ("is_null", "is_set"):
        return (found is None) == (name == "is_null")
    if name == "omits":
        return not check(found, "contains", given, as_of)
    if name == "one_of":
        return any(equal(found, one) for one in given)
    if name in _OF_TEXTS:
        return isinstance(found, str) and any(_OF_TEXTS[name](found, str(one)) for one in given)
    date = instant(found)
    if date is None:
        return False
    if name in _OF_DATES:
        other = instant(given[0])
        return other is not None and _OF_DATES[name](date, other)
    (span,) = given
    assert isinstance(span, Span)
    return _OF_SPANS[name](date, as_of, span)


def value(scalar: Scalar, user: User, around: tuple[Event, ...]) -> object:
    """A scalar's value, ``None`` when it is missing."""
    match scalar:
        case Literal(literal):
            return literal
        case Trait(name):
            return trait(name, user)
        case Property(name, parent):
            return step(around[-2 if parent else -1].properties, name)
        case Context(name, parent):
            return step(around[-2 if parent else -1].raw.get("context"), name)
        case Reduced():
            return reduced(scalar, user, around)
    raise TypeError(scalar)


def trait(name: str, user: User) -> object:
    """Another definition's answer about this user; only then a trait of the profile."""
    if name not in user.others:
        return step(user.traits, name)
    if name not in user.found:
        user.found[name] = answer(user.others[name], user)
    return user.found[name]


def passes(one: Filter, event: Event, user: User, around: tuple[Event, ...]) -> bool:
    """Whether an event passes one filter; it must pass all."""
    match one:
        case Where(comparison):
            return holds(comparison, user, (*around, event))
        case Sources(exclude):
            return event.raw.get("projectId") not in exclude
        case Within(span, False):
            return user.as_of - span.long < event.at <= user.as_of
        case Within(span, True):
            return around[-1].at < event.at <= around[-1].at + span.long
        case Between(near, far, False):
            return user.as_of - far.long < event.at <= user.as_of - near.long
        case Between(near, far, True):
            return around[-1].at + near.long < event.at <= around[-1].at + far.long
    raise TypeError(one)


def reduced(asked: Reduced, user: User, around: tuple[Event, ...]) -> object:
    """The one value of the events that pass; ``None`` when there is none."""
    passing = [
        event
        for event in user.events
        if event.name == asked.event and all(passes(one, event, user, around) for one in asked.filters)
    ]
    if asked.reducer == "count":
        return len(passing)
    assert asked.of is not None
    in_time = sorted(passing, key=lambda event: (event.at, event.place))
    values = [plain(value(asked.of, user, (*around, event))) for event in in_time]
    return _REDUCE[asked.reducer]([one for one in values if sort_of(one) not in ("missing", "nested")], asked.minimum)


def numbers(values: list[object]) -> list[Fraction]:
    """Those that are numbers, exact: a sum does not depend on the order."""
    return [Fraction(one) for one in values if sort_of(one) == "number"]  # type: ignore[arg-type]


def number(exact: Fraction | None) -> object:
    """Back to what JSON knows."""
    return None if exact is None else plain(float(exact))


def mode(values: list[object], minimum: int | None) -> object:
    """The most frequent, if it is frequent enough; of several the first in the alphabet."""
    times = Counter(alphabetical(one) for one in values)
    best = max(times.values(), default=0)
    often = [one for one in distinct(values) if times[alphabetical(one)] == best]
    return often[0] if often and best >= (minimum or 1) else None


def distinct(values: list[object]) -> list[object]:
    """Each once, in alphabetical order."""
    return [one for _, one in sorted({alphabetical(one): one for one in values}.items())]


_REDUCE: dict[str, Callable[[list[object], int | None], object]] = {
    "sum": lambda values, _: number(sum(numbers(values)) if numbers(values) else None),
    "avg": lambda values, _: number(sum(numbers(values)) / len(numbers(values)) if numbers(values) else None),
    "min": lambda values, _: number(min(numbers(values), default=None)),
    "max": lambda values, _: number(max(numbers(values), default=None)),
    "mode": mode,
    "first": lambda values, _: values[0] if values else None,
    "last": lambda values, _: values[-1] if values else None,
    "unique": lambda values, _: distinct(values) or None,
    "unique_count": lambda values, _: len(distinct(values)),
}
