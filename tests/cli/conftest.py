"""A project on each engine in turn: ten users, and one whom the destination refuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Project, serving
from tests.conftest import Place
from tests.shop import Shop

USERS = [f"u{number}" for number in range(10)]


@pytest.fixture
def project(store_place: Place, sqlite_shop: Shop, tmp_path: Path) -> Iterator[Project]:
    """An audience and a trait of ten users, nothing synced yet."""
    sqlite_shop.answers((user, number, f"{user}@example.com") for number, user in enumerate(USERS))
    store = {"url": store_place.url} | ({"schema": store_place.schema} if store_place.schema else {})
    audiences = [
        {"name": "Everybody", "sql": "select user_id, email from answer", "with": ["email"]},
        {"name": "Listed", "table": {"name": "answer", "user_id": "user_id"}, "enabled": False},
    ]
    traits = [{"name": "Number", "sql": "select user_id, cast(value as integer) as value from answer"}]
    with serving(tmp_path, store, sqlite_shop.url, audiences=audiences, traits=traits) as made:
        yield made


@pytest.fixture
def synced(project: Project) -> Project:
    """All delivered but ``u3``, who is refused and parked."""
    project.sandbox.set_faults(fail_users=frozenset({"u3"}))
    assert project("backfill", "--as-of", "2026-01-01").code == 1
    project.sandbox.set_faults(fail_users=frozenset())
    return project
