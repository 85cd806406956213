"""A user is forgotten: removed here, deleted at the destinations, found nowhere."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing

from sqlalchemy import select, text

from sync.model.kept_out import user_hash
from sync.store import barrier, deletions, events, forgetting, lanes, slots, suppressions
from sync.store import forwarding as forwarders
from sync.store.deletions import State
from sync.store.engine import Database
from sync.store.event_schema import event, event_outcome, hold, profile
from sync.store.lanes import Said
from sync.store.schema import attempt, definition, snapshot
from sync.store.slots import Settlement, Transition
from tests.recorder import PUSH, QUIET, audience, claim_one, record, sent
from tests.store.forgetting_steps import WHO, decided, finish, forget, known, owed_to, posted
from tests.traces import traces


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
