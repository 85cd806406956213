"""The store of the version before, with work in it, is brought up to date; nothing is lost, and there is no way back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import bindparam, insert, select, text

from sync.errors import SchemaError
from sync.store import bulks, configurations, runs, slots, ticks
from sync.store.bulks import Settled
from sync.store.engine import Database
from sync.store.holder import this_process
from sync.store.instants import Instant
from sync.store.migrate import migrate, scripts
from sync.store.revision import check, head
from sync.store.schema import attempt, definition, destination, enrolment, lease, project, run, slot, snapshot
from tests.conftest import Place
from tests.moving_clock import MovingClock, connect_timed
from tests.recorder import PUSH, accept, audience, claim, owed, record

NOW = datetime(2024, 11, 21, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BEFORE = "0002"
TABLES = (project, definition, run, snapshot, enrolment, slot, attempt, lease, destination)
STATES = ("due", "sending", "waiting", "confirm", "parked")


def migrate_to(database: Database, schema: str | None, wanted: str, *, back: bool = False) -> None:
    """What ``alembic upgrade`` or ``alembic downgrade`` does."""
    directory, config = scripts(), Config()
    revisions = directory._downgrade_revs if back else directory._upgrade_revs
    with database.write() as connection:
        if schema:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
        config.attributes["connection"] = connection
        steps = lambda now, _: revisions(wanted, now)  # type: ignore[arg-type]  # noqa: E731
        with EnvironmentContext(config, directory, fn=steps):
            directory.run_env()


def work(database: Database) -> None:
    """Somebody delivers, somebody refreshes, some is parked: the statements name only columns of that version."""
    me = this_process().text()
    a_run = {"definition_id": 1, "kind": "delta", "holder": me, "lease_until": LATER, "as_of": NOW, "forced": False}
    with database.write() as connection:
        connection.execute(insert(project).values(id=1, name="shop", created_at=NOW))
        connection.execute(
            insert(definition).values(
                kind="audience", key="vip", name="Vip", computation_id="aud_1", fingerprint="f", on_delete="leave",
                as_of=NOW, members=5, created_at=NOW, recorded_at=NOW,
            )
        )  # fmt: skip
        for number, status in ((1, "succeeded"), (2, "failed"), (3, "running")):
            finished_at = None if status == "running" else NOW
            connection.execute(
                insert(run).values(status=status, token=f"t{number}", started_at=NOW, finished_at=finished_at, **a_run)
            )
        connection.execute(insert(enrolment).values(definition_id=1, destination=PUSH, active=True, enrolled_run_id=1))
        for state in STATES:
            sending = state == "sending"
            connection.execute(insert(snapshot).values(definition_id=1, user_id=state, value="true", run_id=1))
            connection.execute(
                insert(slot).values(
                    destination=PUSH, user_id=state, owed=owing(database), base=nothing(database),
                    enrichment=nothing(database), version=1, state=state, doubt=state == "waiting", priority=0,
                    due_at=NOW, owed_since=NOW, token="t" if sending else None, lease_until=LATER if sending else None,
                )
            )  # fmt: skip
        connection.execute(
            insert(attempt).values(
                destination=PUSH, user_id="due", at=NOW, verdict="refused", detail="", sent=owing(database)
            )
        )
        connection.execute(insert(lease).values(name=f"destination:{PUSH}", holder=me, term=3, until=LATER))
        connection.execute(insert(destination).values(name=PUSH, breaker="open", reason="401", changed_at=NOW))
        connection.execute(text("UPDATE counter SET value = 7"))


def owing(database: Database) -> object:
    return '{"vip":[true,1]}' if database.dialect == "sqlite" else {"vip": [True, 1]}


def nothing(database: Database) -> object:
    return "{}" if database.dialect == "sqlite" else {}


ADDED = {
    *(("run", name) for name in ("tick", "extent", "why_full", "candidates", "missed")),
    ("slot", "sent"),
    ("slot", "singly"),
    ("slot", "bulk_token"),
}
"""Columns that a later version has added."""


def contents(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of the version before."""
    with database.read() as connection:
        found = {}
        for table in TABLES:
            columns = [column for column in table.columns if (table.name, column.name) not in ADDED]
            found[table.name] = sorted(map(tuple, connection.execute(select(*columns)).all()), key=repr)
        found["counter"] = sorted(map(tuple, connection.execute(text("SELECT name, value FROM counter")).all()))
    return found


@pytest.fixture
def before(request: pytest.FixtureRequest, place: Place) -> Iterator[Database]:
    """A store of the version `BEFORE`, or of the one that a test asks for."""
    with closing(connect_timed(place.url, place.schema, MovingClock())) as database:
        migrate_to(database, place.schema, getattr(request, "param", BEFORE))
        work(database)
        yield database


@pytest.mark.parametrize("before", ["0002", "0003"], indirect=True)
def test_nothing_that_was_stored_is_lost_or_changed(before: Database, place: Place) -> None:
    stored = contents(before)
    assert all(stored.values())
    revision, _ = migrate(before, place.schema)
    assert revision != head()
    assert contents(before) == stored


def test_daemons_of_this_version_that_start_meanwhile_wait_for_the_migration_and_go_on_with_the_work(
    before: Database, place: Place
) -> None:
    said: list[str] = []
    generations: list[int] = []
    start = threading.Barrier(4)

    def daemon() -> None:
        database = connect_timed(place.url, place.schema, MovingClock())
        start.wait()
        while True:
            try:
                check(database)
                break
            except SchemaError as error:
                said.append(str(error))
        generations.append(configurations.announce(database, "new"))
        database.close()

    threads = [threading.Thread(target=daemon) for _ in range(3)]
    for thread in threads:
        thread.start()
    start.wait()
    migrate(before, place.schema)
    for thread in threads:
        thread.join()
    assert len(generations) == 3
    assert len(set(generations)) == 1
    assert all("run `engage-sync migrate`" in each for each in said)
    go_on_with_the_work(before, generations[0])


def go_on_with_the_work(database: Database, generation: int) -> None:
    # Whoever was at work has stopped; this many days after NOW its leases have run out.
    assert runs.rescue(database) == 1
    assert slots.rescue(database, PUSH) == 1
    slots.unpark(database, PUSH)
    claimed = claim(database)
    assert {each.user_id: each.owed for each in claimed} == {user: {"vip": True} for user in STATES}
    assert {each.user_id for each in claimed if each.doubt} == {"sending", "waiting"}
    accept(database, *claimed)
    assert set(owed(database)) == {"sending", "waiting"}
    record(database, audience(), [*STATES, "new"])
    assert owed(database)["new"] == {"vip": True}
    assert ticks.insert(database, "vip", NOW, due_at=NOW, generation=generation)
    assert ticks.claim(database, ["vip"], generation, 30) is not None


def test_the_version_before_still_works_on_the_new_schema(before: Database, place: Place) -> None:
    """Hosts are upgraded one after another: what an older daemon writes must fit."""
    migrate(before, place.schema)
    with before.write() as connection:
        connection.execute(text("UPDATE run SET status = 'lost', finished_at = lease_until WHERE id = 3"))
        columns = "definition_id, kind, token, holder, lease_until, as_of, forced, started_at, finished_at"
        for number in (4, 5):
            connection.execute(
                text(
                    f"INSERT INTO run (id, status, {columns}) SELECT :id, 'succeeded', {columns} FROM run WHERE id = 1"
                ),
                {"id": number},
            )


def test_there_is_no_way_back_and_it_says_so(before: Database, place: Place) -> None:
    migrate(before, place.schema)
    stored = contents(before)
    with pytest.raises(SchemaError, match=r"cannot be taken back.*restore the backup"):
        migrate_to(before, place.schema, BEFORE, back=True)
    check(before)
    assert contents(before) == stored


def test_a_store_that_went_ahead_is_refused_by_name(database: Database) -> None:
    """What the version before says of this store, said by this version of a later one."""
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    for refused in (check, migrate):
        with pytest.raises(SchemaError, match=r"newer version of engage-sync.*0999.*upgrade engage-sync"):
            refused(database)


@pytest.mark.parametrize("before", ["0009"], indirect=True)
def test_a_bulk_request_that_was_under_way_is_settled_after_the_upgrade(before: Database, place: Place) -> None:
    """Before 0010 its slots were in the state of being sent, under its token, until its end."""
    with before.write() as connection:
        one = {"id": 1, "token": "b", "destination": PUSH, "now": NOW, "until": LATER}
        connection.execute(
            text(
                "INSERT INTO bulk (id, destination, token, request_id, users, sent_at, lease_until, give_up_at) "
                "VALUES (:id, :destination, :token, 'r-1', 2, :now, :until, :until)"
            ).bindparams(bindparam("now", type_=Instant()), bindparam("until", type_=Instant())),
            one,
        )
        held = "UPDATE slot SET state = 'sending', token = 'b', lease_until = :until, sent = owed WHERE user_id IN ('due', 'confirm')"
        connection.execute(text(held).bindparams(bindparam("until", type_=Instant())), {"until": LATER})
    migrate(before, place.schema)
    [(bulk, _)] = bulks.under_way(before, PUSH)
    assert bulks.users(before, bulk) == {"due", "confirm"}
    assert bulks.settle(before, bulk, {}, 20.0) == Settled(accepted=2, unconfirmed=0, singly=0)
    assert not {"due", "confirm"} & set(owed(before))
