"""What daemons may rely on when they share ticks: on both engines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import IntegrityError

from sync.errors import RunLost
from sync.model.run import RunKind
from sync.model.tick import TickState
from sync.store import configurations, runs, ticks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import audience, record
from tests.store.tick_steps import LEASE, NOON, QUARTER, add, column, do, states, take, taken

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
