"""What daemons may rely on when they share ticks: on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from sync.errors import RunBusy, RunLost, RunSuperseded
from sync.model.run import ClaimedRun, RunKind
from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations, recording, runs, ticks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import audience, record

NOON = datetime(2024, 11, 21, 12, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
LEASE = 30.0


@pytest.fixture
def generation(database: Database) -> int:
    return configurations.announce(database, "as it is")


def add(database: Database, generation: int, instant: datetime = NOON, key: str = "vip", late: float = 0.0) -> bool:
    """A tick that has been due for a while; ``late`` is its jitter."""
    return ticks.insert(database, key, instant, due_at=instant + timedelta(seconds=late), generation=generation)


def take(database: Database, generation: int, *keys: str) -> ClaimedTick | None:
    return ticks.claim(database, keys or ("vip",), generation, LEASE)


def taken(database: Database, generation: int, *keys: str) -> ClaimedTick:
    found = take(database, generation, *keys)
    assert found is not None
    return found


def states(database: Database, key: str = "vip") -> dict[datetime, str]:
    with database.read() as connection:
        rows = connection.execute(ticks.tick.select().where(ticks.tick.c.key == key).order_by(ticks.tick.c.instant))
        return {row.instant: row.state for row in rows}


def column(database: Database, name: str, key: str = "vip") -> object:
    with database.read() as connection:
        statement = text(f"SELECT {name} FROM tick WHERE key = :key ORDER BY instant DESC LIMIT 1")
        return connection.execute(statement, {"key": key}).scalar_one()


def begin(database: Database, tick: ClaimedTick) -> ClaimedRun:
    return runs.claim(database, audience(tick.key), RunKind.DELTA, None, forced=False, tick=tick)


def commit(database: Database, run: ClaimedRun, key: str = "vip") -> None:
    with recording.session(database) as session:
        session.load([], ("user_id",))
        session.record(run, audience(key), 0, None)


def do(database: Database, tick: ClaimedTick) -> None:
    """The run that a tick asks for."""
    commit(database, begin(database, tick), tick.key)


def recorded(database: Database) -> int:
    with database.read() as connection:
        number: int = connection.execute(text("SELECT count(*) FROM run WHERE status = 'succeeded'")).scalar_one()
    return number


# Adding


def test_an_instant_ticks_once(database: Database, generation: int) -> None:
    assert add(database, generation)
    assert not add(database, generation)
    ticks.finish(database, taken(database, generation), TickState.DONE)
    assert not add(database, generation)
    assert states(database) == {NOON: "done"}


def test_ticks_coalesce_while_one_is_due(database: Database, generation: int) -> None:
    assert add(database, generation)
    assert not add(database, generation, NOON + QUARTER)
    assert add(database, generation, NOON, "another")
    assert states(database) == {NOON: "due"}


def test_a_tick_can_be_added_while_the_one_before_is_running_and_waits_for_its_end(
    database: Database, generation: int
) -> None:
    add(database, generation)
    first = taken(database, generation)
    assert add(database, generation, NOON + QUARTER)
    assert take(database, generation) is None
    ticks.finish(database, first, TickState.DONE)
    assert taken(database, generation).instant == NOON + QUARTER


def test_an_instant_before_the_last_is_never_added(database: Database, generation: int) -> None:
    add(database, generation, NOON + QUARTER)
    ticks.finish(database, taken(database, generation), TickState.DONE)
    assert not add(database, generation, NOON)
    assert states(database) == {NOON + QUARTER: "done"}


def test_the_last_instant_of_each_key_is_known_whatever_became_of_it(database: Database, generation: int) -> None:
    for key, state in (("a", TickState.DONE), ("b", TickState.FAILED), ("c", None)):
        for instant in (NOON, NOON + QUARTER):
            add(database, generation, instant, key)
            if state is not None:
                ticks.finish(database, taken(database, generation, key), state)
    with database.read() as connection:
        found = ticks.latest(connection, ["a", "b", "c", "never", "o'clock ☃"])
    assert found == {"a": NOON + QUARTER, "b": NOON + QUARTER, "c": NOON}


# Claiming


def test_a_tick_is_claimed_once_with_its_instant(database: Database, generation: int) -> None:
    add(database, generation, late=7)
    claimed = taken(database, generation)
    assert (claimed.key, claimed.instant, claimed.due_at) == ("vip", NOON, NOON + timedelta(seconds=7))
    assert take(database, generation) is None
    assert states(database) == {NOON: "running"}


def test_nothing_is_claimed_before_it_is_due(database: Database, generation: int, clock: MovingClock) -> None:
    ticks.insert(database, "vip", clock.now(), due_at=clock.now() + timedelta(seconds=60), generation=generation)
    assert take(database, generation) is None
    clock.advance(61)
    taken(database, generation)


def test_what_has_been_due_longest_is_claimed_first_and_only_what_was_asked_for(
    database: Database, generation: int
) -> None:
    add(database, generation, NOON, "late", late=300)
    add(database, generation, NOON, "early")
    add(database, generation, NOON - QUARTER, "stranger")
    order = [taken(database, generation, "late", "early").key for _ in range(2)]
    assert order == ["early", "late"]
    assert take(database, generation, "late", "early") is None


def test_a_thousand_keys_are_no_hindrance(database: Database, generation: int) -> None:
    add(database, generation, key="key 999")
    keys = [f"key {number}" for number in range(1000)]
    assert taken(database, generation, *keys).key == "key 999"
    with database.read() as connection:
        assert ticks.latest(connection, keys) == {"key 999": NOON}


def test_one_due_and_one_running_tick_per_definition_are_constraints(database: Database, generation: int) -> None:
    add(database, generation)
    taken(database, generation)
    add(database, generation, NOON + QUARTER)
    columns = "key, due_at, generation, state, token, holder, lease_until, created_at"
    copied = f"INSERT INTO tick (instant, {columns}) SELECT created_at, {columns} FROM tick WHERE state = :state"
    for state in ("due", "running"):
        with pytest.raises(IntegrityError), database.write() as connection:
            connection.execute(text(copied), {"state": state})


# Holding, finishing, putting back


def test_a_renewed_tick_is_held_longer(database: Database, generation: int, clock: MovingClock) -> None:
    add(database, generation)
    claimed = taken(database, generation)
    clock.advance(LEASE - 5)
    assert ticks.renew(database, claimed, LEASE)
    clock.advance(LEASE - 5)
    assert ticks.rescue(database) == 0
    assert states(database) == {NOON: "running"}


@pytest.mark.parametrize("state", [TickState.DONE, TickState.FAILED, TickState.SKIPPED])
def test_a_finished_tick_is_over(database: Database, generation: int, state: TickState) -> None:
    add(database, generation)
    claimed = taken(database, generation)
    assert ticks.finish(database, claimed, state, "because\0" + "x" * 1000)
    assert states(database) == {NOON: state}
    assert str(column(database, "reason")).startswith("because\ufffdx")
    assert len(str(column(database, "reason"))) == ticks.LONGEST_REASON
    assert not ticks.finish(database, claimed, TickState.DONE)
    assert not ticks.renew(database, claimed, LEASE)
    assert not ticks.again(database, claimed, due_at=NOON, reason=None)
    assert states(database) == {NOON: state}


def test_a_tick_that_is_tried_again_keeps_its_instant_and_counts_its_failures(
    database: Database, generation: int, clock: MovingClock
) -> None:
    add(database, generation)
    for failures in range(3):
        claimed = taken(database, generation)
        assert (claimed.instant, claimed.attempts) == (NOON, failures)
        assert ticks.again(database, claimed, due_at=clock.now() + timedelta(seconds=30), reason="the source is away")
        assert take(database, generation) is None
        clock.advance(31)
    assert column(database, "reason") == "the source is away"


def test_a_busy_definition_has_not_failed(database: Database, generation: int) -> None:
    add(database, generation)
    assert ticks.again(database, taken(database, generation), due_at=NOON, reason="busy", failed=False)
    assert taken(database, generation).attempts == 0


def test_a_tick_that_is_tried_again_goes_before_a_later_one_that_can_be_added_after_it(
    database: Database, generation: int
) -> None:
    add(database, generation)
    first = taken(database, generation)
    add(database, generation, NOON + QUARTER)
    ticks.again(database, first, due_at=NOON, reason="the source is away")
    assert states(database) == {NOON: "due"}
    assert taken(database, generation).instant == NOON
    assert add(database, generation, NOON + QUARTER)


# Deaths


def test_a_dead_holders_tick_is_due_again_at_once(
    database: Database, generation: int, as_if_dead: Callable[[], None]
) -> None:
    add(database, generation)
    lost = taken(database, generation)
    as_if_dead()
    assert ticks.rescue(database) == 1
    assert ticks.rescue(database) == 0
    found = taken(database, generation)
    assert found.instant == NOON
    assert found.token != lost.token


def test_a_living_holders_tick_is_due_again_when_its_lease_has_run_out(
    database: Database, generation: int, clock: MovingClock
) -> None:
    add(database, generation)
    frozen = taken(database, generation)
    assert ticks.rescue(database) == 0
    clock.advance(LEASE + 1)
    assert ticks.rescue(database) == 1
    present = taken(database, generation)
    assert not ticks.renew(database, frozen, LEASE)
    assert not ticks.finish(database, frozen, TickState.FAILED, "too late")
    assert not ticks.again(database, frozen, due_at=NOON, reason="too late")
    assert ticks.finish(database, present, TickState.DONE)


def test_a_tick_whose_holder_died_after_recording_is_done(
    database: Database, generation: int, as_if_dead: Callable[[], None]
) -> None:
    add(database, generation)
    do(database, taken(database, generation))
    as_if_dead()
    assert ticks.rescue(database) == 1
    assert states(database) == {NOON: "done"}
    assert take(database, generation) is None
    assert recorded(database) == 1


def test_a_rescued_tick_goes_before_a_later_one(
    database: Database, generation: int, as_if_dead: Callable[[], None]
) -> None:
    add(database, generation)
    add(database, generation, key="other")
    for key in ("vip", "other"):
        taken(database, generation, key)
        add(database, generation, NOON + QUARTER, key)
    as_if_dead()
    assert ticks.rescue(database) == 2
    assert states(database) == states(database, "other") == {NOON: "due"}


def test_a_dead_holders_run_is_lost_at_once_although_nobody_wants_its_definition(
    database: Database, as_if_dead: Callable[[], None], clock: MovingClock
) -> None:
    for key in ("vip", "other"):
        runs.claim(database, audience(key), RunKind.DELTA, None, forced=False)
    as_if_dead()
    living = runs.claim(database, audience("third"), RunKind.DELTA, None, forced=False)
    assert runs.rescue(database) == 2
    assert runs.rescue(database) == 0
    clock.advance(runs.LEASE_SECONDS + 1)
    assert runs.rescue(database) == 1
    with pytest.raises(RunLost):
        commit(database, living, "third")


# One tick, one run


def test_a_holder_that_was_frozen_cannot_record_what_another_one_does(
    database: Database, generation: int, clock: MovingClock
) -> None:
    add(database, generation)
    frozen = begin(database, taken(database, generation))
    clock.advance(LEASE + 1)
    ticks.rescue(database)
    do(database, taken(database, generation))
    with pytest.raises(RunLost):
        commit(database, frozen)
    assert recorded(database) == 1


def test_a_slow_holder_whose_tick_was_taken_records_nothing_and_keeps_others_away_only_until_its_run_ends(
    database: Database, generation: int, clock: MovingClock
) -> None:
    """Its run's heart beat on: the other one finds it busy until it has ended."""
    add(database, generation)
    slow = begin(database, taken(database, generation))
    clock.advance(LEASE + 1)
    assert runs._renew(database, slow)
    ticks.rescue(database)
    second = taken(database, generation)
    with pytest.raises(RunBusy):
        begin(database, second)
    with pytest.raises(RunLost, match="its tick was taken away") as refused:
        commit(database, slow)
    runs.fail(database, slow, refused.value)
    do(database, second)
    assert recorded(database) == 1
    with database.read() as connection:
        assert list(connection.execute(text("SELECT status FROM run ORDER BY id")).scalars()) == ["lost", "succeeded"]


def test_a_tick_that_was_recorded_and_put_back_all_the_same_is_not_run_again(
    database: Database, generation: int
) -> None:
    add(database, generation)
    first = taken(database, generation)
    do(database, first)
    with pytest.raises(RunLost, match="has recorded the run of this tick"):
        begin(database, first)
    ticks.again(database, first, due_at=NOON, reason="busy", failed=False)
    assert take(database, generation) is None
    assert states(database) == {NOON: "done"}
    assert recorded(database) == 1


def test_a_tick_that_is_given_back_is_anybodys_at_once_and_its_former_run_is_lost(
    database: Database, generation: int
) -> None:
    add(database, generation)
    former = taken(database, generation)
    run = begin(database, former)
    assert ticks.give_back(database, former, "there is something newer")
    with database.read() as connection:
        assert connection.execute(text("SELECT status, message FROM run")).one() == ("lost", "there is something newer")
    assert not ticks.give_back(database, former, "twice")
    second = taken(database, generation)
    assert (second.instant, second.attempts) == (NOON, 0)
    do(database, second)
    with pytest.raises(RunLost):
        commit(database, run)
    assert recorded(database) == 1


def test_a_run_that_is_begun_after_its_tick_was_given_back_is_refused(database: Database, generation: int) -> None:
    add(database, generation)
    former = taken(database, generation)
    assert ticks.give_back(database, former, "there is something newer")
    with pytest.raises(RunLost, match="its tick was taken away"):
        begin(database, former)


def test_one_recorded_run_per_tick_is_a_constraint(database: Database, generation: int) -> None:
    add(database, generation)
    do(database, taken(database, generation))
    columns = "definition_id, kind, status, token, holder, lease_until, as_of, forced, started_at, tick"
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text(f"INSERT INTO run ({columns}) SELECT {columns} FROM run"))


def test_a_tick_whose_run_failed_may_have_another(database: Database, generation: int) -> None:
    add(database, generation)
    claimed = taken(database, generation)
    runs.fail(database, begin(database, claimed), RunLost("because"))
    do(database, claimed)
    assert recorded(database) == 1


# Generations


def test_a_newer_configuration_stops_whoever_has_an_older_one(database: Database, generation: int) -> None:
    add(database, generation)
    newer = configurations.announce(database, "as it is to be")
    assert take(database, generation) is None
    assert not add(database, generation, key="other")
    assert ticks.skip_others(database, [], generation) == 0
    assert taken(database, newer).instant == NOON
    assert add(database, newer, key="other")


def test_what_a_replaced_configuration_asked_for_is_not_recorded_any_more(database: Database, generation: int) -> None:
    add(database, generation)
    run = begin(database, taken(database, generation))
    configurations.announce(database, "as it is to be")
    with pytest.raises(RunSuperseded, match="a newer configuration was announced") as refused:
        commit(database, run)
    runs.fail(database, run, refused.value)
    assert recorded(database) == 0
    with database.read() as connection:
        status, message = connection.execute(text("SELECT status, message FROM run")).one()
    assert status == "lost"
    assert message == runs.SUPERSEDED


def test_a_replaced_configuration_begins_no_run_either(database: Database, generation: int) -> None:
    add(database, generation)
    former = taken(database, generation)
    configurations.announce(database, "as it is to be")
    with pytest.raises(RunSuperseded):
        begin(database, former)


def test_a_run_by_hand_goes_by_its_own_configuration(database: Database) -> None:
    by_hand = runs.claim(database, audience(), RunKind.DELTA, None, forced=False)
    configurations.announce(database, "as it is to be")
    commit(database, by_hand)
    assert recorded(database) == 1


def test_a_configuration_is_announced_before_a_recording_or_after_it_and_never_in_between(
    database: Database, generation: int
) -> None:
    add(database, generation)
    run = begin(database, taken(database, generation))
    announced = threading.Thread(target=configurations.announce, args=(database, "as it is to be"))
    with database.write() as connection:
        runs.fence(connection, run)
        announced.start()
        announced.join(0.3)
        assert announced.is_alive()
        assert configurations.newest(connection) == generation
    announced.join(20)
    with database.read() as connection:
        assert configurations.newest(connection) > generation


def test_a_configuration_announced_between_the_look_and_the_claim_stops_it(
    database: Database, generation: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(database, generation)
    look = ticks._due_keys

    def announced(database: Database, keys: tuple[str, ...]) -> list[str]:
        found = look(database, keys)
        configurations.announce(database, "as it is to be")
        return found

    monkeypatch.setattr(ticks, "_due_keys", announced)
    assert take(database, generation) is None
    assert states(database) == {NOON: "due"}


def test_what_is_due_of_a_definition_that_left_the_configuration_is_skipped(
    database: Database, generation: int
) -> None:
    add(database, generation, key="stays")
    add(database, generation, key="left")
    add(database, generation, key="runs")
    running = taken(database, generation, "runs")
    assert ticks.skip_others(database, ["stays"], generation) == 1
    assert (states(database, "stays"), states(database, "left")) == ({NOON: "due"}, {NOON: "skipped"})
    assert ticks.finish(database, running, TickState.DONE)


# Followers


def due_followers(database: Database) -> list[tuple[str, datetime]]:
    with database.read() as connection:
        return sorted(ticks.followers_due(connection, {"after vip": "vip", "too": "vip", "alone": "nobody"}))


def follow(database: Database, generation: int) -> None:
    for key, instant in due_followers(database):
        assert ticks.insert(database, key, instant, due_at=instant, generation=generation)
        ticks.finish(database, taken(database, generation, key), TickState.DONE)


def test_followers_are_due_once_for_each_success_of_their_leader(database: Database, generation: int) -> None:
    assert due_followers(database) == []
    record(database, audience(), ["ann"])
    assert [key for key, _ in due_followers(database)] == ["after vip", "too"]
    follow(database, generation)
    assert due_followers(database) == []
    record(database, audience(), ["ann"])
    first = due_followers(database)
    record(database, audience(), ["ann"])
    second = due_followers(database)
    assert [key for key, _ in second] == ["after vip", "too"]
    assert second > first
    follow(database, generation)
    assert due_followers(database) == []


def test_a_leader_that_failed_or_held_exits_has_no_followers(database: Database, generation: int) -> None:
    users = [str(number) for number in range(40)]
    record(database, audience(), users)
    follow(database, generation)
    assert record(database, audience(), []).hold
    runs.fail(database, runs.claim(database, audience(), RunKind.DELTA, None, forced=False), RunLost("because"))
    assert due_followers(database) == []


def test_followers_are_not_forgotten_when_the_leaders_process_dies_before_it_could_tell(
    database: Database, generation: int, as_if_dead: Callable[[], None]
) -> None:
    add(database, generation)
    do(database, taken(database, generation))
    as_if_dead()
    ticks.rescue(database)
    assert [key for key, _ in due_followers(database)] == ["after vip", "too"]


# Plans


def test_ticks_are_found_by_an_index_however_long_their_history(sqlite_database: Database, clock: MovingClock) -> None:
    database = sqlite_database
    generation = configurations.announce(database, "as it is")
    asked: list[tuple[str, object]] = []
    event.listen(
        database.engine,
        "before_cursor_execute",
        lambda _, __, statement, values, *more: asked.append((statement, values)),
    )
    add(database, generation)
    do(database, taken(database, generation))
    clock.advance(LEASE + 1)
    ticks.rescue(database)
    runs.rescue(database)
    due_followers(database)
    read = [(statement, values) for statement, values in asked if statement.startswith(("SELECT", "UPDATE", "DELETE"))]
    with database.read() as connection:
        plans = [
            step[3]
            for statement, values in read
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
        ]
    whole = [step for step in plans if step.startswith(("SCAN tick", "SCAN run")) and "tick_one_" not in step]
    assert len(read) > 10
    assert [step for step in whole if "run_one_running" not in step] == []
