"""Segment's client for browsers, as published, in Chromium, on a page of another origin: all it is told arrives once."""

from __future__ import annotations

import re
import shutil
from typing import Any

import pytest

from tests.children import ROOT
from tests.sdk.bridge import PATIENCE, Bridge, run_node

pytestmark = pytest.mark.chromium

MANY = 12
DOCUMENTED = (ROOT / "docs" / "collector.md").read_text(encoding="utf-8")
ONCE: dict[str, dict[str, Any]] = {
    "Order Completed": {"total": 12.5, "coupon": "Frühling ☀"},
    "Home": {"name": "Home", "path": "/", "referrer": "", "search": "", "section": "start", "title": "A shop"},
    "Basket": {"items": 2},
    "group": {"group": "g-1", "company": "Initech"},
    "alias": {},
    "Leaving": {},
}
_DIFFERENT = {"message_id", "url"}
"""What differs from one visit to the next."""


def block(kind: str) -> str:
    """A fenced block of the documentation."""
    [found] = re.findall(rf"^```{kind}\n(.*?)^```$", DOCUMENTED, re.DOTALL | re.MULTILINE)
    return str(found)


def page(bridge: Bridge, mode: str) -> str:
    """What the documentation has one put into a page; batches go when they are full, or when the page is left."""
    shown = block("html").replace("WRITE_KEY", bridge.key).replace("https://events.example.com", bridge.url)
    if mode == "standard":
        return shown
    return shown.replace("_loadOptions = {}", f"_loadOptions = {block('json options').replace('5000', '60000')}")


def attributes(event: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event["attributes"].items() if key not in _DIFFERENT}


@pytest.mark.parametrize("mode", ["standard", "batching"])
def test_all_that_a_page_tells_arrives_once_also_when_it_is_left(bridge: Bridge, mode: str) -> None:
    person = bridge.person()
    browser = run_node(
        "browser.mjs",
        PAGE=page(bridge, mode),
        PERSON=person,
        MANY=str(MANY),
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
