"""How far back a query looks: how old an event may be that still counts."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass

from sync.language.tree import Between, Query, Stream, Within


def lookback(query: Query) -> float:
    """Seconds, in everything that was put in place too; infinite where a stream has no window, 0 without events."""
    return _furthest(query, math.inf)


def _furthest(node: object, parent: float) -> float:
    """``parent``: how far back the event lies that a funnel's stream counts from."""
    if isinstance(node, tuple):
        return max((_furthest(each, parent) for each in node), default=0.0)
    if isinstance(node, Stream):
        # Several windows intersect. What comes after an event is no older than that.
        own = min((_edge(each, parent) for each in node.filters), default=math.inf)
        return max(own, _furthest(node.filters, own))
    if is_dataclass(node):
        return max((_furthest(getattr(node, each.name), parent) for each in fields(node)), default=0.0)
    return 0.0


def _edge(part: object, parent: float) -> float:
    match part:
        case Within(duration, False) | Between(_, duration, False):
            return duration.delta.total_seconds()
        case Within() | Between():
            return parent
    return math.inf
