"""What is known at one instant, and more of it at the next: for asking whose answer may be another one now.

Rows arrive: late ones, some that are not due yet, new profiles and changed ones. Between two runs nothing else happens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson
from sqlalchemy import Connection, text

from sync.language.sql import compile_changes, in_full
from sync.language.tree import Query
from sync.model.canonical import value_text
from sync.model.feed import EventsTable, ProfilesTable, Tables
from sync.source import tables
from sync.source.scratch import Scratch
from tests.language.reference.cases import Case
from tests.language.reference.evaluate import Data, Object, evaluate
from tests.language.reference.tree import Definition, Span, inside
from tests.language.reference.values import instant

_TABLES = Tables(
    (EventsTable("query_events", "user_id", "timestamp", name="event", properties="properties", cursor="id"),),
    ProfilesTable("query_profiles", "user_id", cursor="changed", traits="traits"),
    collected=True,
)
_CHANGE = text("UPDATE query_profiles SET changed = :changed WHERE user_id = :user_id")
_KNOWN, _CHANGED = 7, 8
_NEAR = (timedelta(microseconds=-1), timedelta(0), timedelta(0), timedelta(microseconds=1))
_AGES = (timedelta(microseconds=1), timedelta(seconds=1), timedelta(hours=1), timedelta(days=1), timedelta(days=40))


@dataclass(frozen=True, slots=True)
class Grown:
    """Two instants, and what was there at each; the events of the first come before the others."""

    since: datetime
    as_of: datetime
    before: Data
    now: Data


def grown(case: Case, spans: Sequence[timedelta], random: Random, *, exact: bool) -> Grown:
    """The data of a case as if it had come in two parts. ``exact``: with instants as the store writes them."""
    as_of = datetime.fromisoformat(case.as_of)
    events = [each for each in map(_exactly, case.events) if each is not None] if exact else list(case.events)
    early = [random.random() < 0.8 for _ in events]
    first = [each for each, was_there in zip(events, early, strict=True) if was_there]
    then = [each for each, was_there in zip(events, early, strict=True) if not was_there]
    profiles = list({each["user_id"]: each for each in case.profiles if isinstance(each.get("user_id"), str)}.values())
    earlier = [_earlier(each, profiles, random) for each in profiles]
    before = Data([each for each in earlier if each is not None], first)
    return Grown(_since(as_of, events, spans, random), as_of, before, Data(profiles, first + then))


def _exactly(event: Object) -> Object | None:
    at = instant(event.get("timestamp"))
    return None if at is None else {**event, "timestamp": at.replace(tzinfo=None).isoformat(" ", "microseconds")}


def _earlier(profile: Object, profiles: Sequence[Object], random: Random) -> Object | None:
    """What a profile was before: the same, another one, or not there."""
    choice = random.random()
    if choice < 0.15:
        return None
    return {**profile, "traits": random.choice(profiles).get("traits")} if choice < 0.3 else profile


def _since(as_of: datetime, events: Sequence[Object], spans: Sequence[timedelta], random: Random) -> datetime:
    """Some time ago, mostly such that an event stands on the edge of a window, or a microsecond beside it."""
    times = [at for each in events if (at := instant(each.get("timestamp"))) is not None]
    edges = [at + span + random.choice(_NEAR) for at in times for span in (timedelta(0), *spans)]
    earlier = [each for each in edges if as_of - timedelta(days=15) < each < as_of]
    return random.choice(earlier) if earlier and random.random() < 0.7 else as_of - random.choice(_AGES)


def spans_of(cases: Sequence[Case]) -> list[timedelta]:
    """All that windows are long in the definitions."""
    definitions: list[Definition] = [each for case in cases for each in (case.definition, *_others(case).values())]
    return sorted({each.long for one in definitions for each in inside(one) if isinstance(each, Span)})


def _others(case: Case) -> dict[str, Definition]:
    return {key: other.definition for key, other in case.others.items()}


class Growing(Scratch):
    """Such data in tables that vanish, with cursors."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        connection.execute(text("ALTER TABLE query_profiles ADD COLUMN changed INTEGER"))
        connection.commit()
        self._layouts = {exact: tables.layout(connection, _TABLES, exact_times=exact) for exact in (False, True)}

    def load_grown(self, found: Grown, *, exact: bool) -> None:
        """Have all that is there now."""
        self.load(found.now.profiles, found.now.events)
        self._layout = self._layouts[exact]
        before = {each["user_id"]: each.get("traits") for each in found.before.profiles}
        for each in found.now.profiles:
            user_id, traits = each["user_id"], each.get("traits")
            changed = _CHANGED if user_id not in before or before[user_id] != traits else _KNOWN
            self._connection.execute(_CHANGE, {"changed": changed, "user_id": user_id})

    def in_full(self, query: Query) -> str | None:
        """Why it cannot be asked about changes alone."""
        return in_full(query, self._layout, profiles_cursor="changed")

    def changes(self, query: Query, found: Grown, *, overlap: int) -> dict[str, Any]:
        """The answer of each user whose answer may be another one; ``None`` where there is none.

        ``overlap``: so many of the events that were there before count as new.
        """
        asked = compile_changes(query, self._layout, self._engine, profiles_cursor="changed")
        last = {"query_events": len(found.before.events) - 1 - overlap, "query_profiles": _KNOWN}
        bound = {each.bind: last[each.table] for each in asked.watched}
        times = {"as_of": self._engine.bound(found.as_of), "since": self._engine.bound(found.since)}
        rows = self._connection.execute(asked.statement, bound | times).all()
        told = {row[0]: self._told(row[1:], asked.decoded) for row in rows}
        assert len(told) == len(rows)
        return told

    def _told(self, row: Sequence[Any], decoded: Sequence[Callable[[object], object]]) -> Any:
        present, *values = row
        if not decoded:
            return True if present else None
        (value,) = [decode(value) for decode, value in zip(decoded, values, strict=True)]
        assert bool(present) is (value is not None)
        return orjson.loads(value_text(value) or "null")


def answers(case: Case, data: Data, as_of: datetime) -> dict[str, Any]:
    """What the reference says of whom there is anything to say."""
    match evaluate(case.definition, data, as_of, _others(case)):
        case {"members": list(members)}:
            return dict.fromkeys(members, True)
        case {"values": dict(values)}:
            return values
    raise AssertionError(case.definition)
