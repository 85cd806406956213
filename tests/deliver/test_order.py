"""Audience updates and forwarded events of one user: never in flight together, and what was recorded later arrives last (M5)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from random import Random

import pytest

from sync import telemetry
from sync.daemon.app import App
from sync.deliver.foreground import deliver, forward
from sync.deliver.order import Order
from sync.model.identify import IdentifyPer, identify, portions
from sync.model.slot import ClaimedSlot
from sync.store.engine import Database
from tests import posted
from tests.posted import DESTINATION, IMPATIENT, PROFILES, TOGETHER, post, post_on, track
from tests.proofs import Road
from tests.recorder import record, trait
from tests.soak import FULL, SEED

SCORE = trait("score", DESTINATION)


def claimed(confirmed: dict[str, int] | None = None, **versions: int) -> ClaimedSlot:
    owed: dict[str, object] = dict.fromkeys(versions, True)
    now = datetime.now(UTC)
    return ClaimedSlot("u", "t", max(versions.values()), owed, versions, {}, False, 0, None, now, confirmed or {})


def owe(database: Database, **scores: object) -> None:
    """Record an audience update for each of these users, beside what is known of others."""
    record(database, SCORE, {**dict(_scores(database)), **scores})


def _scores(database: Database) -> list[tuple[str, object]]:
    with database.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT user_id, value FROM snapshot").all()
    return [(row[0], int(row[1])) for row in rows]


def test_a_key_waits_for_pending_events_that_were_recorded_before_it_and_for_no_others() -> None:
    order = Order(lambda _: 100)
    slot = claimed(early=3, late=9)
    assert order.due(slot) == {"early": 3, "late": 9}
    order.add("u", 5)
    order.add("u", 7)
    order.add("v", 1)
    assert order.due(slot) == {"early": 3}
    order.remove("u", 5)
    assert order.due(slot) == {"early": 3}
    order.remove("u", 7)
    assert order.due(slot) == {"early": 3, "late": 9}


def test_a_key_that_is_to_be_confirmed_has_the_number_under_which_it_was_recorded() -> None:
    order = Order(lambda _: 100)
    order.add("u", 5)
    assert order.due(claimed({"early": 3}, early=20)) == {"early": 20}
    assert order.due(claimed({"late": 8}, late=20)) == {}


def test_of_a_slot_whose_keys_go_alone_those_that_are_due_go_alone() -> None:
    slot = claimed(early=3, middle=5, late=9)
    due = {"early": 3, "middle": 5}
    assert portions(slot, IdentifyPer.COMPUTATION, due) == [{"early": 3}, {"middle": 5}]
    assert portions(slot, IdentifyPer.USER, due) == [due]
    assert portions(slot, IdentifyPer.USER, {}) == []
    assert identify(slot, destination="d", carried=due)["traits"] == {"early": True, "middle": True}


async def test_one_users_profile_is_changed_by_one_request_at_a_time() -> None:
    order = Order(lambda _: 100)
    await order.enter("u")
    await order.enter("v")
    waiting = [asyncio.create_task(order.enter("u")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    order.leave("u")
    done, _ = await asyncio.wait(waiting[1:], return_when=asyncio.FIRST_COMPLETED)
    assert len(done) == 1
    order.leave("u")
    await asyncio.gather(*waiting[1:])


def test_an_event_that_is_in_the_log_and_not_read_yet_counts_until_it_has_been() -> None:
    read_to = 4
    order = Order(lambda _: read_to)
    slot = claimed(late=9)
    order.note_unread([slot], {"u": 5})
    assert order.due(slot) == {}
    order.note_unread([slot], {"u": 5})
    read_to = 6  # and it changed no profile, or has been sent
    assert order.due(slot) == {"late": 9}


@contextmanager
def when_sending(do: object) -> Iterator[None]:
    """Call ``do`` with the number of each request, before it goes out."""
    sent = 0

    def listener(name: str, _: dict[str, object]) -> None:
        nonlocal sent
        if name == "deliver.sending":
            sent += 1
            do(sent)  # type: ignore[operator]

    stop = telemetry.listen(listener)
    try:
        yield
    finally:
        stop()


def both(app: App, patience: float = 60) -> None:
    """Send slots and events, until neither is owed."""
    [updates] = deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=patience)
    assert updates.complete, updates
    [events] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=patience)
    assert events.complete, events


def test_an_update_goes_after_the_identify_that_was_recorded_before_it(road: Road) -> None:
    post_on(road, posted.identify("u", score=1))
    with road.app() as app:
        owe(app.database(), u=2)
        both(app)
    assert road.sandbox.values("u", "score") == [1, 2]


def test_an_identify_goes_after_the_update_that_was_recorded_before_it_also_when_only_events_are_forwarded(
    road: Road,
) -> None:
    with road.app() as app:
        owe(app.database(), u=1)
        post(app.database(), posted.identify("u", score=2), posted.identify("v", score=3))
        [events] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
        assert events.complete
    assert road.sandbox.values("u", "score") == [1, 2]
    assert road.sandbox.values("v", "score") == [3]


def test_of_a_slot_only_what_was_recorded_before_an_identify_goes_before_it(sqlite_road: Road) -> None:
    with sqlite_road.app() as app:
        database = app.database()
        record(database, trait("first", DESTINATION), {"u": 1})
        post(database, posted.identify("u", first=2, second=2))
        record(database, trait("second", DESTINATION), {"u": 3})
        both(app)
    assert sqlite_road.sandbox.values("u", "first") == [1, 2]
    assert sqlite_road.sandbox.values("u", "second") == [2, 3]


def test_an_identify_that_waits_for_another_try_keeps_later_updates_of_its_user_and_nobody_elses(
    sqlite_road: Road,
) -> None:
    sqlite_road.configure(retry={"longest_delay": "1s"})
    sqlite_road.sandbox.set_faults(status=429, status_count=1)
    post_on(sqlite_road, posted.identify("u", score=1))
    with sqlite_road.app() as app:
        forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=0)
        owe(app.database(), u=2, v=3)
        both(app)
    assert sqlite_road.sandbox.values("u", "score")[-2:] == [1, 2]


def test_an_update_that_is_confirmed_goes_before_a_later_identify_once_more(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(status=500, status_count=1)
    with sqlite_road.app() as app:
        owe(app.database(), u=1)
        deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=0)
        post(app.database(), posted.identify("u", score=2))
        both(app)
    values = sqlite_road.sandbox.values("u", "score")
    assert values == [1] * (len(values) - 1) + [2]
    assert len(values) >= 3


def test_a_parked_update_holds_up_no_identify(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(fail_users=["u"])
    with sqlite_road.app() as app:
        owe(app.database(), u=1)
        deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=1)
        sqlite_road.sandbox.replace_faults()
        post(app.database(), posted.identify("u", score=2))
        [events] = forward(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
    assert events.complete
    assert sqlite_road.sandbox.values("u", "score")[-1] == 2


def test_tracks_wait_for_no_update_and_updates_for_no_track(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(latency=0.2)
    with sqlite_road.app() as app:
        post(app.database(), *(track("u", number) for number in range(30)))
        owe(app.database(), u=1)
        [updates] = deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
        assert updates.complete
    # The update did not have to wait for thirty requests.
    assert len(sqlite_road.sandbox.events()) < 30


@pytest.mark.parametrize("trouble", ["busy", "unsure"])
def test_m5_whatever_happens_nobody_gets_an_older_value_after_a_newer_one(road: Road, trouble: str) -> None:
    """Updates and identifies carry one ever growing number, and are recorded while both are being sent, to a destination
    that is busy, or of which nobody knows what it did."""
    random = Random(SEED)
    rounds, users = (60, 12) if FULL else (5, 6)
    road.configure(quiet_period="50ms", more={"mappings": [PROFILES, TOGETHER], "batch": IMPATIENT})
    if trouble == "busy":
        road.sandbox.set_faults(rate_limit=150, rate_limit_retry_after=False, latency=0.002)
    else:
        road.sandbox.set_faults(error_rate=0.1, drop_rate=0.05, latency=0.002)
    latest: dict[str, int] = {}
    number = 0

    with road.app() as app, road.opened() as other:

        def more(_: int = 0) -> None:
            nonlocal number
            user = f"u{random.randrange(users)}"
            number += 1
            latest[user] = number
            if random.random() < 0.5:
                post(
                    other, posted.identify(user, score=number), *([track(user, number)] if trouble == "unsure" else [])
                )
            else:
                owe(other, **{user: number})

        for _ in range(rounds):
            for _ in range(random.randrange(1, 12)):
                more()
            work = random.choice([deliver, forward])
            with when_sending(lambda sent: more() if sent in (2, 5) else None):
                work(app.database(), app.outlets([DESTINATION]), app.clock, patience=random.choice([0, 0.3]))
        both(app)
    for user, last in latest.items():
        values = road.sandbox.values(user, "score")
        assert values == sorted(values), user  # type: ignore[type-var]
        assert values[-1] == last
    if trouble == "busy":  # without tracks, which may go beside
        assert road.sandbox.stats()["max_concurrent_per_user"] == 1
    assert not road.sandbox.complaints
