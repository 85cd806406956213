"""What the sandbox accepts, refuses and remembers of the documented API, over real sockets."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from sync.destinations.bulk import BulkUser
from sync.destinations.pushwoosh.public.bulk import read_progress, read_submission
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.sandbox import Sandbox
from sync.model.outcome import Verdict

DEVICE = "device"
STRICT = {"api_keys": ["device"], "server_tokens": ["server"], "app_codes": ["CODE"]}
ROOT = "/json/1.3/"
BULK = "/api/v2/audience/bulkSetTags"
TAGS = {"application": "CODE", "userId": "u-1", "tags": {"vip": True}}
EVENT = {"application": "CODE", "event": "Seen", "userId": "u-1", "attributes": {}, "timestampUTC": 1715940672}
LINK = {"application": "CODE", "hwid": "d-1", "userId": "u-1", "tz_offset": 3600, "device_type": 3}
USER = {"user_id": "u-1", "list_operator": "set", "tags": {"vip": True}}
_DROP = object()

strict = pytest.mark.parametrize("sandbox", [STRICT], ids=["strict"], indirect=True)


def changed(request: dict[str, Any], changes: dict[str, object]) -> dict[str, Any]:
    return {name: value for name, value in {**request, **changes}.items() if value is not _DROP}


async def call(client: httpx.AsyncClient, method: str, request: object, token: str | None = DEVICE) -> httpx.Response:
    path, body = (BULK, request) if method == BULK else (ROOT + method, {"request": request})
    if method.startswith("/api/v2/device-api"):
        path, body = method, request
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Token {token}"} if token else {})
    async with httpx.AsyncClient(base_url=client.base_url, headers=headers, timeout=60) as bare:
        return await bare.post(path, content=orjson.dumps(body))


def destination(client: httpx.AsyncClient, **settings: Any) -> PublicPushwoosh:
    given = {"api_key": "device", "server_token": "server", **settings}
    return PublicPushwoosh(name="p", app_code="CODE", base_url=str(client.base_url), **given)


async def deliver(client: httpx.AsyncClient, *requests: httpx.Request) -> list[httpx.Response]:
    async with httpx.AsyncClient(timeout=60) as bare:
        return [
            await bare.request(each.method, each.url, headers=each.headers, content=each.read()) for each in requests
        ]


PROFILE: dict[str, Any] = {
    "type": "identify",
    "userId": "u-1",
    "traits": {"vip": True, "tags": ["a", 1], "email": "a@b.c", "address": {"zip": "0150"}},
    "context": {"device": {"id": "d-1", "type": "ios", "model": "X"}, "timezone": "Europe/Oslo", "locale": "en-US"},
}
TRACK: dict[str, Any] = {
    "type": "track",
    "userId": "u-1",
    "event": "Order Completed",
    "timestamp": "2024-05-17T10:11:12.5Z",
    "properties": {"total": 9.5, "items": [{"sku": "x"}], "note": None},
    "context": {"timezone": "Asia/Tokyo"},
}


@strict
@pytest.mark.parametrize(
    "settings", [{}, {"api_key": "server", "token": TokenKind.SERVER, "server_token": None}], ids=["device", "server"]
)
async def test_everything_that_the_destination_sends_is_accepted(
    client: httpx.AsyncClient, sandbox: Sandbox, settings: dict[str, Any]
) -> None:
    there = destination(client, **settings)
    requests = [each for event in (PROFILE, TRACK) for each in there.requests_for(event).requests]
    asked = there.list_tags()
    assert asked is not None
    answers = await deliver(client, *requests, there.ping(), asked)
    outcomes = [there.read_answer(each.status_code, each.headers, each.content) for each in answers]
    assert [each.verdict for each in outcomes] == [Verdict.ACCEPTED] * 6
    assert sandbox.complaints == []
    assert sandbox.user("u-1") == {
        "attributes": {"vip": True, "tags": ["a", "1"], "address": '{"zip":"0150"}'},
        "device_id": "d-1",
        "device_model": "X",
        "email": "a@b.c",
        "language": "en",
    }
    assert sandbox.events("u-1") == [
        {
            "user_id": "u-1",
            "name": "Order Completed",
            "timestamp": "2024-05-17T10:11:12Z",
            "attributes": {"total": 9.5, "items": ['{"sku":"x"}']},
        }
    ]


async def test_a_user_looks_the_same_whichever_api_the_profile_came_by(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    await call(client, "setTags", {**TAGS, "tags": {"vip": True, "Email": "a@b.c", "City": "Oslo"}})
    by_public = (await client.get("/_sandbox/users/u-1")).json()
    sandbox.reset()
    body = {"attributes": {"vip": True}, "user_id": "u-1", "email": "a@b.c", "city": "Oslo"}
    await client.post("/integration-segment/v1/track-user", content=orjson.dumps(body))
    by_integration = (await client.get("/_sandbox/users/u-1")).json()
    assert by_public["properties"] == by_integration["properties"]
    assert by_public["accepted"] == by_integration["accepted"] == 1
    assert by_public["history"][0]["body"] == by_integration["history"][0]["body"]
    assert sandbox.values("u-1", "vip") == [True]


async def test_tags_of_a_device_are_those_of_its_user(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    await call(client, "setTags", {"application": "CODE", "hwid": "d-1", "tags": {"early": 1}})
    await call(client, "registerUser", LINK)
    await call(client, "setTags", {"application": "CODE", "hwid": "d-1", "tags": {"Device Model": "X"}})
    assert sandbox.user("u-1") == {"attributes": {}, "device_id": "d-1", "device_model": "X"}
    assert (sandbox.accepted, sandbox.complaints) == (2, [])
    told = await call(client, "getTags", {"application": "CODE", "hwid": "d-1"})
    assert told.json() == {"status_code": 200, "status_message": "OK", "response": {"result": {}}}


@pytest.mark.parametrize(
    ("method", "request_", "changes", "complaint"),
    [
        ("registerUser", LINK, {"hwid": _DROP}, "hwid is missing"),
        ("registerUser", LINK, {"userId": ""}, "userId must not be empty"),
        ("registerUser", LINK, {"tz_offset": 3600.5}, "tz_offset must be a whole number"),
        ("registerUser", LINK, {"tz_offset": True}, "tz_offset must be a whole number"),
        ("registerUser", LINK, {"tz_offset": 10**6}, "tz_offset must be a whole number of seconds within 15 hours"),
        ("registerUser", LINK, {"device_type": 99}, "device_type must be the number of a platform"),
        ("registerUser", LINK, {"timezone": "Europe/Oslo"}, 'unknown field "timezone"'),
        ("setTags", TAGS, {"userId": _DROP}, "hwid or userId should be set"),
        ("setTags", TAGS, {"hwid": "d"}, "only one of hwid and userId should be set"),
        ("setTags", TAGS, {"userId": 5}, "userId must be a string"),
        ("setTags", TAGS, {"tags": _DROP}, "tags must be an object, but it was null"),
        ("setTags", TAGS, {"tags": {}}, "tags must not be empty"),
        ("setTags", TAGS, {"tags": {str(n): n for n in range(51)}}, "tags must be 1 to 50"),
        ("setTags", TAGS, {"tags": {"a": {}}}, "tags.a must be"),
        (
            "setTags",
            TAGS,
            {"tags": {"a": [1]}},
            "tags.a must be a string, a number, a boolean, a list of strings, or null",
        ),
        ("setTags", TAGS, {"application": _DROP}, "application code is not valid"),
        ("getTags", {"application": "CODE"}, {}, "hwid or userId should be set"),
        ("postEvent", EVENT, {"attributes": _DROP}, "attributes is missing"),
        ("postEvent", EVENT, {"attributes": []}, "attributes must be an object"),
        ("postEvent", EVENT, {"attributes": {"a": None}}, "attributes.a must be a scalar"),
        ("postEvent", EVENT, {"attributes": {"a": [{}]}}, "attributes.a must be a scalar"),
        ("postEvent", EVENT, {"event": _DROP}, "event is missing"),
        ("postEvent", EVENT, {"userId": _DROP}, "hwid or userId should be set"),
        ("postEvent", EVENT, {"timestampUTC": 1715940672.5}, "timestampUTC must be a whole number of seconds"),
        ("postEvent", EVENT, {"timestampUTC": 1715940672000}, "timestampUTC must be a whole number of seconds"),
        ("postEvent", EVENT, {"timestampCurrent": 5}, "timestampCurrent is more than 15 hours from timestampUTC"),
        ("postEvent", EVENT, {"name": "Seen"}, 'unknown field "name"'),
    ],
)
@pytest.mark.parametrize("status", [400, 200])
async def test_a_wrong_member_is_refused_with_210_in_a_400_or_in_a_200(
    client: httpx.AsyncClient,
    sandbox: Sandbox,
    method: str,
    request_: dict[str, Any],
    changes: dict[str, object],
    complaint: str,
    status: int,
) -> None:
    sandbox.set_faults(argument_status=status)
    answer = await call(client, method, changed(request_, changes))
    assert (answer.status_code, answer.json()["status_code"]) == (status, 210)
    assert complaint in answer.json()["status_message"]
    assert [each.message for each in sandbox.complaints] == [answer.json()["status_message"]]
    assert (sandbox.users(), sandbox.events(), sandbox.stats()["refused"]) == ({}, [], 1)
    read = destination(client).read_answer(answer.status_code, answer.headers, answer.content)
    about_the_application = "application" in complaint
    assert read.verdict is (Verdict.FAULT if about_the_application else Verdict.REFUSED)


@pytest.mark.parametrize(
    ("request_", "complaint"),
    [
        ({"devices": [USER]}, None),
        ({"devices": []}, "devices must be 1 to 1000, but they were 0"),
        ({"devices": [{**USER, "user_id": str(n)} for n in range(1001)]}, "devices must be 1 to 1000"),
        ({"devices": [USER, USER]}, "devices[1]: is there twice"),
        (
            {"devices": [changed(USER, {"list_operator": _DROP})]},
            "devices[0]: list_operator must be set, append or remove",
        ),
        ({"devices": [{**USER, "list_operator": []}]}, "devices[0]: list_operator must be"),
        ({"devices": [{**USER, "hwid": "d"}]}, "devices[0]: only one of user_id and hwid"),
        ({"devices": [{**USER, "tags": {}}]}, "devices[0]: tags must not be empty"),
        ({"devices": [5]}, "devices[0]: must be an object"),
        ({"devices": {}}, "devices must be a list"),
        ({"devices": [USER], "create_missing_tags": 1}, "create_missing_tags must be a boolean"),
        ({"devices": [USER], "request": {}}, 'unknown field "request"'),
    ],
)
async def test_a_wrong_bulk_request_is_refused_whole_and_only_the_complaint_says_why(
    client: httpx.AsyncClient, sandbox: Sandbox, request_: dict[str, Any], complaint: str | None
) -> None:
    answer = await call(client, BULK, {"application": "CODE", "auth": "server", **request_}, token=None)
    if complaint is None:
        assert answer.json() == {"request_id": "bulk-1", "status": "Pending"}
        return
    assert (answer.status_code, answer.json()) == (400, {"message": "invalid request"})
    assert complaint in sandbox.complaints[0].message


@strict
@pytest.mark.parametrize(
    ("method", "request_", "token", "expected"),
    [
        ("setTags", TAGS, "device", (200, 200)),
        ("setTags", {**TAGS, "auth": "server"}, None, (200, 200)),
        ("setTags", TAGS, None, (401, None)),
        ("setTags", TAGS, "wrong", (401, None)),
        ("setTags", TAGS, "server", (200, 403)),
        ("setTags", {**TAGS, "auth": "device"}, None, (200, 403)),
        ("setTags", {**TAGS, "auth": ["server"]}, None, (401, None)),
        ("setTags", {**TAGS, "auth": "server"}, "device", (400, 210)),
        ("setTags", {**TAGS, "application": "OTHER"}, "device", (400, 210)),
        ("listTags", {"auth": "server"}, None, (200, 200)),
        ("listTags", {}, "device", (401, None)),
        ("listTags", {"auth": "device"}, None, (200, 403)),
    ],
)
async def test_each_method_wants_its_kind_of_token(
    client: httpx.AsyncClient,
    sandbox: Sandbox,
    method: str,
    request_: dict[str, Any],
    token: str | None,
    expected: tuple[int, int | None],
) -> None:
    answer = await call(client, method, request_, token)
    assert (answer.status_code, answer.json().get("status_code")) == expected
    assert bool(sandbox.complaints) == (expected != (200, 200))
    read = destination(client).read_answer(answer.status_code, answer.headers, answer.content)
    if expected[0] == 401 or expected[1] == 403:
        assert read.verdict is Verdict.FAULT


async def test_the_envelope_is_checked(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    for body in (b"{}", b'{"request":[]}', orjson.dumps({"request": TAGS, "more": 1}), b"{", orjson.dumps(TAGS)):
        assert (await client.post(ROOT + "setTags", content=body)).json()["status_code"] == 210
    assert len(sandbox.complaints) == 5
    assert (await client.get(ROOT + "setTags")).status_code == 405


@pytest.mark.parametrize("sandbox", [{"tags": {"vip": 5, "Language": 2}}], ids=["tags"], indirect=True)
async def test_unknown_tags_are_skipped_by_name_and_bulk_requests_create_them(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    there = destination(client)
    answer = await call(client, "setTags", {**TAGS, "tags": {"vip": True, "new": 1, "Email": "a"}})
    skipped = [{"tag": "Email", "reason": "Not found"}, {"tag": "new", "reason": "Not found"}]
    assert answer.json() == {"status_code": 200, "status_message": "OK", "response": {"skipped": skipped}}
    read = there.read_answer(answer.status_code, answer.headers, answer.content)
    assert read.warnings == ("tag Email was skipped: Not found", "tag new was skipped: Not found")
    assert sandbox.user("u-1") == {"attributes": {"vip": True}}
    assert there.bulk is not None
    created = {"new": 1, "list": ["a"], "price": 1.5, "flag": False, "text": ""}
    await deliver(client, there.bulk.request([BulkUser("u-1", created)]))
    assert (sandbox.user("u-1") or {})["attributes"] == {"vip": True, **created}
    asked = there.list_tags()
    assert asked is not None
    [listed] = await deliver(client, asked)
    types = {tag["name"]: tag["type"] for tag in listed.json()["response"]["tags"]}
    assert types == {"vip": 5, "Language": 2, "new": 1, "list": 3, "price": 6, "flag": 5, "text": 2}


async def test_a_bulk_request_is_pending_and_in_the_end_says_who_failed(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.set_faults(bulk_polls=2, fail_users=["u-7"])
    bulk = destination(client).bulk
    assert bulk is not None
    [answer] = await deliver(client, bulk.request([BulkUser(f"u-{n}", {"n": n}) for n in range(10)]))
    accepted = destination(client).read_answer(answer.status_code, answer.headers, answer.content)
    request_id = read_submission(accepted, answer.content).request_id
    assert request_id is not None
    polls = [(await deliver(client, bulk.poll(request_id)))[0].content for _ in range(3)]
    assert [read_progress(each).finished for each in polls] == [False, False, True]
    assert read_progress(polls[-1]).failures == {"u-7": "user is refused"}
    [brief] = await deliver(client, bulk.poll(request_id, detailed=False))
    assert brief.json() == {"request_id": request_id, "status": "Completed"}
    assert sandbox.user_count == 9
    assert sandbox.user("u-3") == {"attributes": {"n": 3}}
    assert sandbox.sent_counts()["u-7"] == 1
    assert sandbox.values("u-3", "n") == [3]
    assert sandbox.complaints == []


async def test_a_bulk_request_can_fail_as_a_whole(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(bulk_fails=True)
    bulk = destination(client).bulk
    assert bulk is not None
    await deliver(client, bulk.request([BulkUser("u-1", {"n": 1})]))
    [answer] = await deliver(client, bulk.poll("bulk-1"))
    told = read_progress(answer.content)
    assert (told.finished, told.succeeded, sandbox.users()) == (True, False, {})


@strict
async def test_an_unknown_bulk_request_and_an_unknown_asker_are_complained_of(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    headers = {"Authorization": "Token server"}
    assert (await client.get(BULK + "/bulk-1", headers=headers)).status_code == 404
    assert (await client.get(BULK + "/bulk-1", headers={"Authorization": "Basic x"})).status_code == 401
    assert [each.status for each in sandbox.complaints] == [404, 401]


@strict
@pytest.mark.parametrize("transport", ["public", "integration"])
async def test_a_deleted_user_is_gone(client: httpx.AsyncClient, sandbox: Sandbox, transport: str) -> None:
    await call(client, "registerUser", LINK)
    await call(client, "setTags", TAGS)
    await call(client, "postEvent", EVENT)
    if transport == "public":
        [answer] = await deliver(client, destination(client).delete_user("u-1"))
    else:
        headers = {"Authorization": "Token device"}
        path = "/integration-segment/v1/delete-user"
        answer = await client.post(path, content=b'{"external_id":"u-1"}', headers=headers)
    assert answer.status_code == 200
    assert (await client.get("/_sandbox/users/u-1")).status_code == 404
    assert (sandbox.stats()["deleted"], sandbox.complaints) == (1, [])


async def test_a_deletion_of_another_shape_is_refused(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    wrong = ({}, {"external_id": 1}, {"external_id": ""}, {"external_id": "u", "more": 1})
    for body in wrong:
        path = "/integration-segment/v1/delete-user"
        assert (await client.post(path, content=orjson.dumps(body))).json()["action"] == "delete user"
    path = "/api/v2/device-api/deleteUser"
    for body in ({"application": "CODE"}, {"user_id": "u"}, {"application": "CODE", "user_id": "u", "hwid": "d"}):
        assert (await call(client, path, body)).status_code == 400
    assert (await call(client, path, {"application": "CODE", "user_id": "u"}, token=None)).status_code == 401
    assert len(sandbox.complaints) == 8


async def test_answers_can_ask_to_be_asked_elsewhere(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    elsewhere = str(client.base_url).rstrip("/") + "/json/1.3/"
    sandbox.set_faults(base_url=elsewhere)
    answer = await call(client, "setTags", TAGS)
    assert answer.json()["base_url"] == elsewhere
    there = destination(client)
    assert there.read_answer(200, answer.headers, answer.content).warnings == ()


async def test_a_user_that_fails_is_refused_with_210(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(fail_users=["u-1"])
    answer = await call(client, "setTags", TAGS)
    assert (answer.status_code, answer.json()["status_code"]) == (400, 210)
    assert (sandbox.log[-1].fault, sandbox.complaints) == ("fail_users", [])
    assert (await call(client, "setTags", {**TAGS, "userId": "u-2"})).status_code == 200
