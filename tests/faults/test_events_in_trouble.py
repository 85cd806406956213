"""A destination that refuses, fails and is slow while events are collected for it: whoever posts notices nothing (M4).

``make soak`` runs it on both engines, with an outage of five minutes.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles

import httpx
import pytest

from tests.daemon.running import Running, running, schedule
from tests.posted import TOGETHER, numbers
from tests.proofs import Road
from tests.soak import FULL, whole_only

OUTAGE = 300.0 if FULL else 4.0
SLOW = 30.0 if FULL else 1.0
PAUSE = 0.5 if FULL else 0.05
"""Seconds in which the destination fails, in which it is slow, and between two posts of one program."""

PROGRAMS, USERS, POSTED = 3, 10, 20
"""Who post at the same time, the users of each, and the events in each post."""

KEY = "write-key-of-the-tests"
IN_TIME = 120.0
"""Seconds for what usually takes a few."""


@dataclass
class Programs:
    """Who post, each about users of its own. ``posted`` holds the numbers of each user in order; ``times`` by phase."""

    url: str
    phase: str = "well"
    posted: defaultdict[str, list[object]] = field(default_factory=lambda: defaultdict(list))
    statuses: list[object] = field(default_factory=list)
    times: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _over: threading.Event = field(default_factory=threading.Event)

    def post(self, client: httpx.Client, events: list[tuple[str, int]]) -> None:
        """Post these users' numbers in one request, and note what was answered, after how long."""
        for user, number in events:
            self.posted[user].append(number)
        batch = [
            {"type": "track", "userId": user, "event": "Bought", "properties": {"n": number}} for user, number in events
        ]
        phase, started = self.phase, time.monotonic()
        try:
            status: object = client.post(f"{self.url}/v1/batch", json={"batch": batch}, auth=(KEY, "")).status_code
        except httpx.HTTPError as error:
            status = repr(error)
        self.times[phase].append(time.monotonic() - started)
        self.statuses.append(status)

    def _go_on(self, program: int) -> None:
        first = 0
        with httpx.Client(timeout=IN_TIME) as client:
            while not self._over.wait(PAUSE):
                self.post(
                    client, [(f"p{program}-u{number % USERS}", number) for number in range(first, first + POSTED)]
                )
                first += POSTED

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Post all the time."""
        threads = [threading.Thread(target=self._go_on, args=(program,)) for program in range(PROGRAMS)]
        for each in threads:
            each.start()
        try:
            yield
        finally:
            self._over.set()
            for each in threads:
                each.join()

    def described(self) -> str:
        """How long answers took, in milliseconds: the middle, and 99 of 100."""
        found = []
        for phase, times in self.times.items():
            cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
            found.append(f"{phase} {cuts[49] * 1000:.0f}/{cuts[98] * 1000:.0f}")
        return ", ".join(found)


def open_events(road: Road) -> int:
    """Events that are neither done with nor parked."""
    [(unread,)] = road.rows(
        "SELECT count(*) FROM event e JOIN forwarding f ON e.id > f.floor LEFT JOIN lane l ON l.number = e.lane "
        "WHERE e.id > coalesce(l.cursor, 0)"
    )
    [(waiting,)] = road.rows("SELECT count(*) FROM hold WHERE state <> 'parked'")
    assert isinstance(unread, int)
    assert isinstance(waiting, int)
    return unread + waiting


def parked(road: Road) -> list[object]:
    """Whose events are parked."""
    return [
        user for (user,) in road.rows("SELECT e.user_id FROM hold h JOIN event e ON e.id = h.event_id ORDER BY e.id")
    ]


def answered(road: Road, status: int) -> Callable[[], int]:
    """How often the sandbox has answered so, from now on."""
    before = road.sandbox.stats()["by_status"].get(str(status), 0)  # type: ignore[attr-defined]
    return lambda: road.sandbox.stats()["by_status"].get(str(status), 0) - before  # type: ignore[attr-defined]


def refuse_one_of_a_batch(road: Road, daemon: Running, programs: Programs) -> None:
    """100 events are posted together and travel together, if they may, and one of them is refused."""
    road.sandbox.set_faults(fail_users=["h42"])
    with httpx.Client(timeout=IN_TIME) as client:
        programs.post(client, [(f"h{number}", number) for number in range(100)])
    daemon.until(lambda: parked(road) == ["h42"] and not open_events(road), "the refused one is not found", IN_TIME)
    if road.takes_batches:
        batch = (road.sandbox.log[0].body or {})["events"]
        assert isinstance(batch, list)
        assert (len(batch), road.sandbox.log[0].status) == (100, 400)
    assert sorted(numbers(road)) == [number for number in range(100) if number != 42]  # type: ignore[type-var]


def fail(road: Road, daemon: Running, programs: Programs) -> None:
    """Fail for a while, and not before it has been noticed."""
    failed, end = answered(road, 500), time.monotonic() + OUTAGE
    programs.phase = "failing"
    road.sandbox.set_faults(status=500)
    daemon.until(
        lambda: time.monotonic() >= end and daemon.events("breaker.opened"), "nobody notices", OUTAGE + IN_TIME
    )
    assert failed() >= 10
    road.sandbox.set_faults(status=None)


def be_slow(road: Road, daemon: Running, programs: Programs) -> None:
    """Take long for each answer, as soon as answers are given again."""
    well, end = answered(road, 200), time.monotonic() + SLOW
    programs.phase = "slow"
    road.sandbox.set_faults(latency=0.5)
    daemon.until(lambda: time.monotonic() >= end and well() >= 10, "it does not go on", IN_TIME)
    road.sandbox.set_faults(latency=0.0)


@pytest.mark.soak
@pytest.mark.timeout(1800 if FULL else 300)
@pytest.mark.parametrize(
    "road", ["sqlite", pytest.param("postgresql", marks=whole_only("on PostgreSQL"))], indirect=True
)
def test_a_destination_in_trouble_loses_nothing_and_who_posts_does_not_notice(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    # Patient with every single request: only who has given one up sends it again although it was taken.
    road.configure(deadline="60s", lease="90s", more={"mappings": [TOGETHER], "batch": {"linger": "500ms"}})
    nothing: dict[str, object] = {"sources": {}, "audiences": [], "traits": []}
    schedule(road, web={"listen": "off"}, collector={"listen": "127.0.0.1:0", "keys": {"web": KEY}}, **nothing)
    with running(road, web=None) as daemon:
        programs = Programs(f"http://{daemon.hear('collect.listening', seconds=IN_TIME)['address']}")
        refuse_one_of_a_batch(road, daemon, programs)
        with programs.posting():
            daemon.until(lambda: len(programs.statuses) > 4 * PROGRAMS, "nothing is posted", IN_TIME)
            fail(road, daemon, programs)
            be_slow(road, daemon, programs)
        daemon.until(lambda: not open_events(road), "not everything is sent", IN_TIME)
        daemon.stop()
        assert "Traceback" not in daemon.said, daemon.said

    assert set(programs.statuses) == {200}
    assert parked(road) == ["h42"]
    in_order: defaultdict[object, list[object]] = defaultdict(list)
    for event in road.sandbox.events():
        in_order[event["user_id"]].append(event["attributes"]["n"])  # type: ignore[index]
    assert in_order == {user: posted for user, posted in programs.posted.items() if user != "h42"}
    assert not road.sandbox.complaints
    with capsys.disabled():
        sys.stdout.write(
            f"\n{road.store.partition(':')[0]}: {road.sandbox.stats()['events']} events delivered once, 1 parked; "
            f"{len(programs.statuses)} posts answered 200, in ms (median/99%): {programs.described()}\n"
        )
