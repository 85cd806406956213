"""Events on their way to a destination: each arrives, in order for its user, and one that cannot harms no other."""

from __future__ import annotations

import threading

import pytest

from sync.deliver import forwarder
from sync.deliver.forwarded import Forwarded
from sync.store import lanes, suppressions
from tests.deliver.steps import when
from tests.posted import DESTINATION, IMPATIENT, PROFILES, TOGETHER, forwarded, identify, numbers, post_on, track
from tests.proofs import Road


def together(road: Road, **limits: object) -> None:
    """Let events travel together, without waiting for others."""
    road.configure(more={"mappings": [TOGETHER, PROFILES], "batch": IMPATIENT}, **limits)


def holds(road: Road) -> list[tuple[object, ...]]:
    return road.rows("SELECT event_id, state, attempts FROM hold ORDER BY event_id")


def verdicts(road: Road) -> dict[object, object]:
    return dict(road.rows("SELECT verdict, count(*) FROM event_outcome GROUP BY verdict"))  # type: ignore[arg-type]


def test_every_event_arrives_once_and_in_order_for_its_user(road: Road) -> None:
    post_on(
        road, *(track(f"u{number % 7}", number) for number in range(70)), *(identify(f"u{n}", n=n) for n in range(7))
    )
    done = forwarded(road)
    assert (done.accepted, done.complete) == (77, True)
    for user in range(7):
        assert numbers(road, f"u{user}") == list(range(user, 70, 7))
    assert road.sandbox.user_count == 7
    assert not road.sandbox.complaints
    assert verdicts(road) == {"accepted": 77}


def test_events_that_may_travel_together_fill_requests(sqlite_road: Road) -> None:
    together(sqlite_road)
    post_on(sqlite_road, *(track(f"u{number % 90}", number) for number in range(1000)))
    assert forwarded(sqlite_road).accepted == 1000
    assert 10 <= sqlite_road.sandbox.requests <= (20 if sqlite_road.takes_batches else 1000)
    for user in range(90):
        assert numbers(sqlite_road, f"u{user}") == list(range(user, 1000, 90))


def test_a_few_events_wait_for_others_no_longer_than_they_may(sqlite_road: Road) -> None:
    sqlite_road.configure(more={"mappings": [TOGETHER], "batch": {"events": 100, "linger": "300ms"}})
    post_on(sqlite_road, *(track(f"u{number}", number) for number in range(20)))
    assert forwarded(sqlite_road).accepted == 20
    assert sqlite_road.sandbox.requests == (1 if sqlite_road.takes_batches else 20)


def test_what_no_mapping_wants_is_done_with_and_what_none_can_use_is_discarded(sqlite_road: Road) -> None:
    sqlite_road.configure(more={"mappings": [{**TOGETHER, "subscribe": 'event = "Bought"'}], "batch": IMPATIENT})
    post_on(sqlite_road, track("u", 1), track("u", 2, "Looked"), track(None, 3))
    done = forwarded(sqlite_road)
    assert (done.accepted, done.filtered, done.parked) == (1, 1, 0)
    assert numbers(sqlite_road) == [1]
    assert verdicts(sqlite_road) == {"accepted": 1, "filtered": 1, "invalid": 1}
    assert not holds(sqlite_road)
    [(reason,)] = sqlite_road.rows("SELECT detail FROM event_outcome WHERE verdict = 'invalid'")
    assert "external_id" in str(reason)


def test_m4_of_a_batch_of_100_with_one_that_is_refused_99_are_delivered_and_one_is_parked(road: Road) -> None:
    together(road)
    road.sandbox.set_faults(fail_users=["u42"])
    ids = post_on(road, *(track(f"u{number}", number) for number in range(100)))
    done = forwarded(road)
    assert (done.accepted, done.parked, done.held) == (99, 1, 0)
    assert sorted(numbers(road)) == [number for number in range(100) if number != 42]  # type: ignore[type-var]
    assert [row[:2] for row in holds(road)] == [(ids[42], "parked")]
    # Halves: each level of them has one request that is refused and one that is not.
    assert road.sandbox.requests <= (1 + 2 * 7 if road.takes_batches else 100)


def test_a_parked_event_keeps_no_later_one_of_its_user_and_is_sent_again_when_told(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(fail_users=["u"])
    [first] = post_on(sqlite_road, track("u", 1))
    assert forwarded(sqlite_road).parked == 1
    sqlite_road.sandbox.replace_faults()
    post_on(sqlite_road, track("u", 2))
    assert forwarded(sqlite_road).accepted == 1
    assert numbers(sqlite_road) == [2]
    with sqlite_road.opened() as database:
        assert lanes.redrive(database, DESTINATION, [first]) == 1
    assert forwarded(sqlite_road).accepted == 1
    assert numbers(sqlite_road) == [2, 1]
    assert not holds(sqlite_road)


def test_events_told_to_be_sent_again_go_in_order_and_before_new_ones_of_their_user(road: Road) -> None:
    road.sandbox.set_faults(fail_users=["u"])
    post_on(road, *(track("u", number) for number in range(5)))
    assert forwarded(road).parked == 5
    road.sandbox.replace_faults()
    with road.opened() as database:
        assert lanes.redrive(database, DESTINATION) == 5
    post_on(road, track("u", 5))
    assert forwarded(road).accepted == 6
    assert numbers(road) == list(range(6))


def test_a_parked_event_that_is_dropped_is_never_sent(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(fail_users=["u"])
    [event_id] = post_on(sqlite_road, track("u", 1))
    forwarded(sqlite_road)
    with sqlite_road.opened() as database:
        assert lanes.drop(database, DESTINATION, [event_id]) == 1
        assert lanes.redrive(database, DESTINATION) == 0
    sqlite_road.sandbox.replace_faults()
    assert forwarded(sqlite_road).complete
    assert not numbers(sqlite_road)
    assert verdicts(sqlite_road) == {"dropped": 1}


def test_an_event_that_must_wait_is_tried_again_before_later_ones_of_its_user_and_holds_up_nobody_else(
    road: Road,
) -> None:
    together(road, concurrency=1)
    road.sandbox.set_faults(status=429, status_count=1)
    post_on(road, *(track("u", number) for number in range(3)))

    def more() -> None:
        post_on(road, *(track("u", number) for number in range(3, 6)), *(track(f"v{n}", n) for n in range(50)))

    with when("deliver.answered", 1, more):
        done = forwarded(road)
    assert (done.accepted, done.complete) == (56, True)
    assert numbers(road, "u") == list(range(6))
    assert done.held >= 3


def test_of_a_profile_whose_fate_is_unknown_the_next_try_is_not_before_the_quiet_period(sqlite_road: Road) -> None:
    sqlite_road.configure(quiet_period="700ms", more={"batch": IMPATIENT})
    sqlite_road.sandbox.set_faults(status=500, status_count=1)
    post_on(sqlite_road, identify("u", colour="red"), identify("u", colour="blue"))
    done = forwarded(sqlite_road)
    assert (done.accepted, done.complete) == (2, True)
    assert sqlite_road.sandbox.values("u", "colour") == ["red", "red", "blue"]
    first, again, _ = sqlite_road.sandbox.history("u")
    assert (again.time - first.time).total_seconds() >= 0.7


def test_while_the_settings_are_wrong_nobody_is_parked_and_nothing_is_lost(road: Road) -> None:
    road.sandbox.set_faults(status=401)
    post_on(road, *(track(f"u{number}", number) for number in range(200)))
    done = forwarded(road)
    assert done.fault
    assert done.backlog is not None
    assert (done.backlog.unread, done.parked) == (200, 0)
    assert not holds(road)
    road.sandbox.replace_faults()
    assert forwarded(road).accepted == 200
    assert road.rows("SELECT breaker FROM destination") == [("closed",)]


def test_twenty_users_refused_in_a_row_are_the_destinations_fault_and_taken_back(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(fail_users=[f"u{number}" for number in range(60)])
    post_on(sqlite_road, *(track(f"u{number}", number) for number in range(60)))
    done = forwarded(sqlite_road)
    assert done.stopped == "20 users refused in a row, none accepted"
    assert (done.parked, done.accepted) == (0, 0)
    sqlite_road.sandbox.replace_faults()
    assert forwarded(sqlite_road).accepted == 60
    assert sorted(numbers(sqlite_road)) == list(range(60))  # type: ignore[type-var]


def test_many_events_of_one_user_that_are_refused_are_no_fault_of_the_destination(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(fail_users=["u"])
    post_on(sqlite_road, *(track("u", number) for number in range(30)))
    done = forwarded(sqlite_road)
    assert (done.parked, done.fault, done.stopped) == (30, False, "")


def test_a_destination_that_is_down_for_a_while_gets_everything_in_the_end(sqlite_road: Road) -> None:
    together(sqlite_road)
    sqlite_road.sandbox.set_faults(status=500)
    post_on(sqlite_road, *(track(f"u{number % 50}", number) for number in range(2000)))
    with when("breaker.opened", 1, sqlite_road.sandbox.replace_faults):
        done = forwarded(sqlite_road)
    assert (done.complete, done.accepted) == (True, 2000)
    # Some were sent again since nobody knows about a 500; of each the last time is in order.
    for user in range(50):
        assert list(dict.fromkeys(numbers(sqlite_road, f"u{user}"))) == list(range(user, 2000, 50))


def test_events_of_a_suppressed_user_are_not_sent_also_when_they_wait_already(sqlite_road: Road) -> None:
    sqlite_road.sandbox.set_faults(status=429, status_count=1)
    post_on(sqlite_road, track("u", 1))
    with when("forward.settled", 1, lambda: _suppress(sqlite_road, "u")):
        done = forwarded(sqlite_road)
    assert (done.complete, done.accepted, done.suppressed) == (True, 0, 1)
    assert not numbers(sqlite_road)
    assert verdicts(sqlite_road) == {"suppressed": 1}


def _suppress(road: Road, user_id: str) -> None:
    def work() -> None:
        with road.opened() as database:
            suppressions.suppress(database, user_id)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_with_too_many_that_wait_nothing_is_read_until_some_are_sent(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarder, "MOST_HELD", 10)
    together(sqlite_road)
    sqlite_road.sandbox.set_faults(status=429, status_count=4)
    post_on(sqlite_road, *(track(f"u{number}", number) for number in range(400)))
    done = forwarded(sqlite_road)
    assert (done.accepted, done.complete) == (400, True)


def test_one_user_with_a_long_backlog_keeps_nobody_else_waiting(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.deliver.window.LANE_EVENTS", 20)
    sqlite_road.sandbox.set_faults(latency=0.005)
    post_on(sqlite_road, *(track("hot", number) for number in range(300)), track("other", 1000))
    done = forwarded(sqlite_road)
    assert (done.accepted, done.complete) == (301, True)
    arrived = numbers(sqlite_road)
    assert numbers(sqlite_road, "hot") == list(range(200, 300))
    assert arrived.index(1000) < 100


def test_without_forwarding_there_is_nothing_to_do(sqlite_road: Road) -> None:
    done = forwarded(sqlite_road)
    assert done == Forwarded(DESTINATION, backlog=done.backlog)
    assert done.complete
