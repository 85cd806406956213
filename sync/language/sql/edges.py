"""What of a query moves with time: the edges of its windows.

An event counts in a stream from the instant that it passes the near edge of a window until it passes the far one. While
none passes, no row appears and no profile changes, a user's answer stays what it is; but for relative dates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sync.language.reads import nodes
from sync.language.tree import Between, Query, Stream, Within

_NOW = timedelta(0)


def edges(query: Query) -> Mapping[str, frozenset[timedelta]]:
    """For the name of each event that is read anywhere inside: how long before as_of the edges lie that it may cross.

    An event that no window limits comes in when it is due. Windows that count from a parent event have no edge here:
    whether its events are close enough does not change with time.
    """
    found: dict[str, frozenset[timedelta]] = {}
    for each in nodes(query):
        if isinstance(each, Stream):
            found[each.event] = found.get(each.event, frozenset()) | _edges(each)
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
