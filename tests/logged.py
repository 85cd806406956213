"""Events as they lie in the store, written row by row: for whoever shows them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

import orjson

from sync.model.event import lane_of
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.event_schema import event, event_outcome, forwarding, hold, lane

PUSHWOOSH = "pushwoosh"
_messages = count(1)


def log(
    database: Database,
    user_id: str | None = "ann",
    name: str | None = "Order Completed",
    *,
    kind: str = "track",
    source: str = "web",
    message_id: str | None = None,
    received_at: datetime | None = None,
) -> int:
    """Record one event; gives its number."""
    message_id = message_id or f"m{next(_messages)}"
    with database.write() as connection:
        number = next_version(connection)
        now = received_at or database.now(connection)
        body = {"type": kind, "userId": user_id, "event": name, "messageId": message_id, "properties": {"total": 9}}
        connection.execute(
            event.insert().values(
                id=number,
                source=source,
                message_id=message_id,
                type=kind,
                name=name,
                user_id=user_id,
                anonymous_id=None if user_id else "visitor",
                timestamp=now,
                received_at=now,
                lane=lane_of(user_id or "anonymous visitor"),
                collected=True,
                body=orjson.loads(orjson.dumps(body))
                if database.dialect == "postgresql"
                else orjson.dumps(body).decode(),
            )
        )
    return number


def forwards(database: Database, floor: int = 0, destination: str = PUSHWOOSH) -> None:
    """From here on, events go to the destination."""
    with database.write() as connection:
        connection.execute(
            forwarding.insert().values(destination=destination, floor=floor, began_at=database.now(connection))
        )


def passed(database: Database, number: int, user_id: str = "ann", destination: str = PUSHWOOSH) -> None:
    """The user's lane has come to this event."""
    with database.write() as connection:
        place = {"destination": destination, "number": lane_of(user_id)}
        connection.execute(lane.delete().filter_by(**place))
        connection.execute(lane.insert().values(**place, cursor=number))


def ended(
    database: Database,
    number: int,
    verdict: str = "accepted",
    status: int | None = 200,
    detail: str = "",
    destination: str = PUSHWOOSH,
) -> None:
    """What came of it."""
    with database.write() as connection:
        values = {"event_id": number, "destination": destination, "at": database.now(connection)}
        connection.execute(event_outcome.insert().values(**values, verdict=verdict, status=status, detail=detail))


def held(
    database: Database,
    number: int,
    state: str = "parked",
    *,
    attempts: int = 1,
    reason: str | None = "400 no",
    user_id: str = "ann",
    destination: str = PUSHWOOSH,
) -> None:
    """It is held back, or parked."""
    with database.write() as connection:
        now = database.now(connection)
        connection.execute(
            hold.insert().values(
                destination=destination,
                event_id=number,
                user_key=user_id,
                state=state,
                due_at=now + timedelta(minutes=1),
                attempts=attempts,
                failing_since=now if attempts else None,
                reason=reason,
                held_since=now,
            )
        )
