"""(i) Definitions in Segment's language against SQL that a good engineer writes for the same tables.

Both are read to the end as a refresh reads them: streamed, checked, in canonical form. Written by hand, the SQL trusts the
data; compiled, it takes whatever may stand there. The answers are the same, which is checked.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from bench.measure import timed
from bench.places import Place, Places
from bench.shop import FILTERED_SUM, FUNNEL, NOW, WINDOWED_COUNT, Shop, definition
from bench.table import Row, heading, line
from sync.model.definition import Definition
from sync.source.connection import Source
from sync.source.reader import answer

AT_MOST = 1.3
_SECONDS, _MORE = 10, 8
"""What is over soon takes more turns: until it has taken so many seconds, and no more than so many times as many."""

_BY_HAND = {
    "windowed count": (
        WINDOWED_COUNT,
        (
            "SELECT customer_id AS user_id FROM orders WHERE ordered_at > {30 days ago} AND ordered_at <= :as_of "
            "GROUP BY customer_id HAVING count(*) >= 2"
        ),
    ),
    "filtered sum": (
        FILTERED_SUM,
        (
            "SELECT customer_id AS user_id, sum(total) AS value FROM orders "
            "WHERE status = 'paid' AND total >= 100 AND ordered_at <= :as_of GROUP BY customer_id"
        ),
    ),
    "funnel": (
        FUNNEL,
        (
            "SELECT DISTINCT o.customer_id AS user_id FROM orders AS o "
            "WHERE o.ordered_at > {90 days ago} AND o.ordered_at <= :as_of AND o.total >= 100 AND EXISTS ("
            "SELECT 1 FROM returns AS r WHERE r.customer_id = o.customer_id AND r.returned_at > o.ordered_at "
            "AND r.returned_at <= {5 days later} AND r.returned_at <= :as_of)"
        ),
    ),
}
_INSTANTS = {
    "SQLite": {
        "30 days ago": "datetime(:as_of, '-30 days')",
        "90 days ago": "datetime(:as_of, '-90 days')",
        "5 days later": "datetime(o.ordered_at, '+5 days')",
    },
    "PostgreSQL": {
        "30 days ago": "(:as_of - interval '30 days')",
        "90 days ago": "(:as_of - interval '90 days')",
        "5 days later": "o.ordered_at + interval '5 days'",
    },
}


def run(places: Places, events: int, users: int, times: int) -> None:
    """Print the table for both engines."""
    heading(f"(i) definitions over {events:,} events of {users:,} users: seconds, compiled SQL against SQL by hand")
    for place in places.fresh():
        with Shop(events, users).open(place) as source:
            for what, (query, by_hand) in _BY_HAND.items():
                line(_one(place, source, what, definition(query, "asked"), by_hand, times))


def _one(place: Place, source: Source, what: str, ours: Definition, by_hand: str, times: int) -> Row:
    theirs = replace(ours, query=None, sql=by_hand.format_map(_INSTANTS[place.engine]))
    assert _alike(_read(source, ours), _read(source, theirs)), what
    mine: list[float] = []
    other: list[float] = []
    while len(mine) < times or (sum(mine) < _SECONDS and len(mine) < times * _MORE):
        other.append(timed(lambda _: _drain(source, theirs), len(other)))
        mine.append(timed(lambda _: _drain(source, ours), len(mine)))
    # The least of each: whatever else the machine does makes both slower, and not by the same.
    return Row(what, place.engine, f"{min(mine):.2f} s", f"{min(other):.2f} s", min(mine) / min(other), at_most=AT_MOST)


def _drain(source: Source, asked: Definition) -> None:
    with answer(source, asked, NOW) as found:
        for _ in found.chunks:
            pass


def _read(source: Source, asked: Definition) -> Mapping[str, float]:
    everybody: dict[str, float] = {}
    with answer(source, asked, NOW) as found:
        for chunk in found.chunks:
            values = [1.0] * len(chunk.user_ids) if chunk.values is None else map(float, map(str, chunk.values))
            everybody.update(zip(chunk.user_ids, values, strict=True))
    return everybody


def _alike(ours: Mapping[str, float], theirs: Mapping[str, float]) -> bool:
    """The same users; sums of doubles may differ where nothing is meant by it."""
    return ours.keys() == theirs.keys() and all(math.isclose(ours[user], theirs[user]) for user in ours)
