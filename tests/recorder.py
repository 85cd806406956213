"""Record answers without a source: what a refresh would do once it has read them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import orjson
from sqlalchemy import text

from sync.model.canonical import value_text
from sync.model.chunk import Chunk
from sync.model.definition import Definition, Kind
from sync.model.run import RunKind
from sync.model.slot import ClaimedSlot
from sync.store import recording, runs, slots
from sync.store.engine import Database
from sync.store.recorded import Recorded
from sync.store.slots import Attempt, Settlement, Transition

PUSH = "push"
"""The destination that tests send to."""

QUIET = 20.0
LEASE = 30.0


def audience(key: str = "vip", *destinations: str, max_exits: float = 0.5) -> Definition:
    """An audience that goes to `PUSH` (or to ``destinations``)."""
    return Definition(Kind.AUDIENCE, key, key.title(), "shop", destinations or (PUSH,), max_exits=max_exits)


def trait(key: str = "spend", *destinations: str, max_exits: float = 0.5) -> Definition:
    """A computed trait that goes to `PUSH` (or to ``destinations``)."""
    return Definition(Kind.TRAIT, key, key.title(), "shop", destinations or (PUSH,), max_exits=max_exits)


def record(
    database: Database,
    definition: Definition,
    answer: Iterable[str] | Mapping[str, object],
    *,
    kind: RunKind = RunKind.DELTA,
    extras: Mapping[str, object] | None = None,
    forced: bool = False,
    as_of: datetime | None = None,
) -> Recorded:
    """Record an answer: members of an audience, or a trait's values by user. ``extras`` is sent along for everybody."""
    claimed = runs.claim(database, definition, kind, as_of or database.clock.now(), forced=forced)
    chunk, columns = _staged(answer, extras)
    with recording.session(database) as session:
        members, doubled = session.load([chunk] if chunk.user_ids else [], columns)
        assert not doubled
        return session.record(claimed, definition, members, None)


def _staged(
    answer: Iterable[str] | Mapping[str, object], extras: Mapping[str, object] | None
) -> tuple[Chunk, tuple[str, ...]]:
    users = list(answer)
    values = [value_text(value) or "" for value in answer.values()] if isinstance(answer, Mapping) else None
    extra = None if extras is None else [orjson.dumps(extras).decode()] * len(users)
    columns = ("user_id", *(["value"] if values is not None else []), *(["extra"] if extra else []))
    return Chunk(users, values, extra), columns


def claim(database: Database, most: int = 100, destination: str = PUSH) -> list[ClaimedSlot]:
    """Claim what is due."""
    return slots.claim(database, destination, most, LEASE)


def claim_one(database: Database, destination: str = PUSH) -> ClaimedSlot:
    """Claim the only slot that is due."""
    (found,) = claim(database, destination=destination)
    return found


def sent(slot: ClaimedSlot, verdict: str = "test", status: int | None = None) -> list[Attempt]:
    """One exchange about all that was claimed."""
    return [Attempt(verdict, status, "", slot.owed)]


def settle(database: Database, slot: ClaimedSlot, transition: Transition, **more: object) -> int:
    """Settle one slot as sent (``attempts=()``: unsent); gives how many had to be owed anew."""
    settlement = Settlement(slot, transition, **{"attempts": sent(slot), **more})  # type: ignore[arg-type]
    return slots.settle(database, PUSH, [settlement], QUIET)


def accept(database: Database, *claimed: ClaimedSlot) -> int:
    """Settle slots as accepted; gives how many had to be owed anew."""
    return slots.settle(
        database, PUSH, [Settlement(slot, Transition.ACCEPT, attempts=sent(slot)) for slot in claimed], QUIET
    )


def unknown(database: Database, slot: ClaimedSlot) -> int:
    """Settle a slot whose bytes may have left; it is due again at once."""
    return settle(database, slot, Transition.DEFER, unknown=True, reason="reset")


def drain(database: Database, destination: str = PUSH) -> dict[str, dict[str, object]]:
    """Send everything that is due, successfully; gives what was sent, by user."""
    drained = {}
    for slot in slots.claim(database, destination, 10_000, LEASE):
        drained[slot.user_id] = slot.owed
        slots.settle(database, destination, [Settlement(slot, Transition.ACCEPT, attempts=sent(slot))], QUIET)
    return drained


def owed(database: Database, destination: str = PUSH) -> dict[str, dict[str, object]]:
    """Everything owed, by user, whatever its state."""
    with database.read() as connection:
        rows = connection.execute(
            text("SELECT user_id, owed FROM slot WHERE destination = :destination ORDER BY user_id"),
            {"destination": destination},
        ).all()
    return {row.user_id: {key: pair[0] for key, pair in _json(row.owed).items()} for row in rows}


def _json(document: object) -> dict[str, list[object]]:
    parsed: dict[str, list[object]] = orjson.loads(document) if isinstance(document, str) else document  # type: ignore[assignment]
    return parsed


def state(database: Database, user_id: str, destination: str = PUSH) -> str | None:
    """The state of a user's slot, ``None`` when nothing is owed. One that a bulk holds is being sent."""
    held = "CASE WHEN bulk_token IS NULL THEN state ELSE 'sending' END"
    return column(database, user_id, held, destination)  # type: ignore[return-value]


def column(database: Database, user_id: str, name: str, destination: str = PUSH) -> object:
    """One column of a user's slot, ``None`` when there is no slot."""
    with database.read() as connection:
        return connection.execute(
            text(f"SELECT {name} FROM slot WHERE destination = :destination AND user_id = :user_id"),
            {"destination": destination, "user_id": user_id},
        ).scalar_one_or_none()
