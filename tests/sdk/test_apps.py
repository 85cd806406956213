"""Clients in apps, which cannot be run here: what each of them puts on the wire, by its source, arrives once and whole."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest

from tests.sdk.bridge import PATIENCE, Bridge


@dataclass(frozen=True)
class App:
    """How one of them posts a batch. The write key is in the body; ``basic``: also in the headers."""

    path: str
    content_type: str
    packed: bool
    chunked: bool
    basic: bool = False


APPS = {
    "analytics-kotlin": App("/v1/b", "text/plain", packed=True, chunked=True),
    "analytics-swift": App("/v1/b", "application/json; charset=utf-8", packed=False, chunked=False),
    "analytics-android": App("/v1/import", "application/json", packed=True, chunked=True, basic=True),
    "analytics-ios": App("/v1/batch", "application/json", packed=True, chunked=False, basic=True),
    "a page's beacon": App("/beacon/v1/batch", "text/plain;charset=UTF-8", packed=False, chunked=False),
}


def event(app: str, person: str, **more: object) -> dict[str, object]:
    return {
        "anonymousId": f"anonymous-{person}",
        "userId": person,
        "timestamp": "2026-03-01T10:15:00.250Z",
        "context": {"library": {"name": app, "version": "1.0"}, "app": {"version": "4.2"}},
        "integrations": {},
        "_metadata": {"bundled": [], "unbundled": [], "bundledIds": []},
        **more,
    }


def posted(bridge: Bridge, app: App, document: dict[str, Any]) -> httpx.Response:
    content = orjson.dumps(document)
    headers = {"Content-Type": app.content_type}
    if app.packed:
        content = gzip.compress(content)
        headers["Content-Encoding"] = "gzip"

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(content), 64):
            yield content[start : start + 64]

    return httpx.post(
        bridge.url + app.path,
        content=pieces() if app.chunked else content,
        headers=headers,
        auth=(bridge.key, "") if app.basic else None,
        timeout=PATIENCE,
    )


@pytest.mark.parametrize("name", APPS)
def test_what_an_app_posts_arrives_once_also_when_it_posts_it_again(bridge: Bridge, name: str) -> None:
    person = bridge.person()
    batch = [
        event(name, person, type="identify", messageId=f"{person}-0", traits={"email": "ada@example.com", "visits": 3}),
        event(name, person, type="track", messageId=f"{person}-1", event="Basket Filled", properties={"items": 2}),
        event(name, person, type="screen", messageId=f"{person}-2", name="Basket", properties={}),
    ]
    document = {"batch": batch, "sentAt": "2026-03-01T10:15:01.000Z", "writeKey": bridge.key}
    for _ in range(2):  # the answer was lost, it thinks
        answer = posted(bridge, APPS[name], document)
        assert (answer.status_code, answer.json()) == (200, {"success": True})

    events = bridge.arrived(person, 2)
    assert [(each["name"], each["attributes"]) for each in events] == [
        ("Basket Filled", {"items": 2, "message_id": f"{person}-1"}),
        ("Basket", {"message_id": f"{person}-2"}),
    ]
    [profile] = bridge.profiles(person)
    assert profile == {"user_id": person, "email": "ada@example.com", "attributes": {"visits": 3}}


def test_an_app_is_told_where_to_post_and_a_wrong_key_is_told_nothing(bridge: Bridge) -> None:
    for path in ("/v1/projects/{}/settings", "/projects/{}/settings"):
        settings = httpx.get(bridge.url + path.format(bridge.key), timeout=PATIENCE)
        there = settings.json()["integrations"]["Segment.io"]
        assert (settings.status_code, there["apiKey"]) == (200, bridge.key)
        assert f"{there['protocol']}://{there['apiHost']}" == f"{bridge.url}/v1"
        assert httpx.get(bridge.url + path.format("wrong"), timeout=PATIENCE).status_code == 404
