"""Random definitions over a world: every construct, nested, with literals from the pools that the data was drawn from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from tests.language.reference.tree import (
    REDUCERS,
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
    is_comparison,
)
from tests.language.reference.world import (
    CONTEXTS,
    EVENTS,
    MIXED,
    PAGE_NAMES,
    PROPERTIES,
    SOURCES,
    TRAITS,
    World,
    random_date,
)

_DEEPEST = 3
"""Streams inside one another: an event, what followed it, and what followed that."""
_MOST = 14
"""Comparisons in one definition."""
_SORTS = (*("number", "text", "date", "text", "date") * 3, *("boolean", "mixed", "nested", "any"))
"""Of what is compared."""
_DATES = ("within_last", "within_next", "before_last", "after_next", "before_date", "after_date")


class Definer:
    """Makes definitions; ``others`` are those that they may refer to, ``unnamed`` what must not be named: it would be a cycle."""

    def __init__(
        self, random: Random, world: World, others: Mapping[str, Definition], unnamed: Collection[str] = ()
    ) -> None:
        self._random = random
        self._world = world
        self._others = others
        self._traits = {name: sort for name, sort in TRAITS.items() if name not in unnamed}
        self._left = _MOST
        self._events = world.pools.events
        self._numbers = world.pools.numbers
        self._texts = tuple(text for text in world.pools.texts if "\n" not in text)

    def audience(self) -> Comparison:
        """A definition that ends in a comparison."""
        self._left = _MOST
        if self._chance(0.25):
            return self._measured(self._funnel(), 0, "")
        return self._comparison(0, "")

    def trait(self) -> Reduced:
        """A definition that ends in a value."""
        self._left = _MOST
        return self._reduced(0)

    def _funnel(self) -> Reduced:
        """What was followed by something else within a while, and little besides: deep nesting hides small mistakes."""
        event, then = self._random.sample(self._events, 2)
        sort = self._random.choice(_SORTS[:5])
        same = Compare(
            Property(self._named(PROPERTIES, sort)),
            self._operator(),
            Property(self._named(PROPERTIES, sort), parent=True),
        )
        filters: tuple[Filter, ...] = (
            self._after_parent(),
            *((Where(same),) if self._chance(0.4) else ()),
        )
        followed = Compare(Reduced(then, filters, "count"), "gte", Literal(1))
        if self._chance(0.3):
            return Reduced(event, (Where(self._leaf(1, event)),), "count")
        return Reduced(event, (Where(followed if self._chance(0.8) else Not(followed)),), "count")

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _comparison(self, depth: int, event: str, joined: int = 0) -> Comparison:
        if self._chance((0.5, 0.35, 0.25, 0.2)[depth]) and joined < 2 and self._left > 3:
            kind = self._random.choice((And, Or, Not))
            if kind is Not:
                return Not(self._comparison(depth, event, joined + 1))
            count = self._random.choice((2, 2, 3))
            return kind(tuple(self._comparison(depth, event, joined + 1) for _ in range(count)))
        return self._leaf(depth, event)

    def _leaf(self, depth: int, event: str) -> Comparison:
        self._left -= 1
        left = self._scalar(depth, event)
        return self._compared(left, self._sort(left), depth, event)

    def _scalar(self, depth: int, event: str) -> Scalar:
        """What a comparison begins with."""
        choice = self._random.random()
        if depth == 0:
            return self._trait() if choice < 0.35 else self._reduced(0)
        if choice < (0, 0.3, 0.15)[depth % 3] and depth < _DEEPEST and self._left > 0:
            return self._reduced(depth)
        if choice < 0.38:
            return self._trait()
        return self._of_event(depth, event)

    def _trait(self) -> Trait:
        if self._others and self._chance(0.4):
            return Trait(self._random.choice(list(self._others)))
        return Trait(self._named(self._traits, ""))

    def _of_event(self, depth: int, event: str, sort: str = "") -> Property | Context:
        """A property or a piece of the context, of a wanted sort if one is given."""
        if depth > 1 and self._chance(0.35):
            if self._chance(0.2):
                return Context(self._named(CONTEXTS, sort), parent=True)
            return Property(self._named(PROPERTIES, sort), parent=True)
        if not sort and self._chance(0.2):
            return Context(self._named(CONTEXTS, sort))
        if sort in ("", "text") and event in PAGE_NAMES and self._chance(0.4):
            return Property(PAGE_NAMES[event])
        return Property(self._named(PROPERTIES, sort))

    def _named(self, names: Mapping[str, str], sort: str) -> str:
        sort = sort or self._random.choice(_SORTS)
        wanted = [name for name, own in names.items() if own == sort] or list(names)
        return self._random.choice(wanted)

    def _sort(self, scalar: Scalar) -> str:
        """What its values should be."""
        match scalar:
            case Trait(name) if name in self._others:
                other = self._others[name]
                return "boolean" if is_comparison(other) else self._sort(other)  # type: ignore[arg-type]
            case Trait(name):
                return TRAITS[name]
            case Property(name):
                return PROPERTIES.get(name, "text")
            case Context(name):
                return CONTEXTS[name]
            case Reduced(_, _, "mode" | "first" | "last", of):
                return self._sort(of)  # type: ignore[arg-type]
            case Reduced(_, _, "unique"):
                return "nested"
        return "number"

    def _reduced(self, depth: int) -> Reduced:
        event = self._random.choice(self._events if self._chance(0.95) else EVENTS)
        filters = tuple(self._filter(depth, event) for _ in range(self._random.choice((0, 1, 1, 2, 2, 3))))
        if depth and self._chance(0.7):
            filters = (*filters, self._after_parent())
        if self._chance(0.35):
            return Reduced(event, filters, "count")
        # A list can be an answer, but within a comparison only its length can be compared.
        reducer = self._random.choice(REDUCERS[1:])
        if reducer == "unique" and (depth or self._left < _MOST or self._chance(0.4)):
            reducer = "unique_count"
        sort = "number" if reducer in ("sum", "avg", "min", "max") else "mixed"
        of = self._of_event(1, event, sort if self._chance(0.8 if sort == "number" else 0.4) else "")
        return Reduced(event, filters, reducer, of, self._random.choice((1, 1, 2, 3)) if reducer == "mode" else None)

    def _filter(self, depth: int, event: str) -> Filter:
        choice = self._random.random()
        if choice < (0.45 if depth == 0 else 0.6) and self._left > 0:
            return Where(self._comparison(depth + 1, event))
        if choice < 0.68:
            return Sources(tuple(self._random.sample((*SOURCES, "elsewhere"), self._random.choice((1, 1, 2)))))
        newest, oldest = self._span(), self._span()
        if choice < 0.84 and newest.long < oldest.long:
            return Between(newest, oldest)
        return Within(max(newest, oldest, key=lambda span: span.long))

    def _after_parent(self) -> Filter:
        near, far = self._span(), self._span()
        if near.long < far.long and self._chance(0.3):
            return Between(near, far, parent=True)
        return Within(far, parent=True)

    def _span(self) -> Span:
        return self._random.choice(self._world.pools.spans)

    def _compared(self, left: Scalar, sort: str, depth: int, event: str) -> Comparison:
        if self._chance(0.08):
            return Check(left, self._random.choice(("is_null", "is_set")))
        if isinstance(left, Reduced) and sort == "number":
            return self._measured(left, depth, event)
        if self._chance(0.1):
            sort = self._random.choice(("number", "text", "boolean", "date"))
        if sort in ("mixed", "any"):
            return self._of_any(left)
        if self._chance(0.15 if depth < 2 else 0.5):
            return Compare(left, self._operator(), self._dynamic(sort, depth, event))
        if sort == "text":
            return self._of_text(left)
        if sort == "date":
            return self._of_date(left)
        if sort == "number" and self._chance(0.15):
            return Check(left, "one_of", self._literals(self._numbers, self._texts, MIXED))
        equality = sort == "boolean"
        return Compare(left, self._random.choice(("eq", "neq")) if equality else self._operator(), self._literal(sort))

    def _of_any(self, left: Scalar) -> Comparison:
        if self._chance(0.5):
            return Check(left, "one_of", self._literals(MIXED))
        return Compare(left, self._operator(), Literal(self._random.choice(MIXED)))

    def _operator(self) -> str:
        return self._random.choice(("eq", "neq", "gt", "gte", "lt", "lte"))

    def _measured(self, left: Reduced, depth: int, event: str) -> Comparison:
        """A count against a small number, a sum against any; now and then against what is worked out as well."""
        operator = self._random.choice(("gte", "gte", "gt", "eq", "lt", "lte", "neq"))
        if self._chance(0.12):
            return Compare(left, operator, self._dynamic("number", depth, event))
        small = left.reducer in ("count", "unique_count")
        return Compare(left, operator, Literal(self._random.choice((0, 1, 1, 1, 2, 2, 3) if small else self._numbers)))

    def _dynamic(self, sort: str, depth: int, event: str) -> Scalar:
        if depth and self._chance(0.5):
            return self._of_event(depth, event, sort)
        if self._left > 0 and depth < _DEEPEST and self._chance(0.3):
            self._left -= 1
            return self._reduced(depth)
        fitting = [key for key in self._others if self._sort(Trait(key)) == sort]
        if fitting and self._chance(0.5):
            return Trait(self._random.choice(fitting))
        return Trait(self._named(self._traits, sort))

    def _literal(self, sort: str) -> Literal:
        if sort == "boolean":
            return Literal(self._chance(0.5))
        if sort == "date":
            return Literal(self._date())
        return Literal(self._random.choice(self._texts if sort == "text" else self._numbers))

    def _literals(self, *pools: Sequence[str | int | float]) -> tuple[str | int | float, ...]:
        return tuple(self._random.choice(self._random.choice(pools)) for _ in range(self._random.choice((1, 3, 5))))

    def _of_text(self, left: Scalar) -> Comparison:
        name = self._random.choice(("", "one_of", "contains_one", "contains", "omits", "starts_with", "ends_with"))
        if name == "":
            return Compare(left, self._operator(), self._literal("text"))
        if name == "one_of":
            return Check(left, name, self._literals(self._texts))
        if name == "contains_one":
            return Check(left, name, tuple(self._part() for _ in range(self._random.choice((1, 2, 3)))))
        return Check(left, name, (self._part(),))

    def _part(self) -> str:
        """One of the texts, or a piece of it."""
        text = self._random.choice(self._texts)
        start, end = sorted(self._random.randrange(len(text) + 1) for _ in "ab")
        return text[start:end] if self._chance(0.3) and end > start else text

    def _of_date(self, left: Scalar) -> Comparison:
        name = self._random.choice(_DATES)
        given = self._date() if name.endswith("_date") else self._span()
        return Check(left, name, (given,))

    def _date(self) -> str:
        return random_date(self._random, self._world.pools)
