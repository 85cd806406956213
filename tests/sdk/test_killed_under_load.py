"""kill -9 of the daemon, time and again, while programs post through Segment's client (M2).

What was answered with 200 is at the destination in the end, each user's events arrive in the order in which they were
posted, and only what was on its way at a death goes once more. Programs begin to post in every life, and those of
earlier lives go on: a batch without an answer is posted again, whatever became of it the first time.

``make soak`` runs it whole, on both engines, with a new seed each time unless ``SOAK_SEED`` gives one.
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

import pytest
from segment.analytics import Client, consumer

from tests.daemon.running import Running, running, schedule
from tests.ports import unused_port
from tests.posted import PROFILES, TOGETHER
from tests.proofs import Road, until
from tests.sdk.bridge import KEY
from tests.soak import FULL, SEED, whole_only

KILLS = 50 if FULL else 5
MOMENTS = ("answered", "beginning", "arrived", "answered", "arrived")
"""What a death waits for: so many answers, so many arrivals, or only a while, before anybody is answered."""

CLIENTS, USERS, EVENTS, POSTED = 3, 5, 200, 20
"""Of each life, of each of its clients, and in each post."""

CONCURRENCY, BATCH = 4, 25
IN_FLIGHT = CONCURRENCY * BATCH
IN_TIME = 180.0
"""Seconds for the end. A client that has been refused for long looks again only after up to a minute."""

Event = tuple[object, ...]
"""Whose it is, its type, and its number."""

_OPEN = """
SELECT e.message_id FROM event e JOIN forwarding f ON e.id > f.floor LEFT JOIN lane l ON l.number = e.lane
WHERE e.id > coalesce(l.cursor, 0)
UNION SELECT e.message_id FROM event e JOIN hold h ON h.event_id = e.id
"""


@dataclass
class Programs:
    """Everybody who posts, and what became of it. ``posted`` holds by user and type the numbers in order."""

    url: str
    clients: list[Client] = field(default_factory=list)
    posted: defaultdict[tuple[str, str], list[object]] = field(default_factory=lambda: defaultdict(list))
    answered: set[Event] = field(default_factory=set)
    posts: int = 0
    answers: int = 0
    by_message: dict[object, Event] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=count)

    def note(self, post: Callable[..., Any]) -> Callable[..., Any]:
        """The client's way of posting, with its answers written down."""

        def noting(*arguments: Any, batch: list[dict[str, Any]], **more: Any) -> Any:
            self.posts += 1
            events = [_said(each) for each in batch]
            self.by_message.update((each["messageId"], event) for each, event in zip(batch, events, strict=True))
            answer = post(*arguments, batch=batch, **more)  # raises for what is no answer, or not 200
            self.answered.update(events)
            self.answers += 1
            return answer

        return noting

    def begin(self) -> None:
        """Some more begin to post."""
        for _ in range(CLIENTS):
            name = f"p{next(self._names)}"
            # Whoever gives up has broken the order himself: a client takes its time, but never does.
            client = Client(KEY, host=self.url, upload_size=POSTED, max_retries=1000, on_error=self._failed)
            self.clients.append(client)
            for number in range(EVENTS):
                user, kind = f"{name}-u{number % USERS}", "track" if number % 8 else "identify"
                self.posted[user, kind].append(number)
                if kind == "track":
                    client.track(user, "Bought", {"n": number})
                else:
                    client.identify(user, {"n": number})

    def _failed(self, error: Exception, batch: list[object]) -> None:
        self.complaints.append(f"{error!r} about {len(batch)} events")

    @property
    def are_done(self) -> bool:
        """Whether nobody has anything to post any more."""
        return not any(client.queue.unfinished_tasks for client in self.clients)

    def end(self) -> None:
        """They end; whoever waits to post again does not wait longer."""
        for client in self.clients:
            client.join()


def _said(message: dict[str, Any]) -> Event:
    numbered = message["properties"] if message["type"] == "track" else message["traits"]
    return message["userId"], message["type"], numbered["n"]


@dataclass
class Lives:
    """The daemon's lives. ``hits`` counts for each event the deaths at which it was not yet done with."""

    road: Road
    programs: Programs
    address: str
    random: Random
    hits: Counter[Event] = field(default_factory=Counter)
    beginning: float = 1.0

    @property
    def arguments(self) -> tuple[str, str]:
        """They all listen at one address."""
        return "--collector-listen", self.address

    def live(self, moment: str) -> None:
        """Start the daemon (again), and kill it at such a moment."""
        started = time.monotonic()
        daemon = Running(self.road, *self.arguments, web=None)
        try:
            if moment == "beginning":
                over = self._after(started + self.random.uniform(0.1, 1.2) * self.beginning)
            else:
                daemon.hear("collect.listening", seconds=IN_TIME)
                self.beginning = time.monotonic() - started
                self.programs.begin()
                over = self._answered() if moment == "answered" else self._arrived()
            until(lambda: over() or daemon.process.poll() is not None, "it does not go on", IN_TIME)
            assert daemon.process.poll() is None, daemon.said
            until(self._after(time.monotonic() + self.random.uniform(0, 0.03)), "time stands still")
        finally:
            daemon.process.kill()
            daemon.process.wait()
        assert "Traceback" not in daemon.said, daemon.said
        self.road.clients_gone()
        self.hits.update(self.open())

    def _after(self, end: float) -> Callable[[], bool]:
        return lambda: time.monotonic() >= end

    def _answered(self) -> Callable[[], bool]:
        enough = self.programs.answers + self.random.randint(1, CLIENTS * EVENTS // POSTED * 2 // 3)
        return lambda: self.programs.answers >= enough

    def _arrived(self) -> Callable[[], bool]:
        enough = self.road.sandbox.accepted + self.random.randint(1, CLIENTS * EVENTS // 8 * 2 // 3)
        return lambda: self.road.sandbox.accepted >= enough

    def open(self) -> list[Event]:
        """The events that are neither done with nor parked."""
        return [self.programs.by_message[message_id] for (message_id,) in self.road.rows(_OPEN)]

    def end(self) -> None:
        """The last life, in which everything is posted and sent."""
        with running(self.road, *self.arguments, web=None) as daemon:
            daemon.until(lambda: self.programs.are_done, "not everything is posted", IN_TIME)
            daemon.until(lambda: not self.open(), "not everything is sent", IN_TIME)
            daemon.stop()
            assert "Traceback" not in daemon.said, daemon.said


def arrived(road: Road, user: str, kind: str) -> list[object]:
    """The numbers of what arrived about somebody, in order."""
    if kind == "identify":
        return road.sandbox.values(user, "n")
    return [event["attributes"]["n"] for event in road.sandbox.events(user)]  # type: ignore[index]


@pytest.fixture
def lives(road: Road, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lives]:
    """A daemon that is to live several times, always at one address, and programs that post to it."""
    batch = {"events": BATCH, "linger": "20ms"}
    road.configure(
        concurrency=CONCURRENCY, deadline="10s", lease="15s", more={"mappings": [TOGETHER, PROFILES], "batch": batch}
    )
    nothing: dict[str, object] = {"sources": {}, "audiences": [], "traits": []}
    schedule(road, web={"listen": "off"}, collector={"keys": {"web": KEY}}, **nothing)
    road.sandbox.set_faults(latency=0.02)
    address = f"127.0.0.1:{unused_port()}"
    programs = Programs(f"http://{address}")
    monkeypatch.setattr(consumer, "post", programs.note(consumer.post))
    yield Lives(road, programs, address, Random(SEED))
    programs.end()


@pytest.mark.soak
@pytest.mark.timeout(1800 if FULL else 300)
@pytest.mark.parametrize(
    "road", ["sqlite", pytest.param("postgresql", marks=whole_only("on PostgreSQL"))], indirect=True
)
def test_what_was_answered_arrives_in_order_however_often_the_daemon_is_killed(
    lives: Lives, capsys: pytest.CaptureFixture[str]
) -> None:
    road, programs, started = lives.road, lives.programs, time.monotonic()
    for death in range(KILLS):
        lives.live(MOMENTS[death % len(MOMENTS)])
    without_answer = programs.posts - programs.answers
    lives.end()

    assert not programs.complaints
    everything = {(*whose, number) for whose, numbers in programs.posted.items() for number in numbers}
    assert programs.answered == everything
    times: Counter[Event] = Counter()
    for (user, kind), numbers in programs.posted.items():
        found = arrived(road, user, kind)
        assert list(dict.fromkeys(found)) == numbers, f"{kind} of {user}, with SOAK_SEED={SEED}: {found}"
        times.update((user, kind, number) for number in found)
    for event, often in times.items():
        assert often <= 1 + lives.hits[event], f"{event}, with SOAK_SEED={SEED}"
    twice = times.total() - len(times)
    assert twice <= KILLS * IN_FLIGHT
    assert not road.sandbox.complaints
    with capsys.disabled():
        sys.stdout.write(
            f"\n{road.store.partition(':')[0]}: SOAK_SEED={SEED}, {KILLS} kills; {len(times)} events in "
            f"{programs.posts} posts, {without_answer} of them without an answer; {twice} arrived once more, of at "
            f"most {KILLS * IN_FLIGHT}; none lost, {time.monotonic() - started:.0f} s\n"
        )
