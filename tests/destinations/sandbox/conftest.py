from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sync.destinations.sandbox import Sandbox, serve

HEADERS = {"Authorization": "Token key", "X-PW-Appcode": "CODE", "Content-Type": "application/json"}


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """A sandbox; ``parametrize(..., indirect=True)`` hands it keyword arguments."""
    return Sandbox(**getattr(request, "param", {}))


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(sandbox) as url, httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as connected:
        yield connected
