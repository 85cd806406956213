"""Who may record: runs, leases and their holders."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from sync.errors import AsOfError, RunBusy, RunLost, StoreError, UsageError
from sync.model.definition import Kind
from sync.model.run import ClaimedRun, Counts, RunKind, RunStatus
from sync.store import definitions, holder, leases, recording, runs
from sync.store.counter import next_version
from sync.store.engine import Database
from sync.store.holder import Holder, this_process
from tests.moving_clock import MovingClock
from tests.recorder import audience, owed, record


def claim(database: Database, key: str = "vip", **more: bool) -> ClaimedRun:
    return runs.claim(database, audience(key), RunKind.DELTA, database.clock.now(), forced=False)


def status(database: Database, run: ClaimedRun) -> str:
    with database.read() as connection:
        found: str = connection.execute(text("SELECT status FROM run WHERE id = :id"), {"id": run.id}).scalar_one()
    return found


def record_with(database: Database, run: ClaimedRun) -> None:
    with recording.session(database) as session:
        session.load([], ("user_id",))
        session.record(run, audience(), 0, None)


def test_a_process_that_the_system_hides_from_us_is_not_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = replace(this_process(), pid=4_000_000, started=5)
    monkeypatch.setattr("sync.store.holder._start_of", lambda _: -1)

    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    assert hidden.provably_dead()
    monkeypatch.setattr("os.kill", refuse)
    assert not hidden.provably_dead()


def test_a_store_belongs_to_one_project(database: Database, clock: MovingClock) -> None:
    for _ in range(2):
        with database.write() as connection:
            definitions.claim_project(connection, "shop", clock.now())
    with pytest.raises(StoreError, match="belongs to project 'shop'"), database.write() as connection:
        definitions.claim_project(connection, "other", clock.now())


def test_a_key_is_never_used_again_for_another_kind(database: Database) -> None:
    record(database, audience("vip"), ["ann"])
    with pytest.raises(UsageError, match="was used by the audience 'Vip' before"):
        record(database, replace(audience("vip"), kind=Kind.TRAIT), {"ann": 1})


def test_a_definition_that_is_being_refreshed_is_busy(database: Database) -> None:
    first = claim(database)
    with pytest.raises(RunBusy, match=f"run {first.id} of this definition is going on in process {os.getpid()}"):
        claim(database)
    assert claim(database, "another").id != first.id


def test_of_two_claims_at_once_one_is_busy(database: Database) -> None:
    start = threading.Barrier(4)
    ended: list[str] = []

    def work() -> None:
        start.wait()
        try:
            ended.append(type(claim(database)).__name__)
        except Exception as error:  # noqa: BLE001 - which one is what the test asks
            ended.append(type(error).__name__)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == ["ClaimedRun", "RunBusy", "RunBusy", "RunBusy"]


def test_one_running_run_per_definition_is_a_constraint(database: Database) -> None:
    claim(database)
    columns = "definition_id, kind, token, holder, lease_until, as_of, forced, started_at"
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text(f"INSERT INTO run (status, {columns}) SELECT 'running', {columns} FROM run"))


def test_a_run_of_a_dead_process_is_taken_over_at_once(database: Database, as_if_dead: Callable[[], None]) -> None:
    first = claim(database)
    as_if_dead()
    second = claim(database)
    assert (status(database, first), status(database, second)) == ("lost", "running")


def test_a_silent_run_is_taken_over_when_its_lease_has_run_out(database: Database, clock: MovingClock) -> None:
    first = claim(database)
    clock.advance(runs.LEASE_SECONDS + 1)
    claim(database)
    assert status(database, first) == "lost"


def test_a_heartbeat_keeps_a_slow_run(database: Database, clock: MovingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    first = claim(database)
    beaten = threading.Event()
    renew = runs._renew

    def renewed(database: Database, claimed: ClaimedRun) -> bool:
        with monkeypatch.context() as longer:  # it beats often, and what it renews lasts
            longer.setattr(runs, "LEASE_SECONDS", 60.0)
            found = renew(database, claimed)
        beaten.set()
        return found

    monkeypatch.setattr(runs, "_renew", renewed)
    clock.advance(runs.LEASE_SECONDS + 1)
    monkeypatch.setattr(runs, "LEASE_SECONDS", 0.03)
    with runs.heartbeat(database, first):
        assert beaten.wait(60)
    with pytest.raises(RunBusy):
        claim(database)


def test_a_run_that_lost_its_lease_cannot_commit(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    lost = claim(database)
    clock.advance(runs.LEASE_SECONDS + 1)
    claim(database)
    before = owed(database)
    with pytest.raises(RunLost, match="nothing was recorded"):
        record_with(database, lost)
    assert owed(database) == before
    assert status(database, lost) == "lost"


def test_a_run_records_once(database: Database) -> None:
    run = claim(database)
    record_with(database, run)
    with pytest.raises(RunLost):
        record_with(database, run)


def test_a_run_that_another_process_took_over_in_the_middle_cannot_finish(
    database: Database, clock: MovingClock
) -> None:
    run = replace(claim(database), token="another")
    with pytest.raises(RunLost), database.write() as connection:
        runs.finish(connection, run, RunStatus.SUCCEEDED, Counts(), clock.now())


def test_a_failed_run_frees_the_definition_and_says_why(database: Database) -> None:
    run = claim(database)
    runs.fail(database, run, UsageError("because"))
    with database.read() as connection:
        assert connection.execute(text("SELECT status, message FROM run")).one() == ("failed", "because")
    claim(database)


def test_an_earlier_instant_is_refused_without_force(database: Database, clock: MovingClock) -> None:
    record(database, audience(), ["ann"])
    earlier = clock.now() - timedelta(days=1)
    with pytest.raises(AsOfError, match="give a later --as-of"):
        runs.claim(database, audience(), RunKind.DELTA, earlier, forced=False)
    runs.claim(database, audience(), RunKind.DELTA, earlier, forced=True)


def test_versions_are_unique_among_many_writers(database: Database) -> None:
    got: list[int] = []

    def work() -> None:
        for _ in range(20):
            with database.write() as connection:
                got.append(next_version(connection))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 81))


def test_a_lease_is_held_until_it_runs_out(database: Database, clock: MovingClock) -> None:
    first = leases.acquire(database, "push", 15)
    assert isinstance(first, leases.Lease)
    assert leases.acquire(database, "push", 15) == leases.Held("push", this_process())
    assert isinstance(leases.acquire(database, "other", 15), leases.Lease)
    clock.advance(16)
    second = leases.acquire(database, "push", 15)
    assert second == leases.Lease("push", first.term + 1, from_dead=False)
    assert not leases.renew(database, first, 15)
    leases.release(database, first)
    assert isinstance(leases.acquire(database, "push", 15), leases.Held)


def test_a_renewed_lease_is_held_longer(database: Database, clock: MovingClock) -> None:
    held = leases.acquire(database, "push", 15)
    assert isinstance(held, leases.Lease)
    clock.advance(10)
    assert leases.renew(database, held, 15)
    clock.advance(10)
    assert isinstance(leases.acquire(database, "push", 15), leases.Held)


def test_a_released_lease_is_free_at_once(database: Database) -> None:
    held = leases.acquire(database, "push", 15)
    assert isinstance(held, leases.Lease)
    leases.release(database, held)
    assert isinstance(leases.acquire(database, "push", 15), leases.Lease)


def test_a_dead_holders_lease_is_free_at_once(database: Database, as_if_dead: Callable[[], None]) -> None:
    leases.acquire(database, "push", 15)
    as_if_dead()
    taken = leases.acquire(database, "push", 15)
    assert isinstance(taken, leases.Lease)
    assert taken.from_dead


def test_of_many_who_want_a_lease_one_gets_it(database: Database) -> None:
    start = threading.Barrier(4)
    got: list[object] = []

    def work() -> None:
        start.wait()
        got.append(leases.acquire(database, "push", 15))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(each, leases.Lease) for each in got) == 1


def test_a_holder_survives_its_trip_through_the_store() -> None:
    assert Holder.parse(this_process().text()) == this_process()


def test_a_living_process_is_not_dead_and_an_ended_one_is(dead: Holder) -> None:
    assert not this_process().provably_dead()
    assert dead.provably_dead()


def test_a_pid_that_was_given_to_another_process_is_dead() -> None:
    assert replace(this_process(), started=this_process().started - 1).provably_dead()


def test_a_zombie_is_dead() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert holder._start_of(child.pid) == -1


@pytest.mark.parametrize("elsewhere", ["host", "boot", "namespace"])
def test_nobody_judges_a_process_of_another_host_boot_or_container(dead: Holder, elsewhere: str) -> None:
    assert not replace(dead, **{elsewhere: "elsewhere"}).provably_dead()


def test_nobody_is_judged_where_the_system_does_not_tell(dead: Holder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holder, "this_process", lambda: replace(dead, boot=""))
    assert not replace(dead, boot="").provably_dead()


def test_a_fork_is_another_holder() -> None:
    code = """
import os
from sync.store.holder import this_process
first = this_process().pid
if os.fork() == 0:
    os._exit(0 if this_process().pid == os.getpid() != first else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.wait()[1]))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
