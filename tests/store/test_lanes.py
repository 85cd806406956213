"""What becomes of forwarded events, in the store: the invariants of `sync.store.lanes` and of who forwards."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.model.event import lane_of
from sync.store import forwarding, lanes, slots
from sync.store.engine import Database
from sync.store.forwarding import Taken
from sync.store.lanes import HoldState, Said, Settlement
from tests.posted import DESTINATION, identify, post, track
from tests.recorder import LEASE, record, trait

ACCEPTED = Said("accepted", 200)


def take(database: Database) -> Taken:
    """Become the one who forwards."""
    taken = forwarding.take(database, DESTINATION)
    assert taken is not None
    return taken


def done(number: int, user: str = "u", *, was_held: bool = False) -> Settlement:
    return Settlement(number, user, was_held, ACCEPTED)


def waits(
    number: int, user: str = "u", *, was_held: bool = False, seconds: float = 5.0, attempts: int = 1
) -> Settlement:
    return Settlement(number, user, was_held, Said("unknown"), HoldState.WAITING, seconds, attempts, reason="500")


def parks(number: int, user: str = "u", *, was_held: bool = False) -> Settlement:
    return Settlement(
        number, user, was_held, Said("refused", 400, "no\0"), HoldState.PARKED, attempts=1, reason="400 no\0"
    )


def settle(database: Database, taken: Taken, *settlements: Settlement, cursor: int = 0, floor: int = 0) -> bool:
    cursors = {lane_of("u"): cursor} if cursor else {}
    return lanes.settle(database, DESTINATION, taken.token, settlements, cursors, floor)


def rows(database: Database, statement: str) -> list[tuple[object, ...]]:
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def holds(database: Database) -> list[tuple[object, ...]]:
    return rows(database, "SELECT event_id, state, attempts, reason FROM hold ORDER BY event_id")


def test_a_destination_gets_what_is_recorded_after_it_is_first_known(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE counter SET value = 41"))
    forwarding.begin(database, [DESTINATION, DESTINATION, "other"])
    [number] = post(database, track("u"))
    taken = take(database)
    assert (taken.floor, number) == (41, 42)
    forwarding.begin(database, [DESTINATION])
    assert take(database).floor == 41
    assert forwarding.take(database, "unknown") is None


def test_who_forwards_has_a_token_and_who_left_one_may_have_something_on_its_way(database: Database) -> None:
    [number] = post(database, track("u"))
    first = take(database)
    assert first.horizon == 0
    second = take(database)
    assert second.horizon == number
    forwarding.give_up(database, DESTINATION, second.token, number)
    third = take(database)
    assert (third.horizon, third.floor) == (0, number)


def test_whoever_was_replaced_settles_nothing(database: Database) -> None:
    [number] = post(database, track("u"))
    former, present = take(database), take(database)
    assert not settle(database, former, done(number), cursor=number, floor=number)
    forwarding.give_up(database, DESTINATION, former.token, number)
    forwarding.raise_floor(database, DESTINATION, former.token, number)
    assert rows(database, "SELECT count(*) FROM event_outcome") == [(0,)]
    assert rows(database, "SELECT count(*) FROM lane") == [(0,)]
    assert settle(database, present, done(number), cursor=number)
    assert rows(database, "SELECT floor FROM forwarding") == [(number - 1,)]


def test_a_settlement_is_whole_and_may_be_said_twice(database: Database) -> None:
    ids = post(database, *(track("u", number) for number in range(3)))
    taken = take(database)
    for _ in range(2):
        assert settle(database, taken, done(ids[0]), waits(ids[1]), parks(ids[2]), cursor=ids[2])
    assert holds(database) == [(ids[1], "waiting", 1, "500"), (ids[2], "parked", 1, "400 no\ufffd")]
    assert rows(database, "SELECT verdict, status, detail FROM event_outcome ORDER BY event_id") == [
        ("accepted", 200, ""),
        ("unknown", None, ""),
        ("refused", 400, "no\ufffd"),
    ]
    assert rows(database, "SELECT cursor FROM lane") == [(ids[2],)]
    for _ in range(2):
        assert settle(database, taken, done(ids[1], was_held=True))
    assert [row[0] for row in holds(database)] == [ids[2]]


def test_cursor_and_floor_only_rise(database: Database) -> None:
    ids = post(database, *(track("u", number) for number in range(3)))
    taken = take(database)
    assert settle(database, taken, done(ids[2]), cursor=ids[2], floor=ids[1])
    assert settle(database, taken, done(ids[0]), cursor=ids[0], floor=ids[0] - 1)
    again = take(database)
    assert (again.cursor(lane_of("u")), again.floor) == (ids[2], ids[1])
    assert again.cursor((lane_of("u") + 1) % 64) == ids[1]


def test_what_was_dropped_or_parked_meanwhile_stays_so(database: Database) -> None:
    first, second = post(database, track("u"), track("u"))
    taken = take(database)
    settle(database, taken, parks(first), parks(second), cursor=second)
    assert lanes.drop(database, DESTINATION, [first]) == 1
    settle(database, taken, waits(first, was_held=True), done(second, was_held=True))
    assert [row[:2] for row in holds(database)] == [(second, "parked")]
    assert lanes.drop(database, DESTINATION) == 1
    assert not holds(database)
    assert (second, "dropped") in rows(database, "SELECT event_id, verdict FROM event_outcome")


def test_who_is_told_to_be_sent_again_waits_as_if_for_the_first_time(database: Database) -> None:
    ids = post(database, *(track("u", number) for number in range(3)))
    taken = take(database)
    settle(database, taken, *(parks(number) for number in ids), cursor=ids[-1])
    assert lanes.redrive(database, DESTINATION, ids[:2]) == 2
    assert lanes.redrive(database, DESTINATION, ids[:2]) == 0
    waiting = lanes.waiting(database, DESTINATION)
    assert [(each.event_id, each.user_key, each.attempts, each.failing_since) for each in waiting] == [
        (ids[0], "u", 0, None),
        (ids[1], "u", 0, None),
    ]
    assert all(each.seconds <= 0 for each in waiting)
    with database.read() as connection:
        assert lanes.waiting_sum(connection, DESTINATION) == (2, ids[0] + ids[1])
    assert lanes.redrive(database, DESTINATION) == 1


def test_the_log_is_read_in_order_and_it_is_known_how_far(database: Database) -> None:
    ids = post(database, *(track(f"u{number}", number) for number in range(5)), track(None))
    with database.read() as connection:
        found, position = lanes.read(connection, 0, 3)
        rest, end = lanes.read(connection, position, 100)
        assert lanes.read(connection, end, 100) == ([], end)
    assert [each.id for each in (*found, *rest)] == ids
    assert (position, end) == (ids[2], ids[-1])
    assert [each.user_key for each in found] == ["u0", "u1", "u2"]
    assert (rest[-1].user_id, rest[-1].user_key) == (None, "anonymous visitor")
    assert '"n": 0' in found[0].body.replace('"n":0', '"n": 0')


def test_what_is_left_is_counted(database: Database) -> None:
    ids = post(database, *(track("u", number) for number in range(4)))
    taken = take(database)
    settle(database, taken, done(ids[0]), waits(ids[1]), parks(ids[2]), cursor=ids[2])
    with database.read() as connection:
        left = lanes.backlog(connection, DESTINATION)
        assert lanes.backlog(connection, "unknown").owed == 0
    assert (left.unread, left.waiting, left.parked, left.owed) == (1, 1, 1, 2)
    assert left.oldest is not None


def test_events_of_users_between_two_numbers_are_found_whatever_has_been_read(database: Database) -> None:
    ids = post(database, identify("u", n=1), identify("v", n=2), identify("u", n=3), track("w"))
    with database.read() as connection:
        between = lanes.unread_of(connection, {"u": (ids[0], ids[3]), "w": (0, ids[3])})
        assert lanes.unread_of(connection, {"u": (ids[3], 1000)}) == []
    assert between == [ids[2]]


@pytest.mark.parametrize("state", ["due", "sending", "confirm", "parked"])
def test_an_event_waits_for_what_a_slot_owes_from_before_it_but_not_for_a_parked_one(
    database: Database, state: str
) -> None:
    score = trait("score", DESTINATION)
    record(database, score, {"u": 1, "w": 1})
    [number] = post(database, identify("u"))
    [claimed] = [each for each in slots.claim(database, DESTINATION, 10, LEASE) if each.user_id == "u"]
    if state == "confirm":
        slots.rescue(database, DESTINATION, all_of_them=True)
        [claimed] = [each for each in slots.claim(database, DESTINATION, 10, LEASE) if each.user_id == "u"]
    transition = {"due": slots.Transition.RELEASE, "confirm": slots.Transition.ACCEPT, "parked": slots.Transition.PARK}
    if state != "sending":
        attempt = slots.Attempt("test", None, "", claimed.owed)
        settlement = slots.Settlement(claimed, transition[state], attempts=[attempt])
        slots.settle(database, DESTINATION, [settlement], 20.0)
    assert rows(database, "SELECT state FROM slot WHERE user_id = 'u'") == [(state,)]
    before = lanes.slots_before(database, DESTINATION, {"u": number, "x": number})
    assert set(before) == (set() if state == "parked" else {"u"})
    assert lanes.slots_before(database, DESTINATION, {"u": 1}) == {}


def test_a_slot_that_an_event_waits_for_goes_before_backfills(database: Database) -> None:
    record(database, trait("score", DESTINATION), {"u": 1, "w": 1})
    with database.write() as connection:
        connection.execute(text("UPDATE slot SET priority = 1"))
    [number] = post(database, identify("u"))
    assert set(lanes.slots_before(database, DESTINATION, {"u": number})) == {"u"}
    assert rows(database, "SELECT user_id, priority FROM slot ORDER BY user_id") == [("u", 0), ("w", 1)]


def test_what_is_confirmed_keeps_the_number_under_which_it_was_recorded(database: Database) -> None:
    record(database, trait("score", DESTINATION), {"u": 1})
    [first] = slots.claim(database, DESTINATION, 1, LEASE)
    slots.rescue(database, DESTINATION, all_of_them=True)
    for _ in range(2):
        [again] = slots.claim(database, DESTINATION, 1, LEASE)
        attempt = slots.Attempt("test", None, "", again.owed)
        slots.settle(database, DESTINATION, [slots.Settlement(again, slots.Transition.ACCEPT, attempts=[attempt])], -1)
        if not rows(database, "SELECT 1 FROM slot"):
            break
        [confirming] = slots.claim(database, DESTINATION, 1, LEASE)
        assert confirming.versions["score"] > first.versions["score"]
        assert confirming.recorded("score") == first.versions["score"]
        slots.rescue(database, DESTINATION, all_of_them=True)
