"""``bridge``: a daemon that collects, in a process of its own, and the sandbox that it forwards to.

A client posts to ``bridge.url`` with ``bridge.key`` about ``bridge.person()``, and ``bridge.arrived(person, 7)`` gives
what became of it at the other end. One bridge serves all tests of a process: each goes by people of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.proofs import postgresql_road, road, sqlite_road, transport
from tests.sdk.bridge import Bridge, bridging, no_chromium, no_node

__all__ = ["bridge", "postgresql_road", "road", "sqlite_road", "transport"]


@pytest.fixture(scope="session")
def bridge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bridge]:
    """The daemon, collecting, and its sandbox."""
    with bridging(tmp_path_factory.mktemp("bridge")) as found:
        yield found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a tool that is not here, and say which."""
    missing = {"node": no_node(), "chromium": no_node() or no_chromium()}
    for item in items:
        for mark, reason in missing.items():
            if reason and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
