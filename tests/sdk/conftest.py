"""``bridge``: a daemon that collects, in a process of its own, and the sandbox that it forwards to.

A client posts to ``bridge.url`` with ``bridge.key`` about ``bridge.person()``, and ``bridge.arrived(person, 7)`` gives
what became of it at the other end. One bridge serves all tests of a process: each goes by people of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.sdk.bridge import HERE, Bridge, bridging


@pytest.fixture(scope="session")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The daemon, collecting, and its sandbox."""
    with bridging(tmp_path_factory.mktemp("bridge")) as found:
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a tool that is not here, and say which."""
    missing = {"node": _no_node(), "chromium": _no_node() or _no_chromium()}
    for item in items:
        for mark, reason in missing.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))


def _no_node() -> str | None:
    if shutil.which("node") is None:
        return "needs `node` 20 or later: not installed"
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        return "needs the clients' packages: run `npm ci --prefix tests/sdk`"
    return None


def _no_chromium() -> str | None:
    return None if shutil.which("chromium") else "needs `chromium`: not installed (Debian: apt-get install chromium)"
