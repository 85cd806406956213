"""A store that can be read but not written makes no daemon ready: a standby is waited for, missing rights are to be mended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from urllib.parse import quote

import orjson
import psycopg
import pytest
from sqlalchemy import text

from sync.config import Settings
from sync.errors import StoreError, StoreUnavailable
from sync.store import configurations
from sync.store.engine import Database, connect
from sync.store.migrate import migrate
from sync.web import WebState
from tests.command import engage_sync
from tests.conftest import Place
from tests.postgresql import own_database
from tests.web.conftest import Watching

TAKES_NO_WRITES = "the store's server takes no writes now, it is a standby or a failover is under way"
READ_ONLY = f"&options={quote('-c default_transaction_read_only=on')}"
NOBODY = 65534


@pytest.fixture
def fallen_over(postgresql_database: Database, postgresql_store_place: Place) -> Iterator[Database]:
    """The same store on a server that takes no writes."""
    found = connect(postgresql_store_place.url + READ_ONLY, postgresql_store_place.schema)
    yield found
    found.close()


@contextmanager
def as_nobody(folder: Path) -> Iterator[None]:
    """As a user who may look at everything in ``folder`` and write nothing."""
    modes = {each: each.stat().st_mode for each in (*folder.iterdir(), folder)}
    for each in modes:
        each.chmod(0o555 if each.is_dir() else 0o444)
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for each, mode in modes.items():
            each.chmod(mode)


async def test_a_server_that_takes_no_writes_is_a_reason_until_it_does(
    postgresql_url: str, settings: Settings, watching: Watching
) -> None:
    name = f"failover_{os.getpid()}"
    with own_database(postgresql_url, name) as url, psycopg.connect(postgresql_url, autocommit=True) as server:
        database = connect(url)
        migrate(database)

        def after(change: bytes) -> None:
            server.execute(b"ALTER DATABASE " + name.encode() + change)

        async with watching(WebState(database, settings)) as client:
            assert (await client.get("/readyz")).status_code == 200
            after(b" SET default_transaction_read_only = on")
            server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            for _ in range(2):
                answer = await client.get("/readyz")
                assert answer.status_code == 503
                assert answer.json()["reasons"][0].startswith(TAKES_NO_WRITES)
            # Sessions that were opened meanwhile stay read-only, and nobody ends them.
            after(b" RESET default_transaction_read_only")
            assert (await client.get("/readyz")).json() == {"ready": True, "reasons": []}
        configurations.announce(database, "written")
        database.close()


def test_what_is_written_to_a_server_that_takes_no_writes_is_to_be_tried_again(fallen_over: Database) -> None:
    with pytest.raises(StoreUnavailable, match=TAKES_NO_WRITES):
        configurations.announce(fallen_over, "new")
    with fallen_over.read() as connection:  # the session is given up: the next one may lead to another server
        assert connection.execute(text("SELECT count(*) FROM configuration")).scalar() == 0
    assert fallen_over.engine.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_a_daemon_that_starts_while_its_server_takes_no_writes_ends_so_that_it_is_started_again(
    postgresql_store_place: Place, tmp_path: Path
) -> None:
    store = {"url": postgresql_store_place.url, "schema": postgresql_store_place.schema}
    config = tmp_path / "sync.yaml"
    config.write_bytes(orjson.dumps({"version": 1, "project": "shop", "store": store}))
    assert engage_sync("migrate", "--config", str(config)).code == 0
    store["url"] = postgresql_store_place.url + READ_ONLY
    config.write_bytes(orjson.dumps({"version": 1, "project": "shop", "store": store}))
    said = engage_sync("daemon", "--web-listen", "off", "--collector-listen", "off", "--config", str(config))
    assert (said.code, TAKES_NO_WRITES in said.err) == (1, True)


def test_a_role_without_rights_is_told_to_be_given_them(
    postgresql_database: Database, postgresql_store_place: Place
) -> None:
    role = f"guest_{os.getpid()}"
    with psycopg.connect(postgresql_store_place.url, autocommit=True) as server:
        server.execute(f"CREATE ROLE {role}".encode())
        try:
            server.execute(f"GRANT USAGE ON SCHEMA {postgresql_store_place.schema} TO {role}".encode())
            guest = connect(
                f"{postgresql_store_place.url}&options={quote(f'-c role={role}')}", postgresql_store_place.schema
            )
            with pytest.raises(StoreError, match=r"role may not do what it must \(permission denied for table") as told:
                configurations.announce(guest, "new")
            guest.close()
            assert told.value.exit_code == 2
        finally:
            server.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())


async def test_a_file_that_this_user_may_not_write_is_a_reason_until_it_may(
    settings: Settings, watching: Watching
) -> None:
    folder = Path(mkdtemp(prefix="engage-sync-rights-"))  # not below a folder that nobody else may enter
    try:
        database = connect(f"sqlite:///{folder / 'store.db'}")
        migrate(database)
        async with watching(WebState(database, settings)) as client:
            with as_nobody(folder):
                answer = await client.get("/readyz")
            assert answer.status_code == 503
            assert answer.json()["reasons"][0].startswith(
                f"the store cannot be written by this user: check the rights of {folder}/store.db"
            )
            assert (await client.get("/readyz")).status_code == 200
        database.close()
    finally:
        rmtree(folder)
