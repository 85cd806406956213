"""Three daemons that share one store, and somebody who does to them what hosts and orchestrators do to processes.

Two of them are on one host, so that each can see that the other one is dead; the third is elsewhere. Each sends by an
address of its own, so that it can be told who sent what.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from random import Random

from tests.children import Child
from tests.daemon.elsewhere import AMBUSHES, LOOKED, PATIENCE, STEPS
from tests.daemon.running import Running
from tests.proofs import Road

HOSTS: Mapping[str, str] = {"anna": "host-1", "berta": "host-1", "clara": "host-2"}
"""The daemons, and where they are."""

_CUT_OFF = '"event":"configuration.refused","problems":["the store '
"""One that is stopped while it reads its file anew may find its connection gone, and goes on with what it had read."""

_GREETINGS = ("engage-sync ", "running: ", "stopped")

LONGEST_LEASE = 30.0
"""Seconds: of a tick, a run and a slot. A destination's and the lead's have half of it."""


class Life(Running):
    """One process of a daemon, from its start to its end."""

    def __init__(self, road: Road, name: str, number: int, share: float, environment: Mapping[str, str]) -> None:
        self.road = road
        self._log = road.folder / f"{name}-{number}.log"
        command = ["daemon", "--web-listen", "off", "--config", str(road.config)]
        arguments = [HOSTS[name], str(share), *command]
        self.process = Child("tests.daemon.elsewhere", arguments, self._log, {**os.environ, **environment})


@dataclass(slots=True)
class Spell:
    """A time that has ended, or (``until`` is infinite) has not. ``step``: where it began, if somebody chose that."""

    since: float
    until: float = float("inf")
    step: str | None = None


@dataclass
class Daemon:
    """One of the three, through all its lives. ``awake`` are the spells in which it could work, ``paused`` its stops,
    ``killed`` the instants of its deaths."""

    road: Road
    name: str
    share: float
    environment: Mapping[str, str]
    lives: list[Life] = field(default_factory=list)
    awake: list[Spell] = field(default_factory=list)
    paused: list[Spell] = field(default_factory=list)
    killed: list[float] = field(default_factory=list)

    @property
    def life(self) -> Life:
        return self.lives[-1]

    @property
    def awake_since(self) -> float | None:
        """Since when it can work; ``None`` while it cannot."""
        spell = self.awake[-1] if self.awake else None
        return spell.since if spell is not None and spell.until == float("inf") else None

    def start(self) -> None:
        self.lives.append(Life(self.road, self.name, len(self.lives) + 1, self.share, self.environment))
        self.life.hear("daemon.started", seconds=60)
        self.awake.append(Spell(time.time()))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal. One that ends it or stops it ends its spell."""
        assert self.life.process.poll() is None, f"{self.name} has ended by itself:\n{self.life.said}"
        if number is not signal.SIGHUP:
            self.awake[-1].until = time.time()
        self.life.signal(number)

    def kill(self) -> None:
        self.killed.append(time.time())
        self.signal(signal.SIGKILL)
        self.life.process.wait()

    def end(self) -> None:
        """Told to end, it does."""
        self.signal(signal.SIGTERM)
        assert self.life.ended(60) == 0, self.life.said

    def pause(self, wait: Callable[[float], object], seconds: float) -> None:
        """Stop it for so long, wherever it is."""
        self.signal(signal.SIGSTOP)
        self._sleep(wait, seconds)

    def ambush(self, step: str, wait: Callable[[float], object], seconds: float) -> bool:
        """Stop it for so long when it takes ``step``; false when it takes none."""
        self.life.process.send_signal(AMBUSHES[step])
        end = time.monotonic() + PATIENCE + 1.0
        while not self._stopped():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        self.awake[-1].until = time.time()
        self._sleep(wait, seconds, step)
        return True

    def _stopped(self) -> bool:
        stat = Path(f"/proc/{self.life.pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] == "T"

    def _sleep(self, wait: Callable[[float], object], seconds: float, step: str | None = None) -> None:
        self.paused.append(Spell(time.time(), step=step))
        wait(seconds)
        self.paused[-1].until = time.time()
        self.life.signal(signal.SIGCONT)
        self.awake.append(Spell(time.time()))

    def clear_away(self) -> None:
        """Whatever became of it: it is gone."""
        for life in self.lives:
            if life.process.poll() is None:
                os.kill(life.pid, signal.SIGCONT)
                life.process.kill()
            life.process.wait()

    def events(self, name: str) -> list[Mapping[str, object]]:
        return [event for life in self.lives for event in life.events(name)]

    @cached_property
    def looks(self) -> Mapping[str, list[float]]:
        """When it last looked whether it might send a request, for each one of a user; to be asked when all is over."""
        found: dict[str, list[float]] = defaultdict(list)
        for event in self.events(LOOKED):
            found[str(event["user_id"])].append(float(str(event["at"])))
        return found

    def mistakes(self) -> list[str]:
        """What it said that nobody should ever read: errors of ours."""
        lines = [line for life in self.lives for line in life.said.splitlines()]
        return [
            line
            for line in lines
            if ('"level":"error"' in line and _CUT_OFF not in line) or not line.startswith(("{", *_GREETINGS))
        ]


class Monkey:
    """Torments each daemon in a thread of its own, for a ``with`` block. ``did`` counts what it did."""

    def __init__(self, daemons: list[Daemon], seed: int, share: float) -> None:
        self.did: Counter[str] = Counter()
        self.failed: list[BaseException] = []
        self._share = share
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(daemon, Random(f"{seed} {daemon.name}")), daemon=True)
            for daemon in daemons
        ]

    def __enter__(self) -> Monkey:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of them: all are running then."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, daemon: Daemon, random: Random) -> None:
        acts = {
            self._kill: 30,
            self._hang: 15,
            self._hang_at_a_step: 25,
            self._hiccup: 10,
            self._restart: 12,
            self._reload: 8,
        }
        try:
            while not self._over.wait(random.uniform(0.5, 25 * self._share)):
                (act,) = random.choices(list(acts), list(acts.values()))
                act(daemon, random)
        except BaseException as error:  # noqa: BLE001 - shown by whoever stops us
            self.failed.append(error)

    def _kill(self, daemon: Daemon, random: Random) -> None:
        self.did["killed"] += 1
        daemon.kill()
        self._over.wait(random.uniform(0, 10 * self._share))
        daemon.start()

    def _hang(self, daemon: Daemon, random: Random) -> None:
        self.did["paused beyond a lease"] += 1
        daemon.pause(self._over.wait, random.uniform(0.5, 1.25) * LONGEST_LEASE * self._share)

    def _hang_at_a_step(self, daemon: Daemon, random: Random) -> None:
        step = random.choice(STEPS)
        if daemon.ambush(step, self._over.wait, random.uniform(0.3, 1.8) * LONGEST_LEASE * self._share):
            self.did[f"paused at {step}"] += 1

    def _hiccup(self, daemon: Daemon, random: Random) -> None:
        self.did["paused"] += 1
        daemon.pause(self._over.wait, random.uniform(0.01, 0.4) * LONGEST_LEASE * self._share)

    def _restart(self, daemon: Daemon, random: Random) -> None:
        self.did["told to end"] += 1
        daemon.end()
        self._over.wait(random.uniform(0, 5 * self._share))
        daemon.start()

    def _reload(self, daemon: Daemon, random: Random) -> None:
        self.did["told to reload"] += 1
        daemon.signal(signal.SIGHUP)


@contextmanager
def three(road: Road, addresses: Mapping[str, str], share: float) -> Iterator[list[Daemon]]:
    """The three of them, running; gone at the end. ``addresses``: where each one sends."""
    daemons = [Daemon(road, name, share, {"SANDBOX_URL": addresses[name]}) for name in HOSTS]
    try:
        for daemon in daemons:
            daemon.start()
        yield daemons
    finally:
        for daemon in daemons:
            daemon.clear_away()
