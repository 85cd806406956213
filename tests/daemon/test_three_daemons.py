"""Three daemons, one PostgreSQL, and somebody who kills, stops and restarts them at random: nothing is lost or doubled.

``make soak`` runs it for ten minutes with the leases as they are (``SOAK=full``) and a new seed each time unless
``SOAK_SEED`` gives one; CI for one minute with a fixed seed and all leases a fifth as long. Each run prints what it saw.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from urllib.parse import quote

import orjson
import pytest

from sync.destinations.sandbox import Sandbox, SandboxThread
from sync.destinations.sandbox.sandbox import Reply, Visit
from sync.store.migrate import migrate
from tests.daemon.churn import DEFINITIONS, SLOW, Churn
from tests.daemon.fleet import HOSTS, Daemon, Monkey, Spell, three
from tests.daemon.judgement import (
    Instants,
    Overtaking,
    differences,
    each_tick_followed_a_run,
    each_tick_has_its_run,
    instants,
    overtakings,
)
from tests.daemon.observer import Observer
from tests.postgresql import own_database
from tests.proofs import Road
from tests.soak import FULL, SEED, patience, whole_only

SECONDS, PEOPLE, SHARE = (600, 400, 1.0) if FULL else (60, 150, 0.2)

DEADLINE, LEASE, QUIET = 10 * SHARE, 30 * SHARE, 20 * SHARE
LEAD = 15 * SHARE
IDLE = 10 * SHARE
"""Seconds after which PostgreSQL ends a transaction of somebody who says nothing."""

EVERY = {"members": 2, "score": 3, "lucky": 5, "visitors": 4}
TAKEN_OVER_WITHIN = patience(5.0)
LATE = patience(3.0)
"""Seconds that a busy host may take to look."""


class Doorman(Sandbox):
    """A sandbox that knows by whose address each request came."""

    def __init__(self) -> None:
        super().__init__(api_keys=["key"], app_codes=["CODE"], log_limit=1_000_000)
        self.hosts: dict[int, str] = {}

    def receive(self, visit: Visit, headers: Mapping[str, str], raw: bytes) -> Reply:
        self.hosts[visit.seq] = headers["Host"]
        return super().receive(visit, headers, raw)


@dataclass
class Soak:
    """Everything that takes part. ``addresses``: where each daemon sends."""

    road: Road
    sandbox: Doorman
    churn: Churn
    addresses: Mapping[str, str]

    def configure(self) -> None:
        limits = {"deadline": DEADLINE, "lease": LEASE, "quiet_period": QUIET, "concurrency": 20}
        guard = {"max_exits": "100%"}
        audiences = {
            "members": "every 2 seconds",
            "lucky": {"every": "5 seconds", "jitter": "1s"},
            "visitors": "every 4 seconds",
        }
        traits = {"score": "every 3 seconds", "level": "after: score"}
        document = {
            "version": 1,
            "project": "soak",
            "store": self.road.store,
            "sources": {"shop": {"url": self.churn.url}},
            "destinations": {
                "pushwoosh": {
                    "type": "pushwoosh",
                    "api_key": "key",
                    "app_code": "CODE",
                    "base_url": "${SANDBOX_URL}",
                    "limits": {
                        name: f"{value:g}s" if name != "concurrency" else value for name, value in limits.items()
                    },
                    "retry": {"longest_delay": "1s"},
                }
            },
            "audiences": [
                {"name": key, "sql": self._sql(key), "schedule": schedule, "guard": guard}
                for key, schedule in audiences.items()
            ],
            "traits": [
                {"name": key, "sql": DEFINITIONS[key], "schedule": schedule, "guard": guard}
                for key, schedule in traits.items()
            ],
        }
        self.road.config.write_bytes(orjson.dumps(document))

    @staticmethod
    def _sql(key: str) -> str:
        if key == "visitors":
            return SLOW.format(seconds=1)
        return DEFINITIONS[key].replace(", true as value", "")

    def differences(self) -> list[str]:
        """Where the destination has something else than the customer."""
        return differences(self.churn.truth(), self.sandbox.users())

    def senders(self) -> Mapping[int, str]:
        names = {address.removeprefix("http://"): name for name, address in self.addresses.items()}
        return {seq: names[host] for seq, host in self.sandbox.hosts.items()}


@pytest.fixture
def soak(postgresql_url: str, tmp_path: Path) -> Iterator[Soak]:
    sandbox = Doorman()
    with ExitStack() as stack:
        store = stack.enter_context(own_database(postgresql_url, f"soak_{os.getpid()}"))
        shop = stack.enter_context(own_database(postgresql_url, f"soak_shop_{os.getpid()}"))
        addresses = {name: stack.enter_context(SandboxThread(sandbox)).url for name in HOSTS}
        if SHARE != 1:
            store += f"&options={quote(f'-c idle_in_transaction_session_timeout={IDLE * 1000:.0f}')}"
        road = Road(tmp_path, store, sandbox, addresses["anna"])
        with road.opened() as database:
            migrate(database)
        found = Soak(road, sandbox, Churn(shop, Random(SEED), PEOPLE), addresses)
        found.configure()
        yield found


def until(holds: Callable[[], bool], otherwise: Callable[[], object], seconds: float) -> None:
    end = time.monotonic() + 2 * seconds  # a busy machine
    while not holds():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.2)


@dataclass
class Suffered:
    """What the daemons went through, and how they did, for people."""

    soak: Soak
    daemons: list[Daemon]
    observer: Observer
    monkey: Monkey
    spell: Spell
    quiet: float = 0.0

    @cached_property
    def ticks(self) -> dict[object, object]:
        return dict(self.soak.road.rows("SELECT state, count(*) FROM tick GROUP BY state"))  # type: ignore[arg-type]

    @cached_property
    def runs(self) -> dict[object, object]:
        return dict(self.soak.road.rows("SELECT status, count(*) FROM run GROUP BY status"))  # type: ignore[arg-type]

    @cached_property
    def instants(self) -> dict[str, Instants]:
        return {key: instants(self.soak.road, key, every, self.daemons, self.spell) for key, every in EVERY.items()}

    @cached_property
    def overtakings(self) -> list[Overtaking]:
        sandbox, churn = self.soak.sandbox, self.soak.churn
        return overtakings(sandbox.log, self.soak.senders(), churn.histories, self.daemons, DEADLINE)

    @cached_property
    def mistakes(self) -> list[str]:
        return [f"{daemon.name}: {mistake}" for daemon in self.daemons for mistake in daemon.mistakes()]

    def __str__(self) -> str:
        failed = Counter(str(event["reason"]) for daemon in self.daemons for event in daemon.events("tick.failed"))
        lines = [
            f"{dict(self.monkey.did)}; {len(self.observer.leaders)} leads",
            f"{self.soak.churn.changes} changes, {self.soak.sandbox.requests} requests; all right after {self.quiet:.1f} s",
            f"ticks {self.ticks}, runs {self.runs}, failed {dict(failed)}",
            f"at worst a slot was stuck for {self.observer.stuck:.1f} s, nobody led for {self.observer.unled:.1f} s",
            *(f"{key}: {found}" for key, found in self.instants.items()),
            f"{len(self.overtakings)} values arrived after a newer one {self.overtakings[:3]}",
        ]
        return "\n".join(lines)


@pytest.mark.waits
@pytest.mark.soak
@pytest.mark.timeout(1800 if FULL else 300)
def test_three_daemons_that_are_killed_and_stopped_at_random_lose_nothing_and_do_nothing_twice(
    soak: Soak, capsys: pytest.CaptureFixture[str]
) -> None:
    with capsys.disabled():
        sys.stdout.write(f"\nSOAK_SEED={SEED}, {SECONDS} s, {PEOPLE} people, leases of {LEASE:g} s\n")
    suffered = suffer(soak)
    with capsys.disabled():
        sys.stdout.write(f"{suffered}\n")
    assert soak.differences() == []
    each_tick_has_its_run(soak.road)
    each_tick_followed_a_run(soak.road, "level", "score")
    assert suffered.ticks.keys() <= {"done", "failed", "due"}
    assert suffered.runs.keys() <= {"succeeded", "failed", "lost"}
    for key, found in suffered.instants.items():
        assert not found.lost, f"{key}: {found}"
        assert max(found.late, default=0) < EVERY[key] + IDLE + LATE, f"{key}: {found}"
    assert all(each.excused for each in suffered.overtakings), suffered.overtakings
    assert suffered.observer.stuck < TAKEN_OVER_WITHIN
    assert suffered.observer.unled < LEAD + TAKEN_OVER_WITHIN
    assert not suffered.mistakes
    assert not soak.sandbox.complaints


def suffer(soak: Soak) -> Suffered:
    """Torment three daemons; then leave them alone until all is right, and tell them to end."""
    began = time.time()
    with three(soak.road, soak.addresses, SHARE) as daemons, Observer(soak.road.store, daemons) as observer:
        with Monkey(daemons, SEED, SHARE) as monkey, soak.churn:
            torment(soak, observer, monkey)
        assert not monkey.failed, monkey.failed
        last = time.time()
        until(
            lambda: not (soak.road.states() or soak.differences() or orphans(soak.road, daemons)),
            lambda: (soak.road.states(), soak.differences()[:9], orphans(soak.road, daemons), logs(daemons)),
            90 + 3 * LEASE,
        )
        ended = time.time()
        for daemon in daemons:
            daemon.end()
    return Suffered(soak, daemons, observer, monkey, Spell(began, ended), ended - last)


@pytest.mark.soak
@whole_only("waits for leases for over a minute")
def test_a_slot_whose_holder_hangs_is_taken_over_soon_after_its_lease_and_ends_right(soak: Soak) -> None:
    with three(soak.road, soak.addresses, SHARE) as daemons:
        soak.sandbox.set_faults(latency=DEADLINE / 2)
        until(lambda: bool(claims(soak)) and holder_of(soak, daemons) is not None, lambda: logs(daemons), 60)
        holder = holder_of(soak, daemons)
        assert holder is not None
        holder.signal(signal.SIGSTOP)
        stuck = claims(soak)
        assert stuck
        soak.sandbox.set_faults(latency=0.01)
        last = max(stuck.values())
        until(
            lambda: not stuck.keys() & claims(soak).keys(),
            lambda: logs(daemons),
            last + TAKEN_OVER_WITHIN - time.time(),
        )
        until(lambda: not soak.road.states(), lambda: logs(daemons), QUIET + TAKEN_OVER_WITHIN + LEAD)
        holder.life.signal(signal.SIGCONT)
        holder.life.hear("delivery.ended")
        until(lambda: not soak.road.states() and not soak.differences(), lambda: logs(daemons), 30)
        for daemon in daemons:
            daemon.end()


def orphans(road: Road, daemons: list[Daemon]) -> list[tuple[object, ...]]:
    """Ticks and runs in the hands of processes that are no more."""
    living = {daemon.life.pid for daemon in daemons}
    held = road.rows("SELECT holder, key FROM tick WHERE state = 'running'")
    held += road.rows("SELECT holder, id FROM run WHERE status = 'running'")
    return [each for each in held if orjson.loads(str(each[0]))["pid"] not in living]


def claims(soak: Soak) -> dict[tuple[object, object], float]:
    """By user and token: until when what is being sent is claimed."""
    rows = soak.road.rows(
        "SELECT user_id, token, extract(epoch FROM lease_until)::float FROM slot WHERE state = 'sending'"
    )
    return {(user_id, token): until for user_id, token, until in rows}  # type: ignore[misc]


def holder_of(soak: Soak, daemons: list[Daemon]) -> Daemon | None:
    """Who holds the destination."""
    rows = soak.road.rows("SELECT holder FROM lease WHERE name = 'destination:pushwoosh'")
    pid = orjson.loads(str(rows[0][0]))["pid"] if rows else None
    return next((each for each in daemons if each.life.pid == pid), None)


def torment(soak: Soak, observer: Observer, monkey: Monkey) -> None:
    """Look on while people change and daemons suffer, for as long as it takes; the destination is fast and slow by turns."""
    random = Random(SEED)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and not monkey.failed:
        if observer.looks % 20 == 0:
            soak.sandbox.set_faults(latency=random.choice((0.01, 0.1, 0.3, 0.6)))
        observer.look()
        time.sleep(0.1)
    soak.sandbox.set_faults(latency=0.01)


def logs(daemons: list[Daemon]) -> str:
    return "\n".join(f"{daemon.name}:\n{daemon.life.said[-4000:]}" for daemon in daemons)
