"""Fixtures for everything that needs a store or a customer's database: real ones, on SQLite and on PostgreSQL.

=====================  ==========================================================================
``database``           an empty, migrated store on each engine in turn; goes by ``clock``
``sqlite_database``    the same on one engine, for what only that one has
``postgresql_database``
``store_place``        where such a store is (``url``, ``schema``), before anybody has opened it
``place``              where one can be made: nothing is there yet
``clock``              real time that a test can move on: ``clock.advance(30)``
``shop``               a customer's database on each engine in turn: ``shop.source``, ``shop.run(…)``
``sqlite_shop``        the same on one engine
``postgresql_shop``
``duckdb_shop``
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
from tests.kept import KeptDatabases, KeptStores
from tests.moving_clock import MovingClock, connect_timed
from tests.postgresql import of_database, own_schema, serving
from tests.shop import Shop
from tests.soak import FULL, SEED

ENGINES = ("sqlite", "postgresql")
_numbers = count(1)


# What these drive is covered by the tests of its parts. Watching every line of theirs would make them half as slow again.
_NOT_MEASURED = ("bad_input", "crash", "faults", "real", "sdk")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what adds nothing but time, and begin with what waits, so that others fill the processors meanwhile.

    Coverage is measured where lines are tested, not where whole roads are.
    """
    if not FULL:
        config.hook.pytest_deselected(items=[item for item in items if _is_shown_elsewhere(item)])
        items[:] = [item for item in items if not _is_shown_elsewhere(item)]
    items.sort(key=lambda item: item.get_closest_marker("waits") is None)
    here = Path(__file__).parent
    for item in items:
        of_a_road = item.path.relative_to(here).parts[0] in _NOT_MEASURED
        if of_a_road or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.no_cover)


def _is_shown_elsewhere(item: pytest.Item) -> bool:
    """A store and a way to Pushwoosh know nothing of each other: each is tried with the other's first, and ``make soak``
    tries all. What is about one way is tried with both stores. Nor does it depend on the engine what each command says of
    bad input: on PostgreSQL one of them is asked."""
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    if params.get("synced") == "postgresql" and params.get("command", "delta") != "delta":
        return True
    about_one = any(mark.args[0] == "transport" for mark in item.iter_markers("parametrize"))
    return not about_one and (params.get("road"), params.get("transport")) == ("postgresql", "public-api")


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


@pytest.fixture(scope="session")
def kept_stores(postgresql_url: str) -> KeptStores:
    """Migrated PostgreSQL schemas."""
    return KeptStores(postgresql_url, f"store_{os.getpid()}")


@pytest.fixture(scope="session")
def kept_road_stores(postgresql_url: str) -> KeptStores:
    """Migrated PostgreSQL stores, each in a database of its own, so that one sees its clients."""
    return KeptStores(postgresql_url, f"road_{os.getpid()}", alone=True)


@pytest.fixture(scope="session")
def kept_shops(postgresql_url: str) -> KeptDatabases:
    """PostgreSQL databases for customers."""
    return KeptDatabases(postgresql_url, f"shop_{os.getpid()}")


@pytest.fixture
def postgresql_place(postgresql_url: str) -> Iterator[Place]:
    """A PostgreSQL schema that is gone after the test."""
    with own_schema(postgresql_url, _unique("place")) as schema:
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


def _opened(place: Place, clock: MovingClock) -> Iterator[Database]:
    database = connect_timed(place.url, place.schema, clock)
    yield database
    database.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A fresh store as the content of a file, so that not every test migrates its own."""
    path = tmp_path_factory.mktemp("migrated") / "store.db"
    database = connect_timed(f"sqlite:///{path}", None, MovingClock())
    migrate(database)
    database.close()
    return path.read_bytes()


@pytest.fixture
def sqlite_store_place(sqlite_place: Place, migrated_file: bytes) -> Place:
    """Where an empty store is, in a SQLite file."""
    Path(sqlite_place.url.removeprefix("sqlite:///")).write_bytes(migrated_file)
    return sqlite_place


@pytest.fixture
def postgresql_store_place(kept_stores: KeptStores) -> Iterator[Place]:
    """Where an empty store is, in a PostgreSQL schema."""
    with kept_stores.one() as name:
        yield Place(kept_stores.server, name)


@pytest.fixture(params=ENGINES)
def store_place(request: pytest.FixtureRequest) -> Place:
    """Where an empty store is, on each engine in turn."""
    found: Place = request.getfixturevalue(f"{request.param}_store_place")
    return found


@pytest.fixture
def sqlite_database(sqlite_store_place: Place, clock: MovingClock) -> Iterator[Database]:
    """An empty store in a SQLite file."""
    yield from _opened(sqlite_store_place, clock)


@pytest.fixture
def postgresql_database(postgresql_store_place: Place, clock: MovingClock) -> Iterator[Database]:
    """An empty store in a PostgreSQL schema."""
    yield from _opened(postgresql_store_place, clock)


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
def postgresql_shop(kept_shops: KeptDatabases) -> Iterator[Shop]:
    """A customer's PostgreSQL database."""
    with kept_shops.one() as name:
        url = of_database(kept_shops.server, name)
        yield Shop(url, Source("shop", url, statement_timeout=30))


@pytest.fixture
def duckdb_shop(tmp_path: Path) -> Shop:
    """A customer's DuckDB file."""
    url = f"duckdb:///{tmp_path / 'shop.duckdb'}"
    found = Shop(url, Source("shop", url, statement_timeout=30))
    found.run("CREATE SCHEMA own")
    return found


@pytest.fixture(params=ENGINES)
def shop(request: pytest.FixtureRequest) -> Shop:
    """A customer's database, on each engine in turn."""
    found: Shop = request.getfixturevalue(f"{request.param}_shop")
    return found


@pytest.fixture
def source(shop: Shop) -> Source:
    """A customer's database as the program sees it, on each engine in turn."""
    return shop.source
