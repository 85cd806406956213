"""Who is on the list is kept out: nothing is taken in of the forgotten, nothing is owed to the suppressed."""

from __future__ import annotations

import threading
from contextlib import closing
from hashlib import sha256

import pytest
from sqlalchemy import select, text

from sync.errors import UsageError
from sync.model.kept_out import user_hash
from sync.model.run import RunKind
from sync.store import events, forgetting, runs, slots, suppressions
from sync.store.engine import Database, connect
from sync.store.event_schema import suppression
from sync.store.migrate import migrate
from sync.store.schema import attempt
from sync.store.slots import Settlement, Transition
from tests.conftest import Place
from tests.moving_clock import MovingClock
from tests.recorder import PUSH, QUIET, audience, claim, claim_one, record, sent, trait
from tests.store.forgetting_steps import OTHERS, WHO, decided, finish, forget, known, owed_to, posted
from tests.store.test_upgrade import migrate_to


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
