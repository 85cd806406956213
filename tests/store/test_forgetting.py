from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from hashlib import sha256

import pytest
from sqlalchemy import select, text, update

from sync.errors import UsageError
from sync.model.event import LoggedEvent
from sync.model.kept_out import user_hash
from sync.model.received import read_event
from sync.model.run import RunKind
from sync.store import barrier, deletions, events, forgetting, lanes, runs, slots, suppressions
from sync.store import forwarding as forwarders
from sync.store.deletions import State
from sync.store.engine import Database, connect
from sync.store.event_schema import event, event_outcome, hold, profile, suppression
from sync.store.lanes import HoldState, Said
from sync.store.migrate import migrate
from sync.store.schema import attempt, definition, run, slot, snapshot
from sync.store.slots import Settlement, Transition
from tests.conftest import Place
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, QUIET, audience, claim, claim_one, record, sent, trait
from tests.store.test_upgrade import migrate_to
from tests.traces import traces

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


def members(database: Database) -> dict[str, int]:
    with database.read() as connection:
        return {row.key: row.members for row in connection.execute(select(definition.c.key, definition.c.members))}


def test_a_forgotten_user_is_found_nowhere_in_the_store_once_the_destinations_have_accepted(database: Database) -> None:
    known(database)
    assert traces(database, WHO)
    number = forget(database)
    assert forgetting.sweep(database, number)
    # To tell the destination, the id is needed: it stands in one place until then.
    where = traces(database, WHO)
    assert where if database.dialect == "sqlite" else where == ["forgetting"]
    finish(database, number)
    assert forgetting.purgeable(database)
    assert forgetting.purge(database)
    assert traces(database, WHO) == []
    done = forgetting.look(database, number)
    assert (done.finished, done.purged, done.asked_by) == (True, True, "op")
    assert done.counts == {"values": 2, "owed": 1, "attempts": 1, "profile": 1, "events": 3}


def test_others_are_left_as_they_were(database: Database) -> None:
    known(database)
    before = [_of_others(database)]
    number = forget(database)
    forgetting.sweep(database, number)
    finish(database, number)
    assert [_of_others(database)] == before
    assert members(database) == {"vip": 2, "spend": 2}


def _of_others(database: Database) -> dict[str, int]:
    with database.read() as connection:
        queries = {
            "snapshot": select(snapshot.c.user_id).where(snapshot.c.user_id != WHO),
            "attempt": select(attempt.c.user_id).where(attempt.c.user_id != WHO),
            "profile": select(profile.c.user_id).where(profile.c.user_id != WHO),
            "event": select(event.c.id).where(event.c.user_id != WHO, event.c.type != "alias"),
            "outcome": select(event_outcome.c.event_id)
            .join(event, event.c.id == event_outcome.c.event_id)
            .where(event.c.user_id != WHO),
        }
        return {name: len(connection.execute(query).all()) for name, query in queries.items()}


def test_the_next_refresh_does_not_bring_a_forgotten_user_back(database: Database) -> None:
    known(database)
    forget(database)
    done = record(database, audience("vip"), [WHO, *OTHERS, "new"])
    assert (done.counts.members, done.counts.entered, done.counts.unchanged) == (3, 1, 2)
    record(database, trait("spend"), {WHO: 6, "ann": 6})
    record(database, audience("second"), [WHO, "ann"], kind=RunKind.BACKFILL)
    assert decided(database, WHO) == 0
    assert owed_to(database, WHO) == {}
    assert owed_to(database, "ann") != {}


def test_a_destination_that_joins_later_gets_nothing_about_who_is_kept_out(database: Database) -> None:
    record(database, audience(), [WHO, "muted", "ann"])
    forget(database)
    suppressions.suppress(database, "muted")
    record(database, audience("vip", PUSH, "other"), [WHO, "muted", "ann"])
    assert owed_to(database, WHO) == owed_to(database, "muted") == {}
    assert set(owed_to(database, "ann")) == {PUSH, "other"}
    assert (decided(database, WHO), decided(database, "muted")) == (0, 1)


def test_events_of_a_forgotten_user_are_not_taken_in(database: Database) -> None:
    known(database)
    forgetting.sweep(database, forget(database))
    again = events.record(database, [posted(database, WHO, 9), posted(database, "ann", 9)])
    assert (again.new, again.suppressed) == (1, 1)


def test_a_late_settle_writes_nothing_of_a_forgotten_user_and_owes_the_deletion_anew(database: Database) -> None:
    record(database, audience(), [WHO])
    claimed = claim_one(database)
    number = forget(database)
    assert forgetting.sweep(database, number)
    finish(database, number)
    assert forgetting.look(database, number).finished

    slots.settle(
        database, PUSH, [Settlement(claimed, Transition.ACCEPT, attempts=sent(claimed, "accepted", 200))], QUIET
    )
    assert owed_to(database, WHO) == {}
    with database.read() as connection:
        assert connection.execute(select(attempt.c.id)).all() == []
    assert not forgetting.look(database, number).finished
    assert deletions.due(database, PUSH, 10) == []  # not before the late one has arrived
    finish(database, number)
    assert forgetting.look(database, number).finished


def test_what_is_settled_of_an_event_that_is_gone_is_not_written_down(database: Database) -> None:
    forwarders.begin(database, [PUSH])
    ids = events.record(database, [posted(database, WHO), posted(database, "ann")]).ids
    taken = forwarders.take(database, PUSH)
    assert taken is not None
    number = forget(database)
    assert forgetting.sweep(database, number)
    finish(database, number)
    late = [
        lanes.Settlement(ids[0], WHO, False, Said("accepted", 200)),
        lanes.Settlement(ids[1], "ann", False, Said("accepted", 200)),
    ]
    assert lanes.settle(database, PUSH, taken.token, late, {}, 0)
    with database.read() as connection:
        assert connection.execute(select(event_outcome.c.event_id)).scalars().all() == [ids[1]]
        assert connection.execute(select(hold.c.event_id)).all() == []
    assert deletions.standing(database, number)[0].state is State.OWED


def test_a_deletion_waits_until_what_is_on_its_way_has_arrived(database: Database) -> None:
    record(database, audience("vip", PUSH, "other"), [WHO])
    claim_one(database)
    number = forget(database, PUSH, "other")
    assert [each.user_id for each in deletions.due(database, "other", 10)] == [WHO]
    assert deletions.due(database, PUSH, 10) == []
    database.clock.advance(120)  # type: ignore[attr-defined]
    assert [each.forgetting_id for each in deletions.due(database, PUSH, 10)] == [number]


def test_a_deletion_that_waits_is_not_sent_sooner_because_it_is_asked_for_again(database: Database) -> None:
    record(database, audience(), [WHO])
    claim_one(database)
    assert forget(database) == forget(database)
    assert deletions.due(database, PUSH, 10) == []


def test_the_id_stays_until_the_last_destination_has_accepted(database: Database) -> None:
    number = forget(database, PUSH, "other")
    forgetting.sweep(database, number)
    finish(database, number, PUSH)
    assert not forgetting.look(database, number).finished
    (owed,) = deletions.due(database, "other", 10)
    deletions.settle(database, "other", [deletions.Settlement(owed, State.OWED, 5.0, "503")])
    assert deletions.due(database, "other", 10) == []
    finish(database, number, "other")
    assert forgetting.look(database, number).finished


def test_forgetting_again_takes_up_what_is_under_way(database: Database) -> None:
    number = forget(database, PUSH, "left")
    (owed,) = deletions.due(database, PUSH, 10)
    deletions.settle(database, PUSH, [deletions.Settlement(owed, State.REFUSED, reason="400 odd")])
    assert deletions.due(database, PUSH, 10) == []
    assert forget(database, PUSH) == number
    assert {each.destination: each.state for each in deletions.standing(database, number)} == {
        PUSH: State.OWED,
        "left": State.DROPPED,
    }
    forgetting.sweep(database, number)
    finish(database, number)
    assert forget(database, PUSH) != number


def test_one_who_was_forgotten_is_forgotten_once_by_events_that_say_so_again(database: Database) -> None:
    assert forgetting.forget(database, WHO, [PUSH], "webhook", again=False) is not None
    assert forgetting.forget(database, WHO, [PUSH], "webhook", again=False) is None


def test_the_audit_names_nobody(database: Database) -> None:
    number = forget(database)
    forgetting.sweep(database, number)
    finish(database, number)
    with database.read() as connection:
        row = connection.execute(text("SELECT * FROM forgetting")).mappings().one()
        salt = suppressions.salt(connection)
    assert row["user_id"] is None
    assert row["user_hash"] == user_hash(salt, WHO)
    assert WHO not in str(dict(row))


def test_who_was_forgotten_may_come_again_once_that_is_taken_back(database: Database) -> None:
    known(database)
    number = forget(database)
    with pytest.raises(UsageError, match="being forgotten"):
        suppressions.unsuppress(database, WHO)
    forgetting.sweep(database, number)
    finish(database, number)
    assert suppressions.unsuppress(database, WHO)
    assert record(database, audience("vip"), [WHO, *OTHERS]).counts.entered == 1
    assert owed_to(database, WHO) != {}


def test_a_suppressed_user_is_decided_on_and_owed_nothing(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    assert suppressions.suppress(database, "ann")
    assert owed_to(database, "ann") == {}
    counts = record(database, audience(), ["bob"], forced=True).counts
    assert (counts.members, counts.exited) == (1, 1)
    assert owed_to(database, "ann") == {}
    record(database, trait("spend"), {"ann": 3, "bob": 3})
    assert owed_to(database, "ann") == {}
    assert owed_to(database, "bob") != {}


def test_what_was_decided_meanwhile_is_owed_when_a_suppression_is_taken_back(database: Database) -> None:
    record(database, audience(), ["ann", "bob"])
    claimed = claim(database)
    slots.settle(database, PUSH, [Settlement(each, Transition.ACCEPT, attempts=sent(each)) for each in claimed], QUIET)
    suppressions.suppress(database, "ann")
    record(database, audience(), ["bob"], forced=True)
    record(database, trait("spend"), {"ann": 3})
    assert suppressions.unsuppress(database, "ann")
    assert claim_one(database).owed == {"vip": False, "spend": 3}


def test_a_late_settle_owes_a_suppressed_user_nothing(database: Database) -> None:
    record(database, audience(), ["ann"])
    claimed = claim_one(database)
    suppressions.suppress(database, "ann")
    slots.settle(database, PUSH, [Settlement(claimed, Transition.ACCEPT, attempts=sent(claimed, "accepted"))], QUIET)
    assert owed_to(database, "ann") == {}
    with database.read() as connection:
        assert len(connection.execute(select(attempt.c.id)).all()) == 1


def test_a_recording_that_is_under_way_is_waited_for(postgresql_database: Database) -> None:
    """What it writes is removed with the rest."""
    database = postgresql_database
    record(database, audience(), ["ann"])
    begun, over = threading.Event(), threading.Event()
    number: list[int] = []

    def forgetter() -> None:
        begun.set()
        number.append(forget(database))
        over.set()

    with database.write() as connection:
        barrier.shared(connection)
        thread = threading.Thread(target=forgetter)
        thread.start()
        begun.wait()
        assert not over.wait(0.2)
        connection.execute(
            text(
                "INSERT INTO snapshot (definition_id, user_id, value, run_id) SELECT id, :u, 'true', 1 FROM definition"
            ),
            {"u": WHO},
        )
    thread.join()
    assert decided(database, WHO) == 0
    assert forgetting.look(database, number[0]).counts["values"] == 1


def test_refreshes_while_users_are_forgotten_bring_nobody_back(postgresql_database: Database) -> None:
    database = postgresql_database
    users = [f"user-{number:02}" for number in range(20)]
    record(database, audience("vip", max_exits=1.0), users)
    stop = threading.Event()
    failed: list[BaseException] = []

    def refresher(key: str) -> None:
        try:
            while not stop.is_set():
                record(database, audience(key, max_exits=1.0), users, kind=RunKind.BACKFILL)
                record(database, audience(key, max_exits=1.0), [], forced=True)
        except BaseException as error:  # noqa: BLE001
            failed.append(error)

    threads = [threading.Thread(target=refresher, args=(key,)) for key in ("vip", "second")]
    for thread in threads:
        thread.start()
    for each in users[:10]:
        forgetting.forget(database, each, [PUSH], "op")
    stop.set()
    for thread in threads:
        thread.join()
    assert not failed
    for each in users[:10]:
        assert decided(database, each) == 0
        assert owed_to(database, each) == {}


def test_nobody_on_the_list_costs_a_recording_nothing(database: Database) -> None:
    """No hash is computed while the list is empty."""
    said: list[str] = []
    from sqlalchemy import event as listen

    listen.listen(database.engine, "before_cursor_execute", lambda *given: said.append(given[2]))
    record(database, audience(), ["ann"])
    assert not [each for each in said if "user_hash(" in each or "sha256" in each]
    suppressions.suppress(database, "bob")
    said.clear()
    record(database, audience(), ["ann", "eve"])
    assert [each for each in said if "user_hash(" in each or "sha256" in each]


def test_the_list_of_an_older_store_still_keeps_the_same_users_out(place: Place, clock: MovingClock) -> None:
    with closing(connect(place.url, place.schema, clock)) as database:
        migrate_to(database, place.schema, "0004")
        with database.write() as connection:
            bare = sha256(WHO.encode()).hexdigest()
            connection.execute(
                text("INSERT INTO suppression (user_hash, since) VALUES (:bare, '2026-11-21 12:00:00.000000')"),
                {"bare": bare},
            )
        migrate(database, place.schema)
        with database.read() as connection:
            assert suppressions.kept_out(connection, [WHO, "ann"]) == ({WHO}, set())
            assert connection.execute(select(suppression.c.user_hash)).scalar_one() != bare


def test_both_engines_compute_the_same_hash(postgresql_database: Database) -> None:
    with postgresql_database.read() as connection:
        salt = suppressions.salt(connection)
        from sync.store.postgresql.recording import _HASHED

        for user_id in (WHO, "Zoë ✓", "1", "a\\b'c"):
            found = connection.execute(
                text(f"SELECT {_HASHED.format(user_id='CAST(:user_id AS text)')}"), {"salt": salt, "user_id": user_id}
            )
            assert found.scalar_one() == user_hash(salt, user_id)


def test_a_sweep_goes_on_where_it_was_cut_off(database: Database) -> None:
    events.record(database, [posted(database, WHO, number) for number in range(25)])
    number = forget(database)
    turns = iter([True, True, False])
    assert not forgetting.sweep(database, number, batch=10, go_on=lambda: next(turns))
    assert forgetting.unswept(database) == [number]
    assert forgetting.sweep(database, number, batch=10)
    assert forgetting.unswept(database) == []
    assert forgetting.look(database, number).counts["events"] == 25


def test_a_purge_with_somebody_reading_is_tried_later(sqlite_database: Database) -> None:
    number = forget(sqlite_database)
    forgetting.sweep(sqlite_database, number)
    finish(sqlite_database, number)
    with closing(sqlite3.connect(str(sqlite_database.engine.url.database))) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM forgetting").fetchone()
        assert not forgetting.purge(sqlite_database)
        assert forgetting.purgeable(sqlite_database)
    assert forgetting.purge(sqlite_database)
    assert not forgetting.purgeable(sqlite_database)


def test_who_is_being_refreshed_is_not_held_up_for_good(database: Database) -> None:
    """A run that was claimed before somebody is forgotten records all the others."""
    asked = audience()
    claimed = runs.claim(database, asked, RunKind.DELTA, database.clock.now(), forced=False)
    forget(database)
    from sync.model.chunk import Chunk
    from sync.store import recording

    with recording.session(database) as session:
        session.load([Chunk(["ann", WHO], None, None)], ("user_id",))
        done = session.record(claimed, asked, 2, None)
    assert done.counts.members == 1
    assert decided(database, WHO) == 0
