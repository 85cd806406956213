"""Many users in one request: what is owed arrives with few of them, and what fails in one is one user's matter."""

from __future__ import annotations

from collections import Counter

import pytest

from sync.deliver import bulk_answers
from tests.proofs import Road
from tests.soak import FULL

BULK = "/api/v2/audience/bulkSetTags"


def in_bulk(road: Road, **batch: object) -> Road:
    road.transport = "public-api"
    road.configure(more={"token": "server", "batch": batch}, deadline="60s", lease="90s")
    return road


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.02)


def submitted(road: Road) -> list[int]:
    """How many users each bulk request carried."""
    return [len(each.body["devices"]) for each in road.sandbox.log if each.path == BULK and each.body]  # type: ignore[arg-type]


def test_a_backfill_takes_a_request_for_every_thousand_users(sqlite_road: Road) -> None:
    users = 100_000 if FULL else 10_000
    in_bulk(sqlite_road)
    sqlite_road.crowd(users)
    assert sqlite_road.command("backfill") == 0
    sqlite_road.delivered()
