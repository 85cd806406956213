"""What the sandbox accepts, refuses and remembers of events, over real sockets."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from sync.destinations.sandbox import Sandbox
from sync.destinations.sandbox.events import EVENT_FIELDS
from tests.destinations.pushwoosh.mapped_alone import body
from tests.destinations.pushwoosh.mapped_alone import pushwoosh as destination

POST_EVENTS = "/integration-segment/v1/post-events"
TRACK_USER = "/integration-segment/v1/track-user"
SEEN: dict[str, Any] = {"user_id": "u-1", "name": "Seen", "timestamp": "2024-05-17T10:11:12.345Z"}
_DROP = object()


def seen(user_id: str = "u-1", **changes: object) -> dict[str, Any]:
    event = {**SEEN, "user_id": user_id, **changes}
    return {name: value for name, value in event.items() if value is not _DROP}


async def post(client: httpx.AsyncClient, *events: object) -> httpx.Response:
    return await client.post(POST_EVENTS, content=orjson.dumps({"events": events}))


async def test_full_events_are_accepted_with_an_empty_body(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    full = seen(
        device_id="d",
        device_platform="iOS",
        app_code="CODE",
        attributes={"vip": True, "total": 9.5, "tags": ["a", 1, False], "plan": None},
    )
    assert full.keys() == EVENT_FIELDS
    device = {"device_id": "d", "device_platform": None, "name": "Seen", "timestamp": "2024-05-17T10:11:12+02:00"}
    answer = await post(client, full, device, seen("u-2"))
    assert (answer.status_code, answer.content) == (200, b"")
    assert sandbox.events() == [full, device, seen("u-2")]
    assert sandbox.events("u-1") == [full]
    assert sandbox.complaints == []


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"user_id": _DROP}, "user_id is missing"),
        ({"user_id": _DROP, "device_id": ""}, "user_id is missing"),
        ({"user_id": ""}, "user_id must not be empty"),
        ({"user_id": None, "device_id": "d"}, "user_id must be a string, but it was null"),
        ({"device_id": 5}, "device_id must be a string or null"),
        ({"device_platform": []}, "device_platform must be a string or null"),
        ({"app_code": "OTHER"}, "app_code is not the one in the header"),
        ({"app_id": "CODE"}, 'unknown field "app_id"'),
        ({"name": _DROP}, "name is missing"),
        ({"name": ""}, "name must not be empty"),
        ({"name": 1}, "name must be a string"),
        ({"timestamp": _DROP}, "timestamp must be a string in the form of RFC 3339, but it was null"),
        ({"timestamp": 1715940672}, "timestamp must be a string in the form of RFC 3339, but it was a number"),
        ({"timestamp": "2024-05-17"}, "timestamp must be a string in the form of RFC 3339"),
        ({"timestamp": "2024-02-30T00:00:00Z"}, "timestamp must be"),
        ({"attributes": None}, "attributes must be an object, but it was null"),
        ({"attributes": {"a": {}}}, "attributes.a must be"),
        ({"attributes": {"a": [[]]}}, "attributes.a[0] must be"),
    ],
)
async def test_one_wrong_event_refuses_the_batch_and_only_the_complaint_says_which(
    client: httpx.AsyncClient, sandbox: Sandbox, changes: dict[str, object], complaint: str
) -> None:
    wrong = {name: value for name, value in {**SEEN, **changes}.items() if value is not _DROP}
    answer = await post(client, SEEN, wrong, SEEN)
    message = "an event cannot be decoded"
    assert answer.status_code == 400
    assert answer.json() == {"action": "post event", "status": "failure", "error": {"message": message}}
    assert sandbox.complaints[0].message.startswith(f"events[1]: {complaint}")
    assert (sandbox.events(), sandbox.stats()["events"], sandbox.stats()["refused"]) == ([], 0, 1)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"[]", "must be a JSON object"),
        (b'{"events":{}}', 'the body must be {"events": [...]}'),
        (b'{"events":[],"more":1}', 'the body must be {"events": [...]}'),
        (b'{"events":[]}', "events must be 1 to 100, but they were 0"),
        (orjson.dumps({"events": [SEEN] * 101}), "events must be 1 to 100, but they were 101"),
        (b'{"events":[5]}', "events[0]: must be an object, but it was a number"),
    ],
)
async def test_a_batch_of_another_shape_is_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, raw: bytes, complaint: str
) -> None:
    assert (await client.post(POST_EVENTS, content=raw)).json()["action"] == "post event"
    assert complaint in sandbox.complaints[0].message


async def test_events_are_no_profiles(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await post(client, SEEN, SEEN)
    assert (sandbox.accepted, sandbox.user("u-1"), sandbox.history("u-1"), sandbox.sent_counts()) == (0, None, [], {})
    assert sandbox.stats()["events"] == 2
    assert [request.user_id for request in sandbox.log] == ["u-1"]
    await post(client, seen("u-1"), seen("u-2"))
    assert sandbox.log[-1].user_id is None


async def test_a_user_that_fails_takes_the_whole_batch_along(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(fail_users=["u-13"])
    answer = await post(client, seen("u-1"), seen("u-13"))
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "a user is refused")
    assert (await post(client, seen("u-1"))).status_code == 200
    assert [event["user_id"] for event in sandbox.events()] == ["u-1"]
    assert sandbox.complaints == []


async def test_events_can_be_inspected_over_http(client: httpx.AsyncClient) -> None:
    await post(client, *(seen(f"u-{number % 2}", name=str(number)) for number in range(5)))
    found = (await client.get("/_sandbox/events", params={"limit": 2, "user_id": "u-0"})).json()
    assert (found["count"], [event["name"] for event in found["events"]]) == (5, ["2", "4"])
    assert len((await client.get("/_sandbox/events")).json()["events"]) == 5
    assert (await client.get("/_sandbox/events?limit=0")).json()["events"] == []
    assert (await client.get("/_sandbox/events?limit=x")).status_code == 400
    one = (await client.get("/_sandbox/users/u-1")).json()
    assert (one["properties"], one["accepted"], one["history"]) == (None, 0, [])
    assert [event["name"] for event in one["events"]] == ["1", "3"]
    await client.post("/_sandbox/reset")
    assert (await client.get("/_sandbox/events")).json() == {"count": 0, "events": []}


@pytest.mark.parametrize("sandbox", [{"keep_bodies": False}], ids=["lean"], indirect=True)
async def test_a_lean_sandbox_only_counts_events(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await post(client, SEEN, SEEN)
    assert (sandbox.events(), sandbox.events("u-1"), sandbox.stats()["events"]) == ([], [], 2)


async def test_what_the_destination_makes_of_flat_events_is_accepted(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    client.headers["X-PW-Appcode"] = "ABCDE-12345"
    event = {"type": "track", "userId": "u-1", "event": "E", "timestamp": "2024-05-17", "properties": {"a": [1]}}
    profile = {"type": "identify", "userId": "u-1", "traits": {"a": [1]}, "context": {"location": {"latitude": 1}}}
    batched = destination().batches_for([event, {**event, "timestamp": 1715940672}, profile])
    for each in batched.batches:
        path = each.request.url.path
        assert (await client.post(path, content=orjson.dumps(body(each.request)))).status_code == 200
    assert sandbox.complaints == []
    assert [found["timestamp"] for found in sandbox.events()] == ["2024-05-17T00:00:00Z", "2024-05-17T10:11:12Z"]
