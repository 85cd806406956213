"""Updates in bulk and forwarded events of one user: what was recorded later arrives last."""

from __future__ import annotations

import pytest

from sync.daemon.app import App
from sync.deliver import bulk_answers
from sync.deliver.foreground import deliver, forward
from tests import posted
from tests.posted import DESTINATION, post
from tests.proofs import Road
from tests.recorder import record, trait

USERS = 60
pytestmark = pytest.mark.parametrize("transport", ["public-api"])
BULK = "/api/v2/audience/bulkSetTags"


@pytest.fixture
def way(sqlite_road: Road, monkeypatch: pytest.MonkeyPatch) -> Road:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.05)
    sqlite_road.configure(more={"token": "server"}, deadline="60s", lease="90s")
    return sqlite_road


def owe(app: App, score: int) -> None:
    record(app.database(), trait("score", DESTINATION), {f"u{number}": score for number in range(USERS)})


def both(app: App) -> None:
    """Send slots and events, until neither is owed."""
    [updates] = deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
    assert updates.complete, updates
    [events] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
    assert events.complete, events


def in_bulk(road: Road) -> list[int]:
    return [len(each.body["devices"]) for each in road.sandbox.log if each.path == BULK and each.body]  # type: ignore[arg-type]


def test_who_must_wait_for_an_event_goes_singly_after_it_and_the_others_in_bulk(way: Road) -> None:
    with way.app() as app:
        post(app.database(), posted.identify("u5", score=1))
        owe(app, 2)
        both(app)
    assert way.sandbox.values("u5", "score") == [1, 2]
    assert in_bulk(way) in ([USERS - 1], [USERS])  # the event may have arrived before the others were claimed


def test_an_event_waits_for_the_end_of_a_bulk_request_that_carries_something_older(way: Road) -> None:
    way.sandbox.set_faults(bulk_polls=3)
    with way.app() as app:
        owe(app, 1)
        post(app.database(), posted.identify("u5", score=2))
        both(app)
    assert way.sandbox.values("u5", "score") == [1, 2]
    assert in_bulk(way) == [USERS]


def test_where_only_events_are_forwarded_updates_that_they_wait_for_go_singly(way: Road) -> None:
    with way.app() as app:
        owe(app, 1)
        post(app.database(), posted.identify("u5", score=2))
        [events] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
        assert events.complete
    assert way.sandbox.values("u5", "score") == [1, 2]
    assert in_bulk(way) == []
