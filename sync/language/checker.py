"""From what was written to what it means: which function may follow which, and what a definition must end in.

Invariant: whatever passes is a tree as ``tree`` describes it; whatever does not is an ``InvalidQuery`` at the first thing,
from left to right, that is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from lark import Token

from sync.errors import InvalidQuery
from sync.language import arguments, names
from sync.language.misplaced import shown
from sync.language.syntax import Atom, Call, Chain, Compared, Group, Joined, Node, Prefixed, Written, fault, position
from sync.language.tree import (
    And,
    Between,
    Boolean,
    Comparator,
    Comparison,
    Condition,
    ContainsOne,
    Context,
    DateComparator,
    DateMatch,
    ExcludeSources,
    Filter,
    Not,
    Number,
    OneOf,
    Or,
    Presence,
    Property,
    Query,
    RecencyComparator,
    RecencyMatch,
    Reducer,
    Reduction,
    Reference,
    Stream,
    Text,
    TextComparator,
    TextMatch,
    Trait,
    Value,
    Where,
    Within,
)
from sync.model.definition import Kind

MOST_EXPRESSIONS = 50
"""Primary expressions in a definition, as in the reference: comparisons, wherever they stand, and a trait's value."""

DEEPEST = 50
"""Levels of parentheses, ``NOT`` and ``where``."""

MOST_WHERES = 5
"""`where` inside one another. Deeper, and SQLite cannot follow what they are compiled to."""

_OPERATORS = {each.value: each for each in Comparator} | {"==": Comparator.EQ}
_METHODS = {each.name.lower(): each for each in Comparator}
_MEANT_OPERATORS = {"<>": "!=", "!": "!=", "!==": "!=", "=!": "!=", "===": "=", "=>": ">=", "=<": "<="}
_VALUES = (Text, Number, Boolean, Trait, Reference, Property, Context, Reduction)
_LITERALS = (Text, Number, Boolean)

_ACCOUNTS = (
    "asks about all users of an account, for which the source must say which user belongs to which account; there is no "
    "such setting yet: leave it out to ask about single users"
)

_Meaning: TypeAlias = Stream | Value | Condition


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where something stands: how deep, and inside how many ``where``, each of which has an event of its own."""

    depth: int = 0
    wheres: int = 0

    def deeper(self, token: Token) -> _Scope:
        if self.depth == DEEPEST:
            raise fault(token, f"this nests deeper than {DEEPEST} levels: take it apart into several definitions")
        return replace(self, depth=self.depth + 1)

    def within_where(self, token: Token) -> _Scope:
        if self.wheres == MOST_WHERES:
            sentence = (
                f"this is the {MOST_WHERES + 1}th `where` inside one another, and {MOST_WHERES} are the most: ask about "
                "fewer events at once"
            )
            raise fault(token, sentence)
        return replace(self.deeper(token), wheres=self.wheres + 1)


class Checker:
    """Checks one query, once."""

    def __init__(self, written: Written) -> None:
        self._written = written
        self._expressions = 0

    def query(self, kind: Kind) -> Query:
        """The condition of an audience, or the value of a trait."""
        node = self._written.node
        if kind is Kind.AUDIENCE:
            return self._condition(node, _Scope())
        found = self._meaning(node, _Scope())
        if isinstance(found, Stream):
            raise self._incomplete(node, "a reducer must stand, such as `.count()`")
        if isinstance(found, _LITERALS):
            raise fault(node.first, "a literal is the same for everybody: begin with `event('…')` or `trait('…')`")
        if not isinstance(found, _VALUES):
            sentence = "a trait ends in a value, and this makes it true or false: leave it out, or make it an audience"
            raise fault(_decisive(node), sentence)
        self._count(node.first)
        return found

    def _meaning(self, node: Node, scope: _Scope) -> _Meaning:
        match node:
            case Joined():
                inner = scope.deeper(node.word)
                parts = tuple(self._condition(part, inner) for part in node.parts)
                return And(parts) if node.word.type == "AND" else Or(parts)
            case Prefixed():
                if node.word.type != "NOT":
                    raise fault(node.word, f"`{node.word.upper()}` {_ACCOUNTS}")
                return Not(self._condition(node.part, scope.deeper(node.word)))
            case Group():
                return self._meaning(node.inner, scope.deeper(node.first))
            case Compared():
                return self._compared(node, scope)
            case Chain():
                return self._chain(node, scope)
            case Call():
                return self._extractor(node, scope)
        if isinstance(node, Atom):
            return arguments.literal(node)
        raise fault(node.first, "a list or a duration stands only where a function asks for one")

    def _condition(self, node: Node, scope: _Scope) -> Condition:
        found = self._meaning(node, scope)
        if isinstance(found, _LITERALS):
            raise fault(
                node.first, "a condition does not begin with a literal: write `trait('…')`, `event('…')` or `(`"
            )
        if isinstance(found, Stream):
            raise self._incomplete(node, "a reducer and a comparison must stand, such as `.count() >= 1`")
        if isinstance(found, Trait):
            raise self._incomplete(node, "a comparison must stand, such as `>= 1`, or `= true` for an audience")
        if isinstance(found, _VALUES):
            raise self._incomplete(node, "a comparison must stand, such as `>= 1` or `.is_set()`")
        return found

    def _value(self, node: Node, scope: _Scope) -> Value:
        found = self._meaning(node, scope)
        if isinstance(found, Stream):
            raise self._incomplete(node, "a reducer must stand, such as `.count()`")
        if not isinstance(found, _VALUES):
            raise fault(node.first, "this is true or false, and a value must stand here")
        if isinstance(found, Reduction) and found.is_list:
            raise self._incomplete(node, "`.count()` must stand: a list can only be counted")
        return found

    def _incomplete(self, node: Node, sentence: str) -> InvalidQuery:
        following = self._written.following(node.last)
        return fault(following, f"found {shown(following)} where {sentence}")

    def _count(self, token: Token) -> None:
        self._expressions += 1
        if self._expressions > MOST_EXPRESSIONS:
            raise fault(
                token,
                f"this is more than {MOST_EXPRESSIONS} expressions: make some of them definitions of their own, and refer "
                "to these by `trait('key')`",
            )

    def _compared(self, node: Compared, scope: _Scope) -> Comparison:
        left = self._meaning(node.left, scope)
        comparator = _OPERATORS.get(node.operator)
        if isinstance(left, _LITERALS):
            raise fault(node.left.first, "a comparison does not begin with a literal: turn it round")
        if isinstance(left, Stream):
            raise fault(node.operator, f"events cannot be compared: {names.AFTER_EVENTS}")
        if isinstance(left, Reduction) and left.is_list:
            raise fault(node.operator, names.AFTER_A_LIST)
        if not isinstance(left, _VALUES):
            raise fault(node.operator, f"nothing is compared with what is true or false: {names.AFTER_A_COMPARISON}")
        if comparator is None:
            meant = _MEANT_OPERATORS.get(node.operator)
            rather = f"write `{meant}`" if meant else f"there are {names.listed(tuple(_OPERATORS))}"
            raise fault(node.operator, f"{shown(node.operator)} is no comparison: {rather}")
        self._count(node.first)
        return Comparison(left, comparator, self._value(node.right, scope))

    def _chain(self, node: Chain, scope: _Scope) -> _Meaning:
        found = self._meaning(node.head, scope)
        for call in node.calls:
            if isinstance(found, _VALUES) and call.name.lower() in names.COMPARISONS:
                self._count(node.first)
            found = self._step(found, call, scope)
        return found

    def _step(self, found: _Meaning, call: Call, scope: _Scope) -> _Meaning:
        """What ``found`` becomes by one more function behind a dot."""
        name = call.name.lower()
        if isinstance(found, Stream):
            if name in names.FILTERS:
                return replace(found, filters=(*found.filters, self._filter(call, scope)))
            if name in names.REDUCERS:
                return self._reduction(found, call, scope)
            raise _cannot_follow(call, names.AFTER_EVENTS, names.FILTERS + names.REDUCERS)
        if isinstance(found, _LITERALS):
            raise _cannot_follow(call, names.AFTER_A_LITERAL, ())
        if isinstance(found, Reduction) and found.is_list:
            if name != "count":
                raise _cannot_follow(call, names.AFTER_A_LIST, ("count",))
            arguments.values(call, 0)
            return replace(found, reducer=Reducer.COUNT_UNIQUE)
        if not isinstance(found, _VALUES):
            raise _cannot_follow(call, names.AFTER_A_COMPARISON, ())
        if name not in names.COMPARISONS:
            raise _cannot_follow(call, names.AFTER_A_VALUE, names.COMPARISONS)
        return self._comparison(found, call, scope)

    def _extractor(self, call: Call, scope: _Scope) -> _Meaning:
        match call.name.lower():
            case "event":
                return Stream(arguments.name(arguments.values(call, 1)[0], call))
            case "trait":
                return Trait(arguments.name(arguments.values(call, 1)[0], call), position(call.name))
            case "property" | "context":
                return _member(call, scope)
            case "literal":
                return arguments.literal(call)
            case name if name in names.ALL:
                raise fault(call.name, names.not_at_the_beginning(name))
        raise fault(call.name, names.unknown(call.name, names.EXTRACTORS))

    def _filter(self, call: Call, scope: _Scope) -> Filter:
        match call.name.lower():
            case "where":
                condition = arguments.values(call, 1)[0]
                return Where(self._condition(condition, scope.within_where(call.name)))
            case "sources":
                return ExcludeSources(arguments.texts(arguments.named(call, "exclude"), call))
            case "within":
                given, of_parent = arguments.values_of_parent(call, 1)
                _check_parent(call, scope.wheres, of_parent=of_parent)
                return Within(arguments.duration(given[0], call), of_parent)
        given, of_parent = arguments.values_of_parent(call, 2)
        _check_parent(call, scope.wheres, of_parent=of_parent)
        near, far = arguments.duration(given[0], call, least=0), arguments.duration(given[1], call)
        if near.delta >= far.delta:
            raise fault(
                given[1].first, "the second duration must be longer than the first, as in `between(7 days, 10 days)`"
            )
        return Between(near, far, of_parent)

    def _reduction(self, stream: Stream, call: Call, scope: _Scope) -> Reduction:
        reducer = Reducer(call.name.lower())
        if reducer is Reducer.COUNT:
            arguments.values(call, 0)
            return Reduction(stream, reducer)
        given = arguments.values(call, 2 if reducer is Reducer.MODE else 1)
        member = arguments.bare(given[0])
        if not isinstance(member, Call) or member.name.lower() not in {"property", "context"}:
            rather = f"write `{reducer}(property('price'))`"
            raise fault(
                given[0].first, f"`{reducer}` reads a `property('…')` or `context('…')` of its events: {rather}"
            )
        if any(argument.name is not None for argument in member.arguments):
            raise fault(
                member.arguments[0].first, f"`{reducer}` reads the events it reduces, and no others: leave this out"
            )
        found = _member(member, replace(scope, wheres=1))
        return Reduction(stream, reducer, found, arguments.whole(given[1], call) if reducer is Reducer.MODE else None)

    def _comparison(self, left: Value, call: Call, scope: _Scope) -> Condition:
        name = call.name.lower()
        if name in {"is_null", "is_set"}:
            arguments.values(call, 0)
            return Presence(left, is_set=name == "is_set")
        if name in {"contains_one", "one_of"} and len(call.arguments) > 1:
            raise fault(call.arguments[1].first, f"put the values in brackets: write `{names.usage(name)}`")
        given = arguments.values(call, 1)[0]
        match name:
            case "contains" | "omits" | "starts_with" | "ends_with":
                return TextMatch(left, TextComparator(name), arguments.text(given, call))
            case "contains_one":
                return ContainsOne(left, arguments.texts(given, call))
            case "one_of":
                return OneOf(left, arguments.literals(given, call))
            case "before_date" | "after_date":
                return DateMatch(left, DateComparator(name), arguments.instant(given, call))
            case "within_last" | "within_next" | "before_last" | "after_next":
                return RecencyMatch(left, RecencyComparator(name), arguments.duration(given, call))
        return Comparison(left, _METHODS[name], self._value(given, scope))


def _member(call: Call, scope: _Scope) -> Property | Context:
    """``property('…')`` or ``context('…')``, of the event at hand or of its parent."""
    name = call.name.lower()
    given, of_parent = arguments.values_of_parent(call, 1)
    if not scope.wheres:
        raise fault(call.name, f"`{name}` stands only inside `where(…)` or a reducer: here could stand `trait('…')`")
    _check_parent(call, scope.wheres - 1, of_parent=of_parent)
    found = arguments.name(given[0], call)
    return Property(found, of_parent) if name == "property" else Context(found, of_parent)


def _check_parent(call: Call, around: int, *, of_parent: bool) -> None:
    """A parent is the event whose ``where`` something stands in; ``around`` is how many there are."""
    if of_parent and not around:
        sentence = (
            "there is no parent event here: `parent:` stands on a second `event('…')`, inside the first one's `where`"
        )
        raise fault(call.arguments[0].first, sentence)


def _cannot_follow(call: Call, rule: str, allowed: tuple[str, ...]) -> InvalidQuery:
    if call.name.lower() in names.ALL:
        return fault(call.name, f"`{call.name.lower()}` cannot follow here: {rule}")
    return fault(
        call.name, f"{names.unknown(call.name, allowed)}" if allowed else f"{shown(call.name)} cannot follow: {rule}"
    )


def _decisive(node: Node) -> Token:
    """What makes a condition of it."""
    match node:
        case Joined() | Prefixed():
            return node.word
        case Group():
            return _decisive(node.inner)
        case Compared():
            return node.operator
        case Chain():
            return node.calls[-1].name
    return node.first
