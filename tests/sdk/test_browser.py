"""Segment's client for browsers, as published, in Chromium, on a page of another origin: all it is told arrives once."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from tests.sdk.bridge import PATIENCE, Bridge, run_node

pytestmark = pytest.mark.chromium

MANY = 12
ONCE: dict[str, dict[str, Any]] = {
    "Order Completed": {"total": 12.5, "coupon": "Frühling ☀"},
    "Home": {"name": "Home", "path": "/", "referrer": "", "section": "start", "title": "A shop"},
    "Basket": {"items": 2},
    "group": {"group": "g-1", "company": "Initech"},
    "alias": {},
    "Leaving": {},
}
_ADDRESSES = {"message_id", "url", "search"}
"""What differs from one visit to the next."""


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event["attributes"].items() if key not in _ADDRESSES}


@pytest.mark.parametrize("mode", ["standard", "batching"])
def test_all_that_a_page_tells_arrives_once_also_when_it_is_left(bridge: Bridge, mode: str) -> None:
    person = bridge.person()
    browser = run_node(
        "browser.mjs",
        COLLECTOR=bridge.url,
        WRITE_KEY=bridge.key,
        PERSON=person,
        MANY=str(MANY),
        MODE=mode,
        CHROMIUM=shutil.which("chromium") or "chromium",
    )
    try:
        assert browser.stdout is not None
        assert browser.stdout.readline() == "left\n", browser.stdout.read()
        events = bridge.arrived(person, len(ONCE) + MANY)
    finally:
        said, _ = browser.communicate(timeout=PATIENCE)
    assert (browser.returncode, said) == (0, "")

    wanted = {**ONCE, "alias": {"before": f"{person}-before"}}
    assert {each["name"]: attributes(each) for each in events if each["name"] != "Step"} == wanted
    assert sorted(attributes(each)["n"] for each in events if each["name"] == "Step") == list(range(MANY))
    assert len({each["attributes"]["message_id"] for each in events}) == len(events) == len(ONCE) + MANY
    assert {each["user_id"] for each in events} == {person}

    [profile] = bridge.profiles(person)
    assert "Chrome" in profile.pop("user_agent")
    assert profile == {
        "user_id": person,
        "email": f"{person}@example.com",
        "attributes": {"plan": "gold", "visits": 3, "staff": False},
    }
