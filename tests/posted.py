"""Events in the log, as the collector records them, and roads on which they are forwarded."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import count

import orjson

from sync.deliver.foreground import forward
from sync.deliver.forwarded import Forwarded
from sync.model.event import LoggedEvent
from sync.store import events, forwarding
from sync.store.engine import Database
from tests.proofs import Road

DESTINATION = "pushwoosh"

TOGETHER: dict[str, object] = {
    "name": "Events together",
    "subscribe": 'type = "track"',
    "action": "trackEvent",
    "mapping": {
        "external_id": {"@path": "$.userId"},
        "name": {"@path": "$.event"},
        "timestamp": {"@path": "$.timestamp"},
        "properties": {"@path": "$.properties"},
        "enable_batching": True,
    },
}
"""A mapping that lets events travel together."""

PROFILES: dict[str, object] = {
    "name": "Profiles",
    "subscribe": 'type = "identify"',
    "action": "updateUserProfile",
    "mapping": {"external_id": {"@path": "$.userId"}, "custom_attributes": {"@path": "$.traits"}},
}

IMPATIENT: dict[str, object] = {"events": 100, "linger": "0s"}
"""Settings of a batch that waits for nobody."""

_numbers = count(1)


def track(user_id: str | None, number: int = 0, name: str = "Bought", message_id: str | None = None) -> LoggedEvent:
    """A track event of a user (or of nobody known), with a number among its properties."""
    return _event("track", user_id, {"event": name, "properties": {"n": number}}, message_id)


def identify(user_id: str | None, **traits: object) -> LoggedEvent:
    """An identify event of a user."""
    return _event("identify", user_id, {"traits": traits}, None)


def _event(kind: str, user_id: str | None, more: dict[str, object], message_id: str | None) -> LoggedEvent:
    message_id = message_id or f"message-{next(_numbers)}"
    now = datetime.now(UTC)
    said = now.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    who = {"anonymousId": "visitor"} if user_id is None else {"userId": user_id}
    body = {"type": kind, **who, "messageId": message_id, "timestamp": said, **more}
    name = more.get("event")
    return LoggedEvent(
        source="web",
        message_id=message_id,
        type=kind,
        name=str(name) if name else None,
        user_id=user_id,
        anonymous_id=None if user_id else "visitor",
        timestamp=now,
        received_at=now,
        body=orjson.dumps(body).decode(),
    )


def post(database: Database, *batch: LoggedEvent) -> list[int]:
    """Record events, and see to it that they are forwarded; gives their numbers."""
    forwarding.begin(database, [DESTINATION])
    return list(events.record(database, batch).ids)


def forwarded(road: Road, patience: float = 60) -> Forwarded:
    """Forward what there is, as a command does."""
    with road.app() as app:
        [done] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=patience)
    return done


def post_on(road: Road, *batch: LoggedEvent) -> list[int]:
    """Record events on a road."""
    with road.opened() as database:
        return post(database, *batch)


def numbers(road: Road, user_id: str | None = None) -> list[object]:
    """What arrived, in order: the numbers among the properties."""
    return [event["attributes"]["n"] for event in road.sandbox.events(user_id)]  # type: ignore[index]
