"""``$.traits.email``: how a directive names a part of the event, and how it gets there.

A path is split once, when the mapping is compiled; what is left for an event is a few dictionary look-ups. The walk
keeps Segment's rule that **a falsy value ends it**: where ``traits`` is null, so is ``traits.email``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from sync.mapping.values import MISSING, falsy, index_of, unit_at, units

Pieces: TypeAlias = tuple[str, ...]
"""The keys and indexes of a path, as texts; none of them: the whole event."""

Walk: TypeAlias = Callable[[object], object]
"""From the event, or an item of it, to the value at the path; ``MISSING`` where there is none."""

_BETWEEN = re.compile(r"""\.|\[(?=["'0-9])|(?<=["'0-9])\]+""")
_QUOTES = str.maketrans("", "", "'\"")

_LONGEST_REMEMBERED = 100
"""Characters: an event may name paths of any length, and must not fill the memory with them."""


def split(path: str) -> Pieces:
    """The pieces of a path as a template writes it: ``a.b``, ``a['b']``, ``a[0]``; ``a[b]`` is a single key."""
    if path in {"", "."}:
        return ()
    return tuple(piece.translate(_QUOTES) for piece in _BETWEEN.split(path) if piece)


def prepared(path: str) -> str:
    """A path as ``@path`` takes it, in a template's words: the first ``$.`` is left out, wherever it stands."""
    return path.replace("$.", "", 1)


def found(path: str) -> Walk:
    """The walk for a path, in a template's words, that is known only when the event is."""
    return _remembered(path) if len(path) <= _LONGEST_REMEMBERED else walker(split(path))


@lru_cache(maxsize=1024)
def _remembered(path: str) -> Walk:
    return walker(split(path))


def walker(pieces: Pieces) -> Walk:
    """The function that walks these pieces; the usual short paths have their own."""
    match pieces:
        case ():
            return _whole
        case (first,):
            return _one(first)
        case (first, second):
            return _two(first, second)
        case (first, second, third):
            return _three(first, second, third)
    return _many(pieces)


def member(value: object, piece: str) -> object:
    """One step: the member of an object, an item or the ``length`` of a list or a text; a falsy value is its own."""
    if isinstance(value, dict):
        return value.get(piece, MISSING)
    if falsy(value):
        return value
    if isinstance(value, list):
        return _at(value, piece)
    return _within(value, piece) if isinstance(value, str) else MISSING


def _at(items: list[object], piece: str) -> object:
    if piece == "length":
        return len(items)
    index = index_of(piece)
    return MISSING if index is None or index >= len(items) else items[index]


def _within(text: str, piece: str) -> object:
    if piece == "length":
        return units(text)
    index = index_of(piece)
    return MISSING if index is None or index >= units(text) else unit_at(text, index)


def _whole(event: object) -> object:
    return event


# Exact types are asked for because that is fastest, and nearly every value on the way is a plain dict; a missing one is
# the next most frequent, and ends the walk at once.


def _one(first: str) -> Walk:
    def walk(event: object) -> object:
        return event.get(first, MISSING) if type(event) is dict else member(event, first)

    return walk


def _two(first: str, second: str) -> Walk:
    def walk(event: object) -> object:
        value = event.get(first, MISSING) if type(event) is dict else member(event, first)
        if value is MISSING:
            return value
        return value.get(second, MISSING) if type(value) is dict else member(value, second)

    return walk


def _three(first: str, second: str, third: str) -> Walk:
    def walk(event: object) -> object:
        value = event.get(first, MISSING) if type(event) is dict else member(event, first)
        if value is MISSING:
            return value
        value = value.get(second, MISSING) if type(value) is dict else member(value, second)
        if value is MISSING:
            return value
        return value.get(third, MISSING) if type(value) is dict else member(value, third)

    return walk


def _many(pieces: Pieces) -> Walk:
    def walk(event: object) -> object:
        value = event
        for piece in pieces:
            value = value.get(piece, MISSING) if type(value) is dict else member(value, piece)
        return value

    return walk
