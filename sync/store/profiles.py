"""Profiles: what identify events say of a user, each trait as the latest of them says.

A trait's latest event is the one with the latest timestamp; of equal ones that which was recorded later. A trait that
was taken away (null) is no trait any more, but its time is kept: an older event that comes late does not bring it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection

from sync.model.event import LoggedEvent
from sync.store.instants import stamp

MOST_TRAITS = 2000
"""Of one user, those that were taken away included; further names are not taken over."""

LARGEST = 512 * 1024
"""Bytes of one user's traits; what would make them more is not taken over. The events are kept all the same."""

StoreClock = Callable[[Connection], datetime]


class _Profile:
    """One user's traits while events are merged into them."""

    def __init__(self, traits: dict[str, Any], times: dict[str, str]) -> None:
        self.traits = traits
        self.times = times

    def merge(self, traits: dict[str, Any], at: str) -> None:
        """Take over what an event says, unless something later was said before."""
        for name, value in traits.items():
            known = self.times.get(name)
            if (known is not None and at < known) or (known is None and len(self.times) >= MOST_TRAITS):
                continue
            self.times[name] = at
            if value is None:
                self.traits.pop(name, None)
            else:
                self.traits[name] = value


def merge(connection: Connection, sql: ModuleType, events: Sequence[LoggedEvent], clock: StoreClock) -> None:
    """Merge new events, in the order in which they were recorded, into the profiles of their users.

    The caller holds the counter's row: nobody else merges meanwhile.
    """
    identified = [each for each in events if each.type == "identify" and each.user_id is not None and each.collected]
    if not identified:
        return
    profiles = _known(connection, sql, sorted({each.user_id for each in identified if each.user_id is not None}))
    for each in identified:
        assert each.user_id is not None  # noqa: S101 - those without were left out
        profile = profiles.setdefault(each.user_id, _Profile({}, {}))
        profile.merge(_traits(each.body), stamp(each.timestamp))
    rows = [_row(user_id, each) for user_id, each in sorted(profiles.items())]
    now = clock(connection)
    at: object = stamp(now) if connection.dialect.name == "sqlite" else now
    fitting = orjson.dumps([row for row in rows if row is not None]).decode()
    connection.execute(sql.MERGE, {"batch": fitting, "now": at})


def _row(user_id: str, profile: _Profile) -> dict[str, object] | None:
    traits = orjson.dumps(profile.traits)
    if len(traits) > LARGEST:
        return None
    return {"user_id": user_id, "traits": orjson.Fragment(traits), "times": profile.times}


def _known(connection: Connection, sql: ModuleType, user_ids: Iterable[str]) -> dict[str, _Profile]:
    values = {"user_ids": orjson.dumps(list(user_ids)).decode()}
    rows = connection.execute(sql.PROFILES, values)
    return {user_id: _Profile(orjson.loads(traits), orjson.loads(times)) for user_id, traits, times in rows}


def _traits(body: str) -> dict[str, Any]:
    try:
        traits = orjson.loads(body).get("traits")
    except ValueError:
        # An engine may take what this reader does not: JSON that is nested very deeply.
        return {}
    return traits if isinstance(traits, dict) else {}
