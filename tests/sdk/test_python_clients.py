"""Segment's and RudderStack's clients for Python, as published: what they are told arrives once, whole, and in order."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.model.received import instant
from tests.sdk.bridge import HERE, PATIENCE, Bridge

MANY = 60
HAPPENED = datetime(2026, 3, 1, 10, 15, 0, 250_000, tzinfo=UTC)
PROFILE = {"plan": "gold", "visits": 3, "staff": False}


def told(
    bridge: Bridge, person: str, client: str, gzip: str, key: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Let a client tell the collector everything."""
    where = {"COLLECTOR": bridge.url, "WRITE_KEY": key or bridge.key, "PERSON": person, "MANY": str(MANY)}
    return subprocess.run(
        [sys.executable, HERE / "python_clients.py", client, gzip],
        env={**os.environ, **where, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    """Without what tells events apart."""
    return {key: value for key, value in event["attributes"].items() if key != "message_id"}


@pytest.mark.parametrize("client", ["segment", "rudder"])
@pytest.mark.parametrize("gzip", ["yes", "no"])
def test_all_that_a_client_is_told_arrives_once_and_in_order(bridge: Bridge, client: str, gzip: str) -> None:
    person = bridge.person()
    said = told(bridge, person, client, gzip)
    assert (said.returncode, said.stdout) == (0, ""), said.stderr

    names = ["Order Completed", "Home", "Basket", "group", "alias", "Same Again", *["Step"] * MANY, "Odd"]
    events = bridge.arrived(person, len(names))
    assert [each["name"] for each in events] == names
    assert [attributes(each) for each in events] == [
        {"total": 12.5, "coupon": "Frühling ☀"},
        {"path": "/"},
        {"items": 2},
        {"group": "g-1", "company": "Initech"},
        {"before": f"{person}-before"},
        {"n": 0},
        *({"n": number} for number in range(MANY)),
        {"nan": None, "half": "\ufffd", "nul": "\ufffd", "huge": 1e30},
    ]
    assert len({each["attributes"]["message_id"] for each in events}) == len(events)
    for each in events:
        assert (each["user_id"], each["app_code"]) == (person, "CODE")
        assert HAPPENED <= instant(each["timestamp"]) <= HAPPENED + timedelta(seconds=PATIENCE)  # type: ignore[operator]

    [profile] = bridge.profiles(person)
    assert (profile["user_id"], profile["email"]) == (person, f"{person}@example.com")
    assert profile["attributes"] == PROFILE


@pytest.mark.parametrize("client", ["segment", "rudder"])
def test_a_wrong_write_key_is_told_to_the_program_and_nothing_arrives(bridge: Bridge, client: str) -> None:
    person = bridge.person()
    said = told(bridge, person, client, "no", key="wrong")
    assert said.returncode == 1, said.stderr
    assert "invalid_write_key" in said.stdout
    assert bridge.post("/v1/track", {"userId": person, "event": "The Only One"}) == 200
    bridge.wait(lambda: bool(bridge.sandbox.events(person)), f"anything of {person}")
    assert [each["name"] for each in bridge.sandbox.events(person)] == ["The Only One"]
