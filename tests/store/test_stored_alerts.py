from __future__ import annotations

import threading

from sync.model.alert import AlertState
from sync.store import alerts
from sync.store.engine import Database
from tests.moving_clock import MovingClock

FIRING, RESOLVED = AlertState.FIRING, AlertState.RESOLVED


def untold(database: Database) -> dict[str, str]:
    with database.read() as connection:
        return {each.name: each.state for each in alerts.unnotified(connection)}


def tell(database: Database, name: str, state: AlertState) -> None:
    alerts.telling(database, [name])
    alerts.notified(database, name, state)


def test_what_never_fired_is_neither_stored_nor_told(database: Database) -> None:
    assert not alerts.change(database, "push", RESOLVED, "fine")
    assert untold(database) == {}
    with database.read() as connection:
        assert alerts.states(connection) == {}


def test_a_change_is_told_once_and_so_is_the_recovery(database: Database) -> None:
    for state in (FIRING, RESOLVED, FIRING):
        assert alerts.change(database, "push", state, "as said")
        assert untold(database) == {"push": state}
        tell(database, "push", state)
        assert untold(database) == {}


def test_a_state_that_stays_is_no_change(database: Database, clock: MovingClock) -> None:
    alerts.change(database, "push", FIRING, "21 users are parked")
    clock.advance(60)
    assert not alerts.change(database, "push", FIRING, "22 users are parked")
    with database.read() as connection:
        (stored,) = alerts.states(connection).values()
        assert stored.detail == "21 users are parked"
        assert (database.now(connection) - stored.since).total_seconds() >= 60


def test_what_recovered_before_anybody_heard_of_it_is_not_told(database: Database) -> None:
    alerts.change(database, "push", FIRING, "down")
    alerts.change(database, "push", RESOLVED, "back")
    assert untold(database) == {}


def test_what_may_have_been_heard_is_told_again_whatever_it_is_by_then(database: Database) -> None:
    """A death while telling: the receiver may have been alarmed, and must hear that all is well."""
    alerts.change(database, "push", FIRING, "down")
    alerts.telling(database, ["push"])
    assert untold(database) == {"push": FIRING}
    alerts.change(database, "push", RESOLVED, "back")
    assert untold(database) == {"push": RESOLVED}
    tell(database, "push", RESOLVED)
    assert untold(database) == {}


def test_a_change_while_the_former_one_is_told_is_told_next(database: Database) -> None:
    alerts.change(database, "push", FIRING, "down")
    alerts.telling(database, ["push"])
    alerts.change(database, "push", RESOLVED, "back")
    alerts.notified(database, "push", FIRING)
    assert untold(database) == {"push": RESOLVED}


def test_what_changed_first_is_told_first(database: Database, clock: MovingClock) -> None:
    for name in ("zoe", "ann", "bob"):
        alerts.change(database, name, FIRING, "down")
        clock.advance(1)
    assert list(untold(database)) == ["zoe", "ann", "bob"]


def test_a_forgotten_alert_is_as_if_it_had_never_fired(database: Database) -> None:
    for name in ("gone", "stays"):
        alerts.change(database, name, FIRING, "down")
    alerts.forget(database, ["gone", "never there"])
    assert untold(database) == {"stays": FIRING}
    assert alerts.change(database, "gone", FIRING, "down")


def test_of_many_who_see_a_change_one_stores_it(database: Database) -> None:
    start = threading.Barrier(4)
    changed: list[bool] = []

    def work() -> None:
        start.wait()
        changed.append(alerts.change(database, "push", FIRING, "down"))

    for _ in range(2):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(changed) == [False] * 7 + [True]
