"""Which events go next: full requests, whoever has waited, one run for each lane; and what memory holds is bounded."""

from __future__ import annotations

from sync.deliver.arrival import Arrival, Kind
from sync.deliver.holds import Holds, Waiting
from sync.deliver.planner import OWN_MOST, Planner
from sync.deliver.window import LANE_EVENTS, MOST_EVENTS, Window
from sync.destinations.mapped import Part
from sync.model.delivery import DeliverySettings
from sync.store.forwarding import Taken
from sync.store.lanes import HoldState

TAKEN = Taken("token", 0, {}, 0)


class Table:
    """A window with holds, and a planner over both. The time is 0 until something is said."""

    def __init__(self, *, most: int = 10, linger: float = 1.0, horizon: int = 0, resume_at: float = 0.0) -> None:
        self.window, self.holds = Window(TAKEN), Holds()
        settings = DeliverySettings(batch_events=most, linger=linger)
        self.planner = Planner(self.window, self.holds, settings, horizon=horizon, resume_at=resume_at)
        self.last = 0

    def arrive(self, lane: int, kind: Kind, many: int = 1, *, parts: int = 1, at: float = 0.0) -> list[Arrival]:
        found = []
        for _ in range(many):
            self.last += 1
            some = () if kind is Kind.NOTHING else (Part("/", b"{}", kind is Kind.SHARED, True),) * parts
            user = f"user of {lane}"
            found.append(Arrival(self.last, lane, user, user, kind, some, (), suppressed=False, at=at))
        return self.window.take(found, self.last)

    def ids(self, now: float = 0.0, *, may_send: bool = True) -> list[int] | None:
        run = self.planner.next_run(now, may_send=may_send)
        return None if run is None else [each.id for each in run.arrivals]


def test_events_wait_for_others_until_a_request_is_full_or_the_first_has_waited_long_enough() -> None:
    table = Table()
    table.arrive(1, Kind.SHARED, 4)
    table.arrive(2, Kind.SHARED, 5, at=0.5)
    assert table.ids(0.9) is None
    assert table.planner.seconds_until_next(0.9) <= 0.1 + 1e-9
    assert table.ids(1.0) == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    table.arrive(3, Kind.SHARED, 12, at=1.0)
    assert table.ids(1.0) == list(range(10, 20))
    assert table.ids(9.0) is None  # the lane is under way


def test_when_nothing_more_comes_they_do_not_wait() -> None:
    table = Table()
    table.arrive(1, Kind.SHARED)
    table.planner.nothing_more_comes = True
    assert table.ids() == [1]


def test_a_request_holds_no_more_items_than_it_may_unless_one_event_has_more() -> None:
    table = Table(most=4)
    table.arrive(1, Kind.SHARED, 3, parts=3)
    assert table.ids(5.0) == [1]
    other = Table(most=2)
    other.arrive(1, Kind.SHARED, 2, parts=5)
    assert other.ids(5.0) == [1]


def test_of_a_lane_one_run_is_under_way_and_other_lanes_do_not_wait() -> None:
    table = Table()
    table.arrive(1, Kind.OWN, OWN_MOST + 5)
    table.arrive(2, Kind.OWN)
    assert table.ids() == list(range(1, OWN_MOST + 1))
    assert table.ids() == [OWN_MOST + 6]
    assert table.ids() is None


def test_kinds_do_not_mix_and_what_needs_no_request_goes_along() -> None:
    table = Table(linger=0.0)
    table.arrive(1, Kind.NOTHING)
    table.arrive(1, Kind.SHARED)
    table.arrive(1, Kind.NOTHING)
    table.arrive(1, Kind.OWN)
    assert table.ids(may_send=False) == [1]
    table.window.lanes[1].busy = False
    assert table.ids(may_send=False) is None
    assert table.ids() == [2, 3]
    table.window.lanes[1].busy = False
    assert table.ids() == [4]


def test_of_a_user_who_waits_events_are_held_behind_without_a_request() -> None:
    table = Table()
    table.holds.add(Waiting(0, "user of 1", 50.0, 1, None, None))
    first, *_ = table.arrive(1, Kind.SHARED, 3)
    assert table.ids(may_send=False) == [1, 2, 3]
    assert first.settled is not None
    assert (first.settled.state, first.settled.attempts) == (HoldState.WAITING, 0)


def test_what_a_predecessor_may_have_on_its_way_is_not_sent_before_its_time_and_newer_events_are() -> None:
    table = Table(horizon=2, resume_at=30.0)
    table.arrive(1, Kind.OWN, 2)
    table.arrive(2, Kind.OWN)
    table.holds.add(Waiting(0, "held", 0.0, 1, None, None))
    assert table.ids(1.0) == [3]
    assert table.ids(1.0) is None
    assert table.planner.due(1.0) == []
    assert table.ids(30.0) == [1, 2]
    assert [each[0].id for each in table.planner.due(30.0)] == [0]


def test_held_events_are_due_in_order_for_each_user_and_once() -> None:
    table = Table()
    for number, user, due in ((5, "a", 1.0), (3, "a", 9.0), (4, "b", 2.0), (6, "b", 2.0), (7, "b", 99.0)):
        table.holds.add(Waiting(number, user, due, 1, None, None))
    assert [[each.id for each in some] for some in table.planner.due(5.0)] == [[4, 6]]
    assert table.planner.due(5.0) == []
    table.planner.come_again({"b"})
    table.holds.remove(4)
    assert [[each.id for each in some] for some in table.planner.due(10.0)] == [[6], [3, 5]]
    assert table.holds.count == 4
    assert table.holds.total == 5 + 3 + 6 + 7


def test_a_full_lane_takes_no_more_and_what_it_left_is_read_again_for_it_alone() -> None:
    table = Table()
    window = table.window
    assert len(table.arrive(1, Kind.OWN, LANE_EVENTS + 10)) == LANE_EVENTS
    assert len(table.arrive(2, Kind.OWN, 3)) == 3
    assert window.left() is None
    assert window.lanes[1].left_at == LANE_EVENTS
    while not window.lanes[1].has_room:
        window.lanes[1].pop()
    lane = window.left()
    assert lane is window.lanes[1]
    again = [Arrival(number, 1, "u", "u", Kind.OWN, (), (), suppressed=False, at=0.0) for number in range(501, 511)]
    assert len(window.take_of(lane, again, window.position)) == 10
    assert lane.left_at is None


def test_the_window_is_full_at_some_point_and_its_floor_is_below_all_that_is_open() -> None:
    table = Table()
    assert table.window.is_empty
    for lane in range(64):
        table.arrive(lane, Kind.OWN, MOST_EVENTS // 64 + 1)
    assert table.window.is_full
    assert table.window.floor() == 0
    for lane in table.window.lanes:
        lane.cursor = lane.queue[-1].id
        lane.queue.clear()
    assert table.window.floor() == table.window.position == table.last
