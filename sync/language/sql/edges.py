"""What of a query moves with time and with rows: the edges of its windows, and what else it reads.

An event counts in a stream from the instant that it passes the near edge of a window until it passes the far one. While
none passes, no row appears and no profile changes, a user's answer stays what it is; but for relative dates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta

from sync.language.tree import Between, Query, Reduction, Stream, Trait, Within

_NOW = timedelta(0)


def edges(query: Query) -> Mapping[str, frozenset[timedelta]]:
    """For the name of each event that is read anywhere inside: how long before as_of the edges lie that it may cross.

    An event that no window limits comes in when it is due. Windows that count from a parent event have no edge here:
    whether its events are close enough does not change with time.
    """
    found: dict[str, frozenset[timedelta]] = {}
    for each in inside(query):
        if isinstance(each, Reduction):
            found[each.stream.event] = found.get(each.stream.event, frozenset()) | _edges(each.stream)
    return found


def _edges(stream: Stream) -> frozenset[timedelta]:
    found: set[timedelta] = set()
    for each in stream.filters:
        match each:
            case Within(duration, False):
                found |= {_NOW, duration.delta}
            case Between(near, far, False):
                found |= {near.delta, far.delta}
    return frozenset(found or {_NOW})


def reads_profiles(query: Query) -> bool:
    """Whether it reads a trait of a profile."""
    return any(isinstance(each, Trait) for each in inside(query))


def inside(node: object) -> Iterator[object]:
    """Every node of a tree, in what references have put in place too."""
    if isinstance(node, tuple):
        for each in node:
            yield from inside(each)
    elif is_dataclass(node):
        yield node
        for field in fields(node):
            yield from inside(getattr(node, field.name))
