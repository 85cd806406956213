"""Each method of both APIs, as Pushwoosh's facts have it: the request field by field, its answer, and what is there then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import httpx
import orjson
import pytest

from sync import __version__
from sync.destinations.bulk import BulkUser
from sync.destinations.mapped import READ
from sync.destinations.pushwoosh.public.bulk import read_progress
from sync.destinations.pushwoosh.transport import AnyPushwoosh, Transport, connected
from sync.destinations.sandbox import Sandbox
from sync.model.outcome import Verdict

Json = dict[str, Any]

APP = "XXXXX-XXXXX"
STRICT = {"api_keys": ["device"], "server_tokens": ["server"], "app_codes": [APP], "tags": {"vip": 5, "Language": 2}}
OURS = {"Content-Type": "application/json", "User-Agent": f"engage-sync/{__version__}"}
DEVICE = {"Authorization": "Token device", **OURS}
SEGMENT = {"Authorization": "Token device", "X-PW-Appcode": APP, **OURS}
NOTHING = {"status_code": 200, "status_message": "OK", "response": None}

IDENTIFY: Json = {
    "type": "identify",
    "userId": "u-1",
    "traits": {"vip": True, "email": "ann@example.com"},
    "context": {
        "app": {"version": "2.1"},
        "device": {"id": "d-1", "model": "iPhone7,2", "type": "ios", "token": "t-1"},
        "locale": "en-US",
        "location": {"country": "Norway", "city": "Oslo", "latitude": 59.9, "longitude": 10.7},
        "os": {"version": "17.5"},
        "timezone": "Etc/GMT-2",
        "userAgent": "agent",
    },
}
TRACK: Json = {
    "type": "track",
    "userId": "u-1",
    "event": "Order Completed",
    "timestamp": "2024-05-17T10:11:12Z",
    "properties": {"total": 9.5},
    "context": {"device": {"id": "d-1", "type": "ios"}, "timezone": "Etc/GMT-2"},
}

pytestmark = pytest.mark.parametrize("sandbox", [STRICT], ids=["strict"], indirect=True)


class Exchanged(NamedTuple):
    """One request as it went out, and what came back."""

    method: str
    target: str
    headers: Json
    body: Json | None
    status: int
    answer: Json | None


def there(client: httpx.AsyncClient, transport: Transport = Transport.PUBLIC) -> Any:
    return connected(
        transport,
        name="push",
        api_key="device",
        server_token="server",
        app_code=APP,
        base_url=str(client.base_url).rstrip("/"),
    )


async def exchanged(destination: AnyPushwoosh, *requests: httpx.Request) -> list[Exchanged]:
    """Send them in order; each must be read as accepted."""
    found = []
    async with httpx.AsyncClient(timeout=60) as bare:
        for request in requests:
            content = request.read()
            answer = await bare.request(request.method, request.url, headers=request.headers, content=content)
            read = request.extensions.get(READ) or destination.read_answer
            assert read(answer.status_code, answer.headers, answer.content).verdict is Verdict.ACCEPTED
            headers = {name.decode(): value.decode() for name, value in request.headers.raw if name.lower() != b"host"}
            told = orjson.loads(answer.content) if answer.content else None
            body = orjson.loads(content) if content else None
            target = request.url.raw_path.decode()
            found.append(Exchanged(request.method, target, headers, body, answer.status_code, told))
    return found


def wrapped(**request: object) -> Json:
    return {"request": {"application": APP, **request}}


async def sent(destination: Any, event: Json) -> Sequence[Exchanged]:
    mapped = destination.requests_for(event)
    assert mapped.refusals == []
    return await exchanged(destination, *mapped.requests)


async def test_register_user(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    found = (await sent(there(client), IDENTIFY))[0]
    body = wrapped(hwid="d-1", userId="u-1", tz_offset=7200, device_type=1)
    assert found == Exchanged("POST", "/json/1.3/registerUser", DEVICE, body, 200, NOTHING)
    assert sandbox.user("u-1") is not None
    assert sandbox.complaints == []


async def test_set_tags_by_hwid_and_by_user_id_and_what_is_skipped(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    _, of_device, of_user = await sent(there(client), IDENTIFY)
    device = {"Application Version": "2.1", "Device Model": "iPhone7,2", "OS Version": "17.5"}
    missing = [{"tag": name, "reason": "Not found"} for name in sorted(device)]
    body = wrapped(hwid="d-1", tags=device)
    answer = {**NOTHING, "response": {"skipped": missing}}
    assert of_device == Exchanged("POST", "/json/1.3/setTags", DEVICE, body, 200, answer)
    user = {"Email": "ann@example.com", "Language": "en", "Country": "Norway", "City": "Oslo", "vip": True}
    missing = [{"tag": name, "reason": "Not found"} for name in ("City", "Country", "Email")]
    body = wrapped(userId="u-1", tags=user)
    answer = {**NOTHING, "response": {"skipped": missing}}
    assert of_user == Exchanged("POST", "/json/1.3/setTags", DEVICE, body, 200, answer)
    assert sandbox.user("u-1") == {"attributes": {"vip": True}, "device_id": "d-1", "language": "en"}
    assert sandbox.complaints == []


async def test_set_tags_of_what_there_is(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    [found] = await sent(there(client), {"type": "identify", "userId": "u-1", "traits": {"vip": False}})
    body = wrapped(userId="u-1", tags={"vip": False})
    assert found == Exchanged("POST", "/json/1.3/setTags", DEVICE, body, 200, NOTHING)
    assert sandbox.user("u-1") == {"attributes": {"vip": False}}


async def test_get_tags_is_the_test_of_the_credentials(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    destination = there(client)
    [found] = await exchanged(destination, destination.ping())
    answer = {**NOTHING, "response": {"result": {}}}
    assert found == Exchanged("POST", "/json/1.3/getTags", DEVICE, wrapped(hwid="engage-sync"), 200, answer)
    assert sandbox.users() == {}


async def test_post_event(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    [found] = await sent(there(client), TRACK)
    body = wrapped(
        event="Order Completed",
        hwid="d-1",
        userId="u-1",
        attributes={"total": 9.5},
        timestampUTC=1715940672,
        timestampCurrent=1715940672 + 7200,
        device_type=1,
    )
    assert found == Exchanged("POST", "/json/1.3/postEvent", DEVICE, body, 200, NOTHING)
    [event] = sandbox.events("u-1")
    assert (event["name"], event["timestamp"]) == ("Order Completed", "2024-05-17T10:11:12Z")
    assert sandbox.complaints == []


async def test_list_tags(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    destination = there(client)
    [found] = await exchanged(destination, destination.list_tags())
    tags = [
        {"name": "vip", "type": 5, "isApplicationSpecific": False},
        {"name": "Language", "type": 2, "isApplicationSpecific": False},
    ]
    answer = {**NOTHING, "response": {"tags": tags}}
    assert found == Exchanged("POST", "/json/1.3/listTags", OURS, {"request": {"auth": "server"}}, 200, answer)
    assert sandbox.complaints == []


async def test_bulk_set_tags_and_its_poll(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(bulk_polls=1)
    destination = there(client)
    users = [BulkUser("u-1", {"vip": True}), BulkUser("u-2", {"spend": 9.5})]
    [found] = await exchanged(destination, destination.bulk.request(users))
    assert (found.method, found.target) == ("POST", "/api/v2/audience/bulkSetTags")
    assert found.body == {
        "application": APP,
        "auth": "server",
        "create_missing_tags": True,
        "devices": [
            {"user_id": "u-1", "list_operator": "set", "tags": {"vip": True}},
            {"user_id": "u-2", "list_operator": "set", "tags": {"spend": 9.5}},
        ],
    }
    assert (found.status, found.answer) == (200, {"request_id": "bulk-1", "status": "Pending"})
    pending, done = await exchanged(destination, *(destination.bulk.poll("bulk-1") for _ in range(2)))
    assert (done.method, done.target, done.body) == (
        "GET",
        "/api/v2/audience/bulkSetTags/bulk-1?detailed=true",
        None,
    )
    read = [read_progress(orjson.dumps(each.answer)) for each in (pending, done)]
    assert [(each.finished, each.succeeded, each.failures) for each in read] == [(False, False, {}), (True, True, {})]
    assert sandbox.user("u-2") == {"attributes": {"spend": 9.5}}
    assert sandbox.complaints == []


async def test_delete_user(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    destination = there(client)
    await sent(destination, IDENTIFY)
    [found] = await exchanged(destination, destination.delete_user("u-1"))
    body = {"application": APP, "user_id": "u-1"}
    assert found == Exchanged("POST", "/api/v2/device-api/deleteUser", DEVICE, body, 200, {})
    assert sandbox.users() == {}
    assert sandbox.complaints == []


async def test_the_segment_endpoints_ping(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    destination = there(client, Transport.SEGMENT)
    [found] = await exchanged(destination, destination.ping())
    body = {"body": {"name": "test_segment_auth"}}
    assert found[:5] == ("POST", "/integration-segment/v1/ping", SEGMENT, body, 200)
    assert (sandbox.users(), sandbox.complaints) == ({}, [])


async def test_the_segment_endpoints_track_user(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    [found] = await sent(there(client, Transport.SEGMENT), IDENTIFY)
    body = {
        "attributes": {"vip": True},
        "user_id": "u-1",
        "email": "ann@example.com",
        "app_version": "2.1",
        "device_id": "d-1",
        "device_model": "iPhone7,2",
        "device_platform": "ios",
        "device_token": "t-1",
        "language": "en-US",
        "country": "Norway",
        "city": "Oslo",
        "current_location": {"latitude": 59.9, "longitude": 10.7},
        "device_os_version": "17.5",
        "timezone": "Etc/GMT-2",
        "user_agent": "agent",
    }
    assert found[:5] == ("POST", "/integration-segment/v1/track-user", SEGMENT, body, 200)
    user = sandbox.user("u-1")
    assert user is not None
    assert (user["attributes"], user["city"]) == ({"vip": True}, "Oslo")
    assert sandbox.complaints == []


@pytest.mark.parametrize("many", [1, 2])
async def test_the_segment_endpoints_post_events(client: httpx.AsyncClient, sandbox: Sandbox, many: int) -> None:
    destination = there(client, Transport.SEGMENT)
    [batch] = destination.batches_for([TRACK] * many).batches
    [found] = await exchanged(destination, batch.request)
    item = {
        "user_id": "u-1",
        "device_id": "d-1",
        "device_platform": "ios",
        "app_code": APP,
        "name": "Order Completed",
        "timestamp": "2024-05-17T10:11:12Z",
        "attributes": {"total": 9.5},
    }
    body = {"events": [item] * many}
    assert found == Exchanged("POST", "/integration-segment/v1/post-events", SEGMENT, body, 200, None)
    assert len(sandbox.events("u-1")) == many
    assert sandbox.complaints == []


async def test_the_segment_endpoints_delete_user(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    destination = there(client, Transport.SEGMENT)
    await sent(destination, IDENTIFY)
    [found] = await exchanged(destination, destination.delete_user("u-1"))
    assert found[:5] == ("POST", "/integration-segment/v1/delete-user", SEGMENT, {"external_id": "u-1"}, 200)
    assert (sandbox.users(), sandbox.complaints) == ({}, [])
