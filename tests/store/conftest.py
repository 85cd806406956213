"""A configuration that was announced; a process that has ended, and a way to do things as if one were that process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from sync.store import configurations, leases, runs, ticks
from sync.store.engine import Database
from sync.store.holder import Holder, this_process


@pytest.fixture(scope="session")
def dead() -> Holder:
    """A process of this host that has ended."""
    code = "from sync.store.holder import this_process; print(this_process().text())"
    ended = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return Holder.parse(ended.stdout)


@pytest.fixture
def as_if_dead(dead: Holder, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From here on, claims are made as the dead process; call the result to be ourselves again."""

    def be(holder: Holder) -> None:
        for module in (runs, leases, ticks):
            monkeypatch.setattr(module, "this_process", lambda: holder)

    real = this_process()
    be(dead)
    return lambda: be(real)


@pytest.fixture
def generation(database: Database) -> int:
    """The number of a configuration that was announced."""
    return configurations.announce(database, "as it is")
