"""What the daemon announces is what it has read; a file that is refused after all has changed nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from sync.config import load
from sync.daemon.app import App
from sync.daemon.daemon import Daemon, Loaded
from sync.store import configurations
from tests.daemon.running import schedule
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
