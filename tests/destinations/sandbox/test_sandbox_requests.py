"""What the sandbox accepts, refuses and remembers, over real sockets."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import orjson
import pytest

from sync.destinations.sandbox import Sandbox
from sync.destinations.sandbox.profiles import TEXT_FIELDS

TRACK_USER = "/integration-segment/v1/track-user"
PING = "/integration-segment/v1/ping"


async def send(client: httpx.AsyncClient, user_id: str = "u-1", /, **attributes: object) -> httpx.Response:
    return await client.post(TRACK_USER, content=orjson.dumps({"attributes": attributes, "user_id": user_id}))


async def test_a_full_profile_is_accepted_with_an_empty_body(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    body = {
        "attributes": {"vip": True, "orders": 3, "tags": ["a", 1, False], "plan": None, "none": []},
        "user_id": "u-1",
        **dict.fromkeys(TEXT_FIELDS, "text"),
        "email": None,
        "current_location": {"latitude": 1.5, "longitude": -2},
    }
    answer = await client.post(TRACK_USER, content=orjson.dumps(body))
    assert (answer.status_code, answer.content) == (200, b"")
    assert sandbox.user("u-1") == {name: value for name, value in body.items() if name != "user_id"}
    assert sandbox.complaints == []


async def test_the_credentials_test_is_answered_and_is_no_profile(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    answer = await client.post(PING, content=b'{"body":{"name":"test_segment_auth"}}')
    assert answer.status_code == 200
    assert (sandbox.accepted, sandbox.stats()["pings"], sandbox.complaints) == (0, 1, [])
    answer = await client.post(PING, content=b'{"name":"test_segment_auth"}')
    assert (answer.status_code, answer.json()["action"]) == (400, "ping")


@pytest.mark.parametrize(
    ("header", "value", "status", "message"),
    [
        ("Authorization", "", 401, "unauthorized"),
        ("Authorization", "Token", 401, "unauthorized"),
        ("Authorization", "Token wrong", 401, "unauthorized"),
        ("Authorization", "Bearer key", 401, "unauthorized"),
        ("X-PW-Appcode", "", 400, "missing application code"),
        ("X-PW-Appcode", "OTHER", 400, "application not found"),
    ],
)
@pytest.mark.parametrize("sandbox", [{"api_keys": ["key"], "app_codes": ["CODE"]}], ids=["strict"], indirect=True)
async def test_wrong_credentials_get_the_answers_of_the_real_service(
    client: httpx.AsyncClient, sandbox: Sandbox, header: str, value: str, status: int, message: str
) -> None:
    assert (await send(client)).status_code == 200
    client.headers[header] = value
    answer = await send(client)
    assert (answer.status_code, answer.json()) == (status, {"message": message})
    assert [complaint.message for complaint in sandbox.complaints] == [message]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"attributes":{"a":NaN},"user_id":"u"}', "not valid JSON"),
        (b"[]", "must be a JSON object, but it was a list"),
        (b"3", "must be a JSON object, but it was a number"),
        (b'{"attributes":{},"user_id":"u","user_id":"v"}', '"user_id" is given twice'),
        (b'{"attributes":{"a":1,"a":2},"user_id":"u"}', '"a" is given twice'),
        (b'{"user_id":"u"}', "attributes is missing"),
        (b'{"attributes":null,"user_id":"u"}', "attributes must be an object, but it was null"),
        (b'{"attributes":{}}', "user_id is missing"),
        (b'{"attributes":{},"device_id":null}', "user_id is missing"),
        (b'{"attributes":{},"user_id":""}', "user_id must not be empty"),
        (b'{"attributes":{},"user_id":7}', "user_id must be a string, but it was a number"),
        (b'{"attributes":{},"user_id":null,"device_id":"d"}', "user_id must be a string, but it was null"),
        (b'{"attributes":{},"user_id":"u","external_id":"u"}', 'unknown field "external_id"'),
        (b'{"attributes":{},"user_id":"u","email":true}', "email must be a string or null, but it was a boolean"),
        (b'{"attributes":{"a":{}},"user_id":"u"}', "attributes.a must be"),
        (b'{"attributes":{"a":["x",null]},"user_id":"u"}', "attributes.a[1] must be"),
        (b'{"attributes":{},"user_id":"u","current_location":[]}', "current_location must be an object"),
        (b'{"attributes":{},"user_id":"u","current_location":{}}', "current_location must have"),
        (b'{"attributes":{},"user_id":"u","current_location":{"city":1}}', 'unknown field "current_location.city"'),
        (b'{"attributes":{},"user_id":"u","current_location":{"latitude":true}}', "current_location.latitude must be"),
    ],
)
async def test_a_wrong_body_is_refused_and_the_field_is_named(
    client: httpx.AsyncClient, sandbox: Sandbox, body: bytes, message: str
) -> None:
    answer = await client.post(TRACK_USER, content=body)
    said = answer.json()
    assert answer.status_code == 400
    assert (said["action"], said["status"]) == ("track user", "failure")
    assert message in said["error"]["message"]
    assert [complaint.message for complaint in sandbox.complaints] == [said["error"]["message"]]
    assert (sandbox.accepted, sandbox.users(), sandbox.stats()["refused"]) == (0, {}, 1)


async def test_another_content_type_is_refused(client: httpx.AsyncClient) -> None:
    body = b'{"attributes":{},"user_id":"u"}'
    answer = await client.post(TRACK_USER, content=body, headers={"Content-Type": "text/plain"})
    assert "Content-Type" in answer.json()["error"]["message"]
    accepted = await client.post(TRACK_USER, content=body, headers={"Content-Type": "application/json; charset=utf-8"})
    assert accepted.status_code == 200


async def test_unknown_paths_and_methods_and_huge_bodies_are_complained_of(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    assert (await client.post("/nowhere")).json() == {"message": "not found"}
    assert (await client.get(TRACK_USER)).status_code == 405
    assert (await client.post(TRACK_USER, content=b" " * (17 * 1024 * 1024))).status_code == 413
    assert [complaint.status for complaint in sandbox.complaints] == [404, 405, 413]
    assert (await client.get("/favicon.ico")).status_code == 404
    assert len(sandbox.complaints) == 3


async def test_attributes_and_fields_are_merged_key_by_key(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await client.post(TRACK_USER, content=b'{"attributes":{"a":1,"b":2},"user_id":"u-1","email":"x","city":"Oslo"}')
    await client.post(TRACK_USER, content=b'{"attributes":{"b":null,"c":3},"user_id":"u-1","email":"y"}')
    assert sandbox.user("u-1") == {"attributes": {"a": 1, "b": None, "c": 3}, "email": "y", "city": "Oslo"}
    assert sandbox.user("u-2") is None


async def test_snapshots_are_not_touched_by_later_requests(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await send(client, a=1)
    before = sandbox.users()
    await send(client, a=2)
    assert before == {"u-1": {"attributes": {"a": 1}}}


async def test_history_holds_the_values_sent_in_order_and_is_bounded(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    for number in range(102):
        await send(client, n=number)
    await send(client, other=True)
    assert sandbox.values("u-1", "n") == list(range(3, 102))
    assert len(sandbox.history("u-1")) == 100
    assert sandbox.sent_counts() == {"u-1": 103}
    assert sandbox.values("nobody", "n") == []


async def test_history_shows_refused_requests_too(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(status=500, status_count=1)
    await send(client, n=1)
    await send(client, n=2)
    assert [(request.status, request.fault) for request in sandbox.history("u-1")] == [(500, "status"), (200, None)]
    assert sandbox.values("u-1", "n") == [1, 2]
    assert (sandbox.sent_counts()["u-1"], sandbox.accepted_count("u-1")) == (2, 1)


async def test_a_request_that_changes_nothing_counts_as_duplicate(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await send(client, flag=True, tags=[1])
    await send(client, flag=True)
    assert sandbox.stats()["duplicates"] == 1
    await send(client, flag=1)
    await send(client, tags=[True])
    assert sandbox.stats()["duplicates"] == 1


@pytest.mark.parametrize("sandbox", [{"log_limit": 2, "keep_bodies": False}], ids=["lean"], indirect=True)
async def test_counters_are_exact_when_the_log_is_cut(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    for number in range(5):
        await send(client, f"u-{number}", n=1)
    assert [request.user_id for request in sandbox.log] == ["u-3", "u-4"]
    assert [request.body for request in sandbox.log] == [None, None]
    assert (sandbox.requests, sandbox.accepted, sandbox.user_count) == (5, 5, 5)
    assert sandbox.history("u-1") == []
    assert sandbox.user("u-1") == {"attributes": {"n": 1}}


async def test_a_profile_with_a_device_only_is_counted_without_a_user(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    await client.post(TRACK_USER, content=b'{"attributes":{},"device_id":"d-1"}')
    assert (sandbox.accepted, sandbox.users(), sandbox.complaints) == (1, {}, [])


async def test_everything_can_be_inspected_over_http(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    awkward = "a/b c%2F?é"
    for user_id in ("u-1", awkward, "u-1"):
        await send(client, user_id, n=1)
    await client.post(TRACK_USER, content=b"{")

    requests = (await client.get("/_sandbox/requests", params={"limit": 1, "user_id": "u-1"})).json()
    assert requests["total"] == 4
    (entry,) = requests["requests"]
    assert datetime.fromisoformat(entry.pop("time")).tzinfo == UTC
    body = {"attributes": {"n": 1}, "user_id": "u-1"}
    assert entry == {"seq": 3, "path": TRACK_USER, "user_id": "u-1", "status": 200, "body": body, "fault": None}
    assert len((await client.get("/_sandbox/requests")).json()["requests"]) == 4
    assert (await client.get("/_sandbox/requests?limit=-1")).status_code == 400

    users = (await client.get("/_sandbox/users?limit=1")).json()
    assert users == {"count": 2, "users": {"u-1": {"attributes": {"n": 1}}}}
    assert (await client.get("/_sandbox/users?limit=x")).status_code == 400
    one = (await client.get(str(client.base_url) + "/_sandbox/users/a%2Fb%20c%252F%3F%C3%A9")).json()
    assert (one["user_id"], one["accepted"], one["properties"]) == (awkward, 1, {"attributes": {"n": 1}})
    assert len(one["history"]) == 1
    assert (await client.get("/_sandbox/users/nobody")).status_code == 404

    complaints = (await client.get("/_sandbox/complaints")).json()
    assert (complaints["count"], complaints["complaints"][0]["seq"]) == (1, 4)
    stats = (await client.get("/_sandbox/stats")).json()
    assert stats == sandbox.stats()
    assert stats["by_status"] == {"200": 3, "400": 1}
    assert (stats["requests"], stats["accepted"], stats["refused"], stats["users"]) == (4, 3, 1, 2)


async def test_reset_forgets_what_came_and_keeps_the_faults(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(fail_users=["u-2"])
    await send(client)
    await client.post("/_sandbox/reset")
    assert (sandbox.requests, sandbox.accepted, sandbox.users(), sandbox.log) == (0, 0, {}, [])
    assert sandbox.faults.fail_users == {"u-2"}
