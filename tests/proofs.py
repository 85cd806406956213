"""The whole road for the proofs: a customer's database, a store, a configuration, and a sandbox at the other end.

``road`` is a `Road` on each engine in turn, ``sqlite_road`` on SQLite alone. A command runs in this process
(``road.command``), or in a child that can be killed (``road.spawn``).
"""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
import orjson
import psycopg
import pytest

from sync.cli import main
from sync.clock import SystemClock
from sync.config import load
from sync.daemon.app import App
from sync.daemon.cycle import Order, run_refreshes
from sync.destinations.sandbox import Sandbox, SandboxThread
from sync.model.run import RunKind
from sync.store.engine import Database, connect
from tests.children import Child
from tests.conftest import ENGINES, Place
from tests.kept import KeptStores
from tests.moving_clock import MovingClock, connect_timed

_numbers = count(1)
# A machine that stands still for some seconds must not make an outcome unknown: what is about that says so.
LIMITS: Mapping[str, object] = {"deadline": "30s", "lease": "45s", "quiet_period": "300ms", "concurrency": 20}
TRANSPORTS = ("segment-integration", "public-api")
RETRY: Mapping[str, object] = {"longest_delay": "100ms"}


@dataclass
class Road:
    """``wanted`` maps each user of the customer to a score: what a destination must hold once all is delivered."""

    folder: Path
    store: str
    sandbox: Sandbox
    url: str
    wanted: dict[str, int] = field(default_factory=dict)
    transport: str = TRANSPORTS[0]

    @property
    def takes_batches(self) -> bool:
        """Whether many events may travel in one request."""
        return self.transport == TRANSPORTS[0]

    @property
    def config(self) -> Path:
        return self.folder / "sync.yaml"

    def configure(
        self,
        *,
        retry: Mapping[str, object] = RETRY,
        others: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
        **limits: object,
    ) -> None:
        """Write the configuration: one destination at the sandbox, and ``others`` by name and URL.

        ``more`` are further settings of all of them.
        """
        destinations = {"pushwoosh": self.url, **(others or {})}
        document = {
            "version": 1,
            "project": "proofs",
            "store": self.store,
            "sources": {"shop": {"url": f"sqlite:///{self.folder / 'shop.db'}"}},
            "destinations": {
                name: {
                    "type": "pushwoosh",
                    "transport": self.transport,
                    "api_key": "key",
                    "app_code": "CODE",
                    "base_url": url,
                    "limits": {**LIMITS, **limits},
                    "retry": dict(retry),
                    **(more or {}),
                }
                for name, url in destinations.items()
            },
            "audiences": [{"name": "Members", "sql": "select user_id from person"}],
            "traits": [{"name": "Score", "sql": "select user_id, score as value from person"}],
        }
        self.config.write_bytes(orjson.dumps(document))

    def people(self, scores: Mapping[str, int]) -> None:
        """Let the customer have these users beside those there are, with these scores."""
        self.wanted.update(scores)
        with closing(sqlite3.connect(self.folder / "shop.db")) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS person (user_id text PRIMARY KEY, score integer)")
            connection.executemany("INSERT OR REPLACE INTO person VALUES (?, ?)", scores.items())

    def crowd(self, number: int) -> None:
        """Let the customer have so many users."""
        self.people({f"u{position}": position for position in range(number)})

    def command(self, *arguments: str) -> int:
        """Run a command here and give its exit code."""
        return main([*arguments, "--config", str(self.config)])

    def spawn(self, *arguments: str, die_at: str = "-", occurrence: int = 1) -> Child:
        """Start a command in a child, which kills itself at a step's given occurrence."""
        command = [die_at, str(occurrence), *arguments, "--config", str(self.config)]
        return Child("tests.victim", command, self.folder / f"said-{next(_numbers)}.txt")

    @contextmanager
    def app(self, clock: SystemClock | None = None) -> Iterator[App]:
        """What a command works with; with a clock that moves, the store goes by it too."""
        app = App(load(self.config, os.environ), clock)
        if isinstance(clock, MovingClock):
            app._database = connect_timed(self.store, None, clock)
        try:
            yield app
        finally:
            app.close()

    def refresh(self, kind: RunKind = RunKind.DELTA, clock: SystemClock | None = None) -> None:
        """Record what changed, and send nothing."""
        with self.app(clock) as app:
            assert run_refreshes(app, Order(app.select(()), kind=kind)).exit_code == 0

    @contextmanager
    def opened(self) -> Iterator[Database]:
        """The store, through a connection of the test's own."""
        database = connect(self.store)
        try:
            yield database
        finally:
            database.close()

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        """What the store says."""
        with self.opened() as database, database.engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def states(self) -> Counter[object]:
        """How many slots there are in each state; those that a bulk holds are being sent."""
        held = "CASE WHEN bulk_token IS NULL THEN state ELSE 'sending' END"
        return Counter(state for (state,) in self.rows(f"SELECT {held} FROM slot"))

    def tries(self) -> Counter[object]:
        """How many users' tries there are in the history with each verdict, of requests of their own or of many users."""
        found = Counter(verdict for (verdict,) in self.rows("SELECT verdict FROM attempt"))
        for verdict, sent in self.rows("SELECT verdict, sent FROM bulk_attempt"):
            found[verdict] += sum(len(group["users"]) for group in orjson.loads(str(sent)))
        return found

    def delivered(self) -> None:
        """Assert that the sandbox holds the right state of everybody and heard nothing wrong, and that nothing is owed."""
        held = {user_id: user["attributes"] for user_id, user in self.sandbox.users().items()}
        assert held == {user_id: {"members": True, "score": score} for user_id, score in self.wanted.items()}
        assert not self.sandbox.complaints
        assert not self.states()

    def clients_gone(self) -> None:
        """Wait until the store's server has noticed the death of its clients (on SQLite there is no server), and until
        all that they had sent has arrived."""
        self.caught_up()
        if not self.store.startswith("sqlite"):
            with psycopg.connect(self.store.replace("+psycopg", ""), autocommit=True) as connection:
                until(lambda: connection.execute(_CLIENTS).fetchone() == (0,), "dead clients block the store")

    def caught_up(self) -> None:
        """Wait until the sandbox has read what somebody who is dead had sent: whoever asks later is answered later."""
        for _ in range(2):
            httpx.get(f"{self.url}/_sandbox/stats", timeout=60).raise_for_status()


_CLIENTS = """SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'engage-sync'"""


def until(holds: Callable[[], bool], otherwise: str, seconds: float = 60.0) -> None:
    """Wait for something that another process or thread does."""
    began = time.monotonic()
    while not holds():
        waited = time.monotonic() - began
        assert waited < seconds, otherwise
        # To look costs processor time that what is waited for could use.
        time.sleep(0.002 if waited < 0.2 else 0.01)


def ended(child: Child, seconds: float = 90.0) -> tuple[int, str]:
    """Wait for a child to end; gives its exit code and what it said. One that hangs says where, and is killed."""
    try:
        said, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGUSR1)  # the victim shows its stacks
        time.sleep(0.5)
        child.kill()
        said, _ = child.communicate()
        pytest.fail(f"a child hangs: {said}")
    return child.wait(), said


@contextmanager
def road_on(folder: Path, store: str, transport: str = TRANSPORTS[0]) -> Iterator[Road]:
    """A road whose store is at a URL; somebody has migrated it."""
    sandbox = Sandbox(api_keys=["key"], app_codes=["CODE"], log_limit=100_000)
    with SandboxThread(sandbox) as server:
        made = Road(folder, store, sandbox, server.url, transport=transport)
        made.configure()
        yield made


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    """Each way to Pushwoosh in turn: what is promised holds on both."""
    found: str = request.param
    return found


@pytest.fixture
def sqlite_road(tmp_path: Path, sqlite_store_place: Place, transport: str) -> Iterator[Road]:
    """A road whose store is a SQLite file."""
    with road_on(tmp_path, sqlite_store_place.url, transport) as made:
        yield made


@pytest.fixture
def postgresql_road(tmp_path: Path, kept_road_stores: KeptStores, transport: str) -> Iterator[Road]:
    """A road whose store is a PostgreSQL database of its own."""
    with kept_road_stores.one() as name, road_on(tmp_path, kept_road_stores.url(name), transport) as made:
        yield made


@pytest.fixture(params=ENGINES)
def road(request: pytest.FixtureRequest, transport: str) -> Road:
    """A road on each engine in turn."""
    found: Road = request.getfixturevalue(f"{request.param}_road")
    return found
