"""What a query reads of a source, with everything that it refers to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass

from sync.language.tree import Query, Reducer, Reduction, Reference, Stream, Trait


def events(query: Query) -> frozenset[str]:
    """The names of the events."""
    return frozenset(each.event for each in nodes(query) if isinstance(each, Stream))


def profile_traits(query: Query) -> frozenset[tuple[str, ...]]:
    """The traits of profiles, as the pieces between the dots; the keys of definitions were put in place before."""
    return frozenset(each.path for each in nodes(query) if isinstance(each, Trait))


def is_sum(query: object) -> bool:
    """Whether it is a sum or a mean, itself or by reference."""
    while isinstance(query, Reference):
        query = query.query
    return isinstance(query, Reduction) and query.reducer in (Reducer.SUM, Reducer.AVG)


def nodes(node: object, *, referred: bool = True) -> Iterator[object]:
    """Everything in a tree, in the order it was written; ``referred``: in what references have put in place too."""
    if isinstance(node, tuple):
        for each in node:
            yield from nodes(each, referred=referred)
    elif is_dataclass(node):
        yield node
        if referred or not isinstance(node, Reference):
            for field in fields(node):
                yield from nodes(getattr(node, field.name), referred=referred)
