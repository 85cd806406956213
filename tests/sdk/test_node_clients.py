"""Segment's and RudderStack's clients for Node, as published: what they are told arrives once, and whole."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sync.model.received import instant
from tests.sdk.bridge import PATIENCE, Bridge, run_node

pytestmark = pytest.mark.node

MANY = 25
HAPPENED = datetime(2026, 3, 1, 10, 15, 0, 250_000, tzinfo=UTC)
ONCE: dict[str, dict[str, Any]] = {
    "Order Completed": {"total": 12.5, "coupon": "Frühling ☀"},
    "Home": {"path": "/"},
    "Basket": {"items": 2},
    "group": {"group": "g-1", "company": "Initech"},
    "alias": {},
    "Same Again": {"n": 0},
}


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    """Without what tells events apart."""
    return {key: value for key, value in event["attributes"].items() if key != "message_id"}


@pytest.mark.parametrize(
    ("script", "gzip"), [("segment_node.mjs", "no"), ("rudder_node.mjs", "yes"), ("rudder_node.mjs", "no")]
)
def test_all_that_a_client_is_told_arrives_once_at_the_destination(bridge: Bridge, script: str, gzip: str) -> None:
    person = bridge.person()
    client = run_node(script, COLLECTOR=bridge.url, WRITE_KEY=bridge.key, PERSON=person, MANY=str(MANY), GZIP=gzip)
    said, _ = client.communicate(timeout=PATIENCE)
    assert (client.returncode, said) == (0, "")

    events = bridge.arrived(person, len(ONCE) + MANY)
    wanted = {**ONCE, "alias": {"before": f"{person}-before"}}
    assert {each["name"]: attributes(each) for each in events if each["name"] != "Step"} == wanted
    assert sorted(attributes(each)["n"] for each in events if each["name"] == "Step") == list(range(MANY))
    assert len({each["attributes"]["message_id"] for each in events}) == len(events) == len(ONCE) + MANY
    for each in events:
        assert (each["user_id"], each["app_code"]) == (person, "CODE")
        assert HAPPENED <= instant(each["timestamp"]) <= HAPPENED + timedelta(seconds=PATIENCE)  # type: ignore[operator]

    assert bridge.profiles(person) == [
        {
            "user_id": person,
            "email": f"{person}@example.com",
            "attributes": {"plan": "gold", "visits": 3, "staff": False},
        }
    ]
