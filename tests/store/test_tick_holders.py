"""What becomes of a tick whose holder dies, is too slow, or goes by a configuration that was replaced: on both engines."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from sync.errors import RunBusy, RunLost, RunSuperseded
from sync.model.run import RunKind
from sync.model.tick import TickState
from sync.store import configurations, runs, ticks
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import audience
from tests.store.tick_steps import LEASE, NOON, QUARTER, add, begin, commit, do, recorded, states, take, taken

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
    announced.join(60)
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
