"""Devices are linked to users when the pair is new or has changed, and not again."""

from __future__ import annotations

from typing import Any

import httpx
import orjson

from sync.destinations.mapped import ACCEPTED
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.links import LIFETIME, Links
from tests.destinations.pushwoosh.public_alone import Standing, public


def profile(user: str, device: str = "d-1", zone: str = "Europe/Oslo") -> dict[str, Any]:
    context = {"device": {"id": device, "type": "ios"}, "timezone": zone}
    return {"type": "identify", "userId": user, "traits": {"a": 1}, "context": context}


def links(destination: PublicPushwoosh, event: dict[str, Any], *, accepted: bool = True) -> list[str]:
    """The users to whom the event links a device; Pushwoosh accepts everything, or nothing."""
    requests: list[httpx.Request] = destination.requests_for(event).requests
    for request in requests:
        if accepted and ACCEPTED in request.extensions:
            request.extensions[ACCEPTED]()
    return [orjson.loads(each.read())["request"]["userId"] for each in requests if "register" in each.url.path]


def test_a_pair_is_linked_once() -> None:
    destination = public()
    assert links(destination, profile("u-1")) == ["u-1"]
    assert links(destination, profile("u-1")) == []
    assert links(destination, profile("u-1", "d-2")) == ["u-1"]


def test_what_was_not_accepted_is_linked_again() -> None:
    destination = public()
    assert links(destination, profile("u-1"), accepted=False) == ["u-1"]
    assert links(destination, profile("u-1"), accepted=False) == ["u-1"]


def test_a_device_that_changes_hands_and_comes_back_is_linked_every_time() -> None:
    destination = public()
    assert [links(destination, profile(user)) for user in ("u-1", "u-2", "u-1")] == [["u-1"], ["u-2"], ["u-1"]]


def test_nobody_knows_the_link_after_an_attempt_to_change_it() -> None:
    destination = public()
    links(destination, profile("u-1"))
    assert links(destination, profile("u-2"), accepted=False) == ["u-2"]
    assert links(destination, profile("u-1")) == ["u-1"]


def test_a_changed_offset_is_a_changed_link() -> None:
    destination = public()
    links(destination, profile("u-1"))
    assert links(destination, profile("u-1", zone="Asia/Tokyo")) == ["u-1"]


def test_a_link_is_not_believed_for_ever() -> None:
    clock = Standing()
    destination = public(clock=clock)
    links(destination, profile("u-1"))
    clock.seconds = LIFETIME - 1
    assert links(destination, profile("u-1")) == []
    clock.seconds = LIFETIME
    assert links(destination, profile("u-1")) == ["u-1"]


def test_the_devices_not_seen_for_the_longest_time_are_forgotten() -> None:
    known = Links(Standing(), most=2)
    for device in ("a", "b"):
        known.learn(device, b"u")
    assert known.holds("a", b"u")
    known.learn("c", b"u")
    assert [device for device in "abc" if known.holds(device, b"u")] == ["a", "c"]
