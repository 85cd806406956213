"""Steps of the tests of forgetting: a store that knows a user in every way, and what it still knows."""

from __future__ import annotations

from sqlalchemy import select, update

from sync.model.event import LoggedEvent
from sync.model.received import read_event
from sync.store import deletions, events, forgetting, lanes, slots
from sync.store import forwarding as forwarders
from sync.store.deletions import State
from sync.store.engine import Database
from sync.store.lanes import HoldState, Said
from sync.store.schema import run, slot, snapshot
from sync.store.slots import Settlement, Transition
from tests.recorder import PUSH, QUIET, audience, claim, record, sent, trait

WHO = "zoe-who-wants-to-be-forgotten"
OTHERS = ["ann", "bob"]


def posted(database: Database, user_id: str, number: int = 1, **more: object) -> LoggedEvent:
    raw = {"type": "identify", "userId": user_id, "messageId": f"m{user_id}{number}", "traits": {"n": number}} | more
    return read_event(raw, source="web", received_at=database.clock.now())


def known(database: Database) -> None:
    """Everything that there can be about a user, beside others of whom there is the same."""
    forwarders.begin(database, [PUSH])
    record(database, audience("vip"), [WHO, *OTHERS])
    record(database, trait("spend"), dict.fromkeys([WHO, *OTHERS], 5))
    (one, *rest) = sorted(claim(database), key=lambda each: each.user_id != WHO)
    gone = Settlement(one, Transition.PARK, reason=f"400 {WHO} is odd", attempts=sent(one, "refused", 400))
    slots.settle(
        database, PUSH, [gone, *(Settlement(each, Transition.ACCEPT, attempts=sent(each)) for each in rest)], QUIET
    )
    found = [posted(database, each, number) for each in [WHO, *OTHERS] for number in (1, 2)]
    alias = posted(database, "ann", 3, type="alias", previousId=WHO)
    recorded = events.record(database, [*found, alias])
    taken = forwarders.take(database, PUSH)
    assert taken is not None
    said = Said("refused", 400, f"{WHO} is unknown")
    first, second = recorded.ids[:2]
    parked = lanes.Settlement(first, WHO, False, said, HoldState.PARKED, attempts=1, reason=said.detail)
    waits = lanes.Settlement(second, WHO, False, None, HoldState.WAITING)
    anns = lanes.Settlement(recorded.ids[2], "ann", False, Said("unknown", None, f"beside {WHO}"))
    assert lanes.settle(database, PUSH, taken.token, [parked, waits, anns], {}, 0)
    with database.write() as connection:
        connection.execute(update(run).values(message=f"more than one row for user '{WHO}'"))


def forget(database: Database, *destinations: str, by: str = "op") -> int:
    number = forgetting.forget(database, WHO, destinations or (PUSH,), by)
    assert number is not None
    return number


def finish(database: Database, number: int, destination: str = PUSH) -> None:
    """As if the destination had accepted the deletion."""
    database.clock.advance(120)  # type: ignore[attr-defined]
    (owed,) = deletions.due(database, destination, 10)
    assert (owed.user_id, owed.forgetting_id) == (WHO, number)
    deletions.settle(database, destination, [deletions.Settlement(owed, State.DONE)])


def owed_to(database: Database, user_id: str) -> dict[str, object]:
    with database.read() as connection:
        rows = connection.execute(select(slot.c.destination, slot.c.owed).where(slot.c.user_id == user_id)).all()
    return {row[0]: row[1] for row in rows}


def decided(database: Database, user_id: str) -> int:
    with database.read() as connection:
        return len(connection.execute(select(snapshot.c.value).where(snapshot.c.user_id == user_id)).all())
