"""Fixtures for everything that needs a store or a customer's database: real ones, on SQLite and on PostgreSQL.

=====================  ==========================================================================
``database``           an empty, migrated store on each engine in turn; goes by ``clock``
``sqlite_database``    the same on one engine, for what only that one has
``postgresql_database``
``place``              where such a store is (``url``, ``schema``), before anybody has migrated it
``clock``              real time that a test can move on: ``clock.advance(30)``
``shop``               a customer's database on each engine in turn: ``shop.source``, ``shop.run(…)``
``sqlite_shop``        the same on one engine
``postgresql_shop``
``source``             ``shop.source``
``postgresql_url``     the server of this session
=====================  ==========================================================================
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import gettempdir

import pytest

from sync.source.connection import Source
from sync.store.engine import Database
from sync.store.migrate import migrate
from tests.moving_clock import MovingClock, connect_timed
from tests.postgresql import own_database, own_schema, serving
from tests.shop import Shop
from tests.soak import SEED

ENGINES = ("sqlite", "postgresql")
_numbers = count(1)


# What these drive is covered by the tests of its parts. Watching every line of theirs would make them half as slow again.
_NOT_MEASURED = ("bad_input", "crash", "faults", "real", "sdk")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Coverage is measured where lines are tested, not where whole roads are."""
    here = Path(__file__).parent
    for item in items:
        of_a_road = item.path.relative_to(here).parts[0] in _NOT_MEASURED
        if of_a_road or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)


def pytest_report_header() -> str:
    """Say what a run that failed can be repeated with."""
    return f"SOAK_SEED={SEED}"


def _unique(prefix: str) -> str:
    """A name that no other test and no other worker uses."""
    return f"{prefix}_{os.getpid()}_{next(_numbers)}"


@dataclass(frozen=True)
class Place:
    """Where a store is, or is to be."""

    url: str
    schema: str | None = None


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the session; it is started when a test first wants it."""
    # Not below pytest's own folder: another session of root's closes that to the server's user while this one runs.
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))[:12]
    with serving(Path(gettempdir()) / f"engage-sync-{session}") as url:
        yield url


@pytest.fixture
def postgresql_place(postgresql_url: str) -> Iterator[Place]:
    """A PostgreSQL schema that is gone after the test."""
    with own_schema(postgresql_url, _unique("store")) as schema:
        yield Place(postgresql_url, schema)


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    """A SQLite file that does not exist yet."""
    return Place(f"sqlite:///{tmp_path / 'store.db'}")


@pytest.fixture(params=ENGINES)
def place(request: pytest.FixtureRequest) -> Place:
    """Where a store can be made, on each engine in turn."""
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def clock() -> MovingClock:
    """Real time, which the test can move on."""
    return MovingClock()


def _migrated(place: Place, clock: MovingClock) -> Iterator[Database]:
    database = connect_timed(place.url, place.schema, clock)
    migrate(database, place.schema)
    yield database
    database.close()


@pytest.fixture(scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A fresh store as the content of a file, so that not every test migrates its own."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    database = connect_timed(f"sqlite:///{path}", None, MovingClock())
    migrate(database)
    database.close()
    return path.read_bytes()


@pytest.fixture
def sqlite_database(sqlite_place: Place, clock: MovingClock, _migrated_file: bytes) -> Iterator[Database]:
    """An empty store in a SQLite file."""
    Path(sqlite_place.url.removeprefix("sqlite:///")).write_bytes(_migrated_file)
    yield from _migrated(sqlite_place, clock)


@pytest.fixture
def postgresql_database(postgresql_place: Place, clock: MovingClock) -> Iterator[Database]:
    """An empty store in a PostgreSQL schema."""
    yield from _migrated(postgresql_place, clock)


@pytest.fixture(params=ENGINES)
def database(request: pytest.FixtureRequest) -> Database:
    """An empty store, on each engine in turn."""
    found: Database = request.getfixturevalue(f"{request.param}_database")
    return found


@pytest.fixture
def sqlite_shop(tmp_path: Path) -> Shop:
    """A customer's SQLite file."""
    path = tmp_path / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 1")
    return Shop(f"sqlite:///{path}", Source("shop", f"sqlite:///{path}", statement_timeout=30))


@pytest.fixture
def postgresql_shop(postgresql_url: str) -> Iterator[Shop]:
    """A customer's PostgreSQL database."""
    with own_database(postgresql_url, _unique("shop")) as url:
        yield Shop(url, Source("shop", url, statement_timeout=30))


@pytest.fixture(params=ENGINES)
def shop(request: pytest.FixtureRequest) -> Shop:
    """A customer's database, on each engine in turn."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
def source(shop: Shop) -> Source:
    """A customer's database as the program sees it, on each engine in turn."""
    return shop.source
