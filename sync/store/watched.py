"""What alerts look at, in one reading: breakers, parked users and events, ticks that failed for good, held exits,
deletions that were refused, and incremental runs that had missed changes.

It is asked every few seconds, so every question is answered from an index, however long the history is.
"""

from __future__ import annotations

from collections.abc import Collection

import orjson
from sqlalchemy import Connection, func, select, text

from sync.model.alert import Observed
from sync.store import deletions, destinations, reports, watermarks
from sync.store.instants import Instant
from sync.store.schema import slot


def observe(connection: Connection, keys: Collection[str]) -> Observed:
    """How things are; ``keys`` are the definitions whose failures matter."""
    states = destinations.states(connection)
    # Written out, for SQLite knows a partial index only by its very words.
    parked = connection.execute(
        select(slot.c.destination, func.count().label("users"))
        .where(text("state = 'parked'"))
        .group_by(slot.c.destination)
    )
    failed = text(_FAILED.format(keys=_KEYS[connection.dialect.name])).columns(instant=Instant)
    return Observed(
        breakers={name: (str(row["breaker"]), str(row["reason"])) for name, row in states.items()},
        parked={row.destination: row.users for row in parked},
        failed={
            row.key: row.instant for row in connection.execute(failed, {"keys": orjson.dumps(list(keys)).decode()})
        },
        parked_events={row.destination: row.parked for row in connection.execute(_PARKED_EVENTS) if row.parked},
        refused_deletions={name: each.refused for name, each in deletions.backlog(connection).items() if each.refused},
        missed=watermarks.broken(connection),
        held={key: row["held"] for key, row in reports.held_runs(connection).items()},
    )


# All but those that wait: both counts read an index each, and no event.
_PARKED_EVENTS = text("""
SELECT held.destination AS destination, held.events - coalesce(waiting.events, 0) AS parked
FROM (SELECT destination, count(*) AS events FROM hold GROUP BY destination) AS held
LEFT JOIN (SELECT destination, count(*) AS events FROM hold WHERE state = 'waiting' GROUP BY destination) AS waiting
    ON waiting.destination = held.destination""")

_KEYS = {
    "sqlite": "json_each(:keys)",
    "postgresql": "jsonb_array_elements_text(CAST(:keys AS jsonb))",
}
_FAILED = """
SELECT tick.key AS key, tick.instant AS instant
FROM {keys} AS k
JOIN tick ON tick.key = k.value AND tick.instant = (
    SELECT tried.instant FROM tick AS tried
    WHERE tried.key = k.value AND tried.state IN ('done', 'failed') ORDER BY tried.instant DESC LIMIT 1)
LEFT JOIN definition ON definition.key = tick.key
WHERE tick.state = 'failed' AND (definition.recorded_at IS NULL OR definition.recorded_at <= tick.finished_at)"""
"""Where the last tick that was tried to its end failed, and nothing has been recorded since."""
