"""Definitions that refer to others by ``trait('key')``: found, put in place, and refused when they go in circles.

A definition's key wins over a profile trait of the same name; so ``trait`` with its own key is a circle of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sync.errors import InvalidQuery
from sync.language.parser import parse
from sync.language.reads import nodes
from sync.language.tree import (
    Comparison,
    ContainsOne,
    DateMatch,
    OneOf,
    Presence,
    Query,
    RecencyMatch,
    Reduction,
    Reference,
    TextMatch,
    Trait,
)
from sync.model.definition import Definition

MOST_EXPRESSIONS = 500
"""Comparisons in a definition together with all that it refers to, each as often as it is referred to."""

LONGEST_CHAIN = 20
"""Definitions that refer to one another, one after the other."""

_EXPRESSIONS = (Comparison, Presence, TextMatch, ContainsOne, OneOf, DateMatch, RecencyMatch)


def traits(query: Query) -> Iterator[Trait]:
    """Every ``trait('…')`` in ``query`` that is not put in place, in the order they were written."""
    for node in nodes(query, referred=False):
        if isinstance(node, Trait):
            yield node


def referenced(query: Query) -> frozenset[str]:
    """The names in every ``trait('…')`` of ``query``: keys of definitions, or profile traits."""
    return frozenset(trait.name for trait in traits(query))


def expressions(query: Query) -> int:
    """How many primary expressions it has, without what references bring in: comparisons, and a trait's value."""
    compared = sum(isinstance(node, _EXPRESSIONS) for node in nodes(query, referred=False))
    return compared + isinstance(query, (Reduction, Trait, Reference))


def circles(queries: Mapping[str, Query]) -> list[tuple[str, ...]]:
    """Every circle of definitions that refer to each other, once: ``(a, b, a)`` when a refers to b and b to a."""
    follows = {key: [each.name for each in traits(query) if each.name in queries] for key, query in queries.items()}
    try:
        TopologicalSorter(follows).prepare()
    except CycleError:
        return list(_told_once(follows))
    return []


def _told_once(follows: Mapping[str, list[str]]) -> Iterator[tuple[str, ...]]:
    told: set[str] = set()
    for key in follows:
        circle = () if key in told else _circle(key, follows)
        told.update(circle)
        if circle:
            yield circle


def expand(key: str, queries: Mapping[str, Query]) -> Query:
    """The definition ``key`` with every reference to another of ``queries`` put in place, at any depth.

    Raises:
        InvalidQuery: the references go in a circle (the whole chain is named), one gives a list, or all that they bring
            in is too much; at the place in ``key``'s own text where it begins.
    """
    return _Expansion(queries).of(key, (key,))


@lru_cache(maxsize=256)
def asked(definition: Definition) -> Query:
    """What a definition with a ``query`` asks, with everything that it refers to put in place."""
    assert definition.query is not None  # noqa: S101 - the caller's branch
    queries = {each.key: parse(each.text, each.kind) for each in definition.query.referred}
    return expand(definition.key, queries | {definition.key: parse(definition.query.text, definition.kind)})


class _Expansion:
    """One expansion; what is referred to twice is expanded once."""

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = queries
        self._done: dict[str, Reference] = {}
        self._sizes: dict[str, int] = {}

    def of(self, key: str, chain: tuple[str, ...]) -> Query:
        size = expressions(self._queries[key])

        def reference(trait: Trait) -> Trait | Reference:
            nonlocal size
            if trait.name not in self._queries:
                return trait
            found = self._reference(trait, chain)
            size += self._sizes[trait.name]
            if size > MOST_EXPRESSIONS:
                raise _fault(trait, f"brings in more than {MOST_EXPRESSIONS} expressions, with all that it refers to")
            return found

        expanded: Query = _replaced(self._queries[key], reference)
        self._sizes[key] = size
        return expanded

    def _reference(self, trait: Trait, chain: tuple[str, ...]) -> Reference:
        key = trait.name
        if key in chain:
            raise _fault(trait, f"goes in a circle ({' → '.join((*chain, key))}): take one of these references out")
        if len(chain) == LONGEST_CHAIN:
            raise _fault(trait, f"ends a chain of more than {LONGEST_CHAIN} definitions ({chain[0]} → … → {key})")
        query = self._queries[key]
        if isinstance(query, Reduction) and query.is_list:
            raise _fault(trait, "is a list, and cannot be compared: refer to a definition that ends in `.count()`")
        if key not in self._done:
            try:
                self._done[key] = Reference(key, self.of(key, (*chain, key)))
            except InvalidQuery as error:
                # It is about a text that stands elsewhere: here, the reference to it is what can be seen.
                raise InvalidQuery(error.sentence, trait.position.line, trait.position.column) from None
        return self._done[key]


def _fault(trait: Trait, sentence: str) -> InvalidQuery:
    return InvalidQuery(f"`trait('{trait.name}')` {sentence}", trait.position.line, trait.position.column)


def _circle(start: str, follows: Mapping[str, list[str]]) -> tuple[str, ...]:
    """The first way from ``start`` back to itself; empty when there is none."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = [start]
    for key in waiting:
        for following in follows[key]:
            if following == start:
                return (*ways[key], start)
            if following not in ways:
                ways[following] = (*ways[key], following)
                waiting.append(following)
    return ()


def _replaced(node: Any, change: Callable[[Trait], Trait | Reference]) -> Any:
    """``node`` with every trait changed; what has none stays the same object."""
    if isinstance(node, Trait):
        return change(node)
    if isinstance(node, tuple):
        parts = tuple(_replaced(each, change) for each in node)
        return node if all(new is old for new, old in zip(parts, node, strict=True)) else parts
    if not is_dataclass(node) or isinstance(node, (Reference, type)):
        return node
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    new = {name: _replaced(value, change) for name, value in values.items()}
    return node if all(new[name] is value for name, value in values.items()) else replace(node, **new)
