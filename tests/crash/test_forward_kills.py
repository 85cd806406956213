"""kill -9 while events are forwarded: nothing is lost, order holds for every user, and only what was on its way goes again (M2)."""

from __future__ import annotations

import signal
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from sync.deliver.foreground import deliver
from tests.posted import DESTINATION, IMPATIENT, PROFILES, TOGETHER, forwarded, identify, numbers, post_on, track
from tests.proofs import Road, ended
from tests.recorder import record, trait
from tests.soak import FULL, SEED, whole_only

USERS = 40
STEPS = [
    ("deliver.sending", 1),
    ("deliver.sending", 12),
    ("deliver.answered", 7),
    ("forward.settled", 1),
    ("forward.settled", 4),
]
_FORWARD = ("events", "send", "--wait", "30")


def forward_and_die(road: Road, step: str, occurrence: int) -> None:
    """Forward in a child that dies at a step, should it come so far."""
    nothing = road.folder / "nothing.jsonl"
    Path(nothing).touch()
    code, said = ended(road.spawn(*_FORWARD, str(nothing), die_at=step, occurrence=occurrence))
    assert code in (-signal.SIGKILL, 0), said
    road.clients_gone()


def on_their_way(road: Road) -> set[object]:
    """The events that are neither done with nor held."""
    return {
        number
        for (number,) in road.rows(
            "SELECT e.id FROM event e JOIN forwarding f ON e.id > f.floor LEFT JOIN lane l ON l.number = e.lane "
            "WHERE e.id > coalesce(l.cursor, 0)"
        )
    }


def in_order(arrived: list[object]) -> bool:
    """Whether both the first and the last arrivals of each are in order: what went again is a repetition of the end."""
    first = list(dict.fromkeys(arrived))
    last = list(dict.fromkeys(reversed(arrived)))[::-1]
    return first == sorted(first) and last == sorted(last)  # type: ignore[type-var]


@pytest.mark.parametrize(("step", "occurrence"), STEPS, ids=[f"{step}-{occurrence}" for step, occurrence in STEPS])
def test_killed_at_any_step_it_loses_nothing_and_sends_only_what_was_on_its_way_again(
    sqlite_road: Road, step: str, occurrence: int
) -> None:
    road = sqlite_road
    road.configure(more={"mappings": [TOGETHER, PROFILES], "batch": IMPATIENT}, concurrency=5)
    ids = post_on(road, *(track(f"u{number % USERS}", number) for number in range(1500)))
    post_on(road, *(identify(f"u{number}", n=number) for number in range(USERS)))
    forward_and_die(road, step, occurrence)
    open_at_death = on_their_way(road)
    before = Counter(numbers(road))

    done = forwarded(road)
    assert done.complete
    arrived = Counter(numbers(road))
    assert set(arrived) == set(range(1500))
    assert max(arrived.values()) <= 2
    assert {ids[number] for number, times in arrived.items() if times > 1} <= open_at_death  # type: ignore[index]
    assert {number for number, times in arrived.items() if times > 1} <= set(before)
    for user in range(USERS):
        assert in_order(numbers(road, f"u{user}"))
    assert {user_id: user["attributes"] for user_id, user in road.sandbox.users().items()} == {
        f"u{number}": {"n": number} for number in range(USERS)
    }
    assert road.rows("SELECT token FROM forwarding") == [(None,)]


def test_m2_killed_time_and_again_at_random_it_loses_nothing_and_keeps_the_order(road: Road) -> None:
    random = Random(SEED)
    road.configure(more={"mappings": [TOGETHER, PROFILES], "batch": {"events": 20, "linger": "0s"}}, concurrency=5)
    kills = 50 if FULL else 5 if road.store.startswith("sqlite") else 2
    posted = 0
    latest: dict[str, int] = {}
    for _ in range(kills):
        # A destination that is not always well: some events wait when the forwarder dies.
        road.sandbox.set_faults(rate_limit=random.choice([None, 60]), error_rate=random.choice([0, 0.1]))
        for _ in range(40):
            user = f"u{random.randrange(20)}"
            post_on(road, track(user, posted), identify(user, n=posted))
            latest[user] = posted
            posted += 1
        steps = ["deliver.sending", "deliver.answered", "forward.settled"]
        forward_and_die(road, random.choice(steps), random.randrange(1, 40))
    road.sandbox.replace_faults()
    assert forwarded(road, patience=60).complete
    assert set(numbers(road)) == set(range(posted))
    for user, last in latest.items():
        arrived = numbers(road, user)
        assert in_order(arrived)
        assert (road.sandbox.user(user) or {}).get("attributes") == {"n": last}


@pytest.mark.soak
@whole_only("a minute of kills on each engine")
def test_killed_time_and_again_updates_and_identifies_of_one_user_arrive_in_the_order_in_which_they_were_recorded(
    road: Road,
) -> None:
    random = Random(SEED)
    road.configure(more={"mappings": [PROFILES], "batch": IMPATIENT}, concurrency=5)
    latest: dict[str, int] = {}
    updates: dict[str, int] = {}
    number = 0
    for _ in range(25):
        for _ in range(20):
            user, number = f"u{random.randrange(8)}", number + 1
            latest[user] = number
            if random.random() < 0.5:
                post_on(road, identify(user, score=number))
            else:
                updates[user] = number
                with road.opened() as database:
                    record(database, trait("score", DESTINATION), updates)
        steps = ["deliver.sending", "deliver.answered", "deliver.settled", "forward.settled", "deliver.claimed"]
        forward_and_die(road, random.choice(steps), random.randrange(1, 25))
    with road.app() as app:
        [done] = deliver(app.database(), app.outlets([DESTINATION]), app.clock, patience=60)
    assert done.complete
    assert forwarded(road, patience=60).complete
    for user, last in latest.items():
        values = road.sandbox.values(user, "score")
        assert values[-1] == last
        assert in_order(values)
