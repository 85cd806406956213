"""A deletion waits for the request that carries the user, and no longer than that has not ended."""

from __future__ import annotations

from sync.model.outcome import Outcome, Verdict
from sync.store import bulk_claims, bulks, deletions, forgetting, slots
from sync.store.bulk_claims import Wanted
from sync.store.bulks import Bulk
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, record, trait, unknown
from tests.recorder import claim as claim_singly

FOUR = ["ann", "bob", "cid", "dan"]


def carried(database: Database, key: str = "vip", users: list[str] = FOUR) -> Bulk:
    """All that is due, as one request that is not submitted yet."""
    record(database, audience(key), users)
    [taken], _ = bulk_claims.claim(database, PUSH, Wanted(100, 2, LEASE, 900.0), most_alone=100)
    found = taken.bulk
    assert found is not None
    return found


def forget(database: Database, user_id: str = "ann") -> int:
    number = forgetting.forget(database, user_id, [PUSH], "op", quiet=QUIET)
    assert number is not None
    return number


def due(database: Database) -> list[str]:
    return [each.user_id for each in deletions.due(database, PUSH, 10)]


def test_a_deletion_is_due_as_soon_as_the_bulk_that_carried_the_user_is_settled(database: Database) -> None:
    bulk = bulks.submitted(database, carried(database), "r-1")
    assert bulk is not None
    forget(database)
    forget(database)  # asked for again, it waits as before
    assert due(database) == []
    bulks.settle(database, bulk, {}, QUIET)
    assert due(database) == ["ann"]


def test_a_deletion_is_due_as_soon_as_the_bulk_is_put_back_unsent(database: Database) -> None:
    bulk = carried(database)
    forget(database)
    bulks.put_back(database, bulk)
    assert due(database) == ["ann"]


def test_after_a_bulk_of_doubtful_end_a_deletion_waits_for_the_quiet_period(
    database: Database, clock: MovingClock
) -> None:
    given_up = carried(database)
    forget(database)
    deferred = carried(database, "gold", ["eve", "fay"])
    forget(database, "eve")
    bulks.put_back(database, given_up, unknown=True, singly=True)
    bulks.defer(database, deferred, Outcome(Verdict.UNKNOWN, 502, ""), 5.0, "502")
    clock.advance(QUIET / 2)
    assert due(database) == []
    clock.advance(QUIET)
    assert due(database) == ["ann", "eve"]


def test_a_bulk_whose_holder_died_before_it_had_an_id_keeps_no_deletion_waiting(
    database: Database, clock: MovingClock
) -> None:
    carried(database)
    forget(database)
    assert slots.rescue(database, PUSH, all_of_them=True) == 3
    assert due(database) == []
    clock.advance(QUIET + 1)
    assert due(database) == ["ann"]


def test_what_else_is_on_its_way_is_waited_for_when_the_bulk_has_ended(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    [ann] = claim_singly(database)
    unknown(database, ann)
    bulk = carried(database, "gold")
    forget(database)
    bulks.settle(database, bulk, {}, QUIET)
    assert due(database) == []
    clock.advance(QUIET + 1)
    assert due(database) == ["ann"]


def test_the_end_of_another_bulk_makes_no_deletion_due(database: Database) -> None:
    bulk = carried(database)
    forget(database)
    other = carried(database, "gold", ["eve", "fay"])
    bulks.settle(database, other, {}, QUIET)
    part = bulks.split(database, bulk, ["cid", "dan"])
    assert part is not None
    bulks.settle(database, part, {}, QUIET)
    # Of a bulk that was divided nobody knows in which part the user went.
    assert due(database) == []
    bulks.settle(database, bulk.without(2), {}, QUIET)
    assert due(database) == ["ann"]


def test_a_deletion_that_waits_for_a_request_of_the_user_s_own_waits_on_when_a_bulk_ends(database: Database) -> None:
    record(database, trait(), {"ann": 7})
    assert len(claim_singly(database)) == 1
    forget(database)
    bulks.settle(database, carried(database, users=["bob", "cid"]), {}, QUIET)
    assert due(database) == []
