"""What the daemon announces is what it has read; a file that is refused after all has changed nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from sync import telemetry
from sync.config import load
from sync.daemon.app import App
from sync.daemon.daemon import Daemon, Loaded
from sync.daemon.generation import Generation
from sync.errors import StoreError, SyncError
from sync.store import configurations
from tests.daemon.running import schedule
from tests.ports import unused_port
from tests.proofs import Road


async def loaded(road: Road, meanwhile: Callable[[], object] = lambda: None) -> Loaded:
    """A daemon's configuration; ``meanwhile`` is what happens between its reading and its announcement."""

    def opened() -> App:
        app = App.load(road.config, os.environ)
        meanwhile()
        return app

    return await Daemon(opened, lambda _: None)._load()


@pytest.mark.parametrize("replaced", ["by another one", "by nothing"])
async def test_the_number_that_is_announced_belongs_to_the_file_that_was_read(sqlite_road: Road, replaced: str) -> None:
    schedule(sqlite_road, web={"listen": "off"})
    read = load(sqlite_road.config, os.environ).fingerprint

    def replace() -> None:
        if replaced == "by nothing":
            sqlite_road.config.unlink()
        else:
            schedule(sqlite_road, "every 7 seconds", web={"listen": "off"})

    found = await loaded(sqlite_road, replace)
    with found.database.read() as connection:
        newest = configurations.last_announced(connection)
    found.app.close()
    assert newest is not None
    assert newest.fingerprint == read


@pytest.fixture
def heard() -> Iterator[list[str]]:
    found: list[str] = []
    stop = telemetry.listen(lambda name, _: found.append(name))
    yield found
    stop()


@asynccontextmanager
async def listening(road: Road) -> AsyncIterator[Daemon]:
    """A daemon that has read its configuration, and listens where that says."""
    daemon = Daemon(lambda: App.load(road.config, os.environ), lambda _: None)
    found = await daemon._load()
    try:
        yield daemon
    finally:
        await daemon._collector.close()
        await daemon._watch.close()
        found.app.close()


def answers(url: str) -> bool:
    """Whether anybody answers there, whatever it is."""
    try:
        urllib.request.urlopen(url, timeout=10).close()  # noqa: S310 - our own
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def addresses(road: Road, web: str, collector: str) -> None:
    schedule(road, web={"listen": web}, collector={"listen": collector, "keys": {"app": "wk"}})


async def answered(*urls: str) -> list[bool]:
    return [await asyncio.to_thread(answers, url) for url in urls]


@pytest.mark.parametrize("to", ["another port", "another host"])
async def test_a_configuration_that_cannot_be_announced_has_moved_no_socket(
    sqlite_road: Road, monkeypatch: pytest.MonkeyPatch, to: str
) -> None:
    web, collector, others = unused_port(), unused_port(), (unused_port(), unused_port())
    addresses(sqlite_road, f"127.0.0.1:{web}", f"127.0.0.1:{collector}")
    async with listening(sqlite_road) as daemon:
        host, moved = ("127.0.0.1", others) if to == "another port" else ("localhost", (web, collector))
        addresses(sqlite_road, f"{host}:{moved[0]}", f"{host}:{moved[1]}")

        def refuse(*_: object) -> Generation:
            raise StoreError("the store cannot be written by this user")

        with monkeypatch.context() as patched:
            patched.setattr(Generation, "announce", refuse)
            with pytest.raises(StoreError):
                await daemon._load()
        old = await answered(f"http://127.0.0.1:{web}/healthz", f"http://127.0.0.1:{collector}/v1/track")
        new = await answered(*(f"http://127.0.0.1:{port}/healthz" for port in others))
        assert (old, new) == ([True, True], [False, False])
        # The very same file is right as soon as it can be announced.
        (await daemon._load()).app.close()
        assert await answered(*(f"http://{host}:{port}/healthz" for port in moved)) == [True, True]


async def test_the_same_port_at_another_host_can_be_had_although_it_is_our_own(sqlite_road: Road) -> None:
    web, collector = unused_port(), unused_port()
    addresses(sqlite_road, f"127.0.0.1:{web}", f"127.0.0.1:{collector}")
    async with listening(sqlite_road) as daemon:
        addresses(sqlite_road, f"localhost:{web}", f"localhost:{collector}")
        (await daemon._load()).app.close()
        urls = (f"http://localhost:{web}/healthz", f"http://localhost:{collector}/v1/track")
        assert await answered(*urls) == [True, True]


async def test_an_address_that_somebody_else_has_moves_nothing_either(sqlite_road: Road, heard: list[str]) -> None:
    web, collector = unused_port(), unused_port()
    addresses(sqlite_road, f"127.0.0.1:{web}", f"127.0.0.1:{collector}")
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        async with listening(sqlite_road) as daemon:
            addresses(sqlite_road, f"localhost:{web}", f"127.0.0.1:{stranger.getsockname()[1]}")
            with pytest.raises(SyncError, match="in use"):
                await daemon._load()
            urls = (f"http://127.0.0.1:{web}/healthz", f"http://127.0.0.1:{collector}/v1/track")
            assert await answered(*urls) == [True, True]
    assert not [name for name in heard if name.endswith("not_restored")]
