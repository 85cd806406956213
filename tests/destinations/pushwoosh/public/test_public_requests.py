"""What profiles and events become at the documented API, member by member as its documentation has them."""

from __future__ import annotations

from typing import Any

import pytest

from sync import __version__
from sync.destinations.mapped import ONCE
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.errors import ConfigurationError
from tests.destinations.pushwoosh.mapped_alone import APP_CODE, body, mapping
from tests.destinations.pushwoosh.public_alone import BASE, calls, public

IDENTIFY: dict[str, Any] = {"type": "identify", "userId": "user_3078a", "traits": {"vip": True}}
HWID = "8f65b16df378e7a6bece9614e1530fb2"
ON_A_DEVICE: dict[str, Any] = {
    **IDENTIFY,
    "context": {
        "device": {"id": HWID, "type": "Android", "model": "Pixel 8"},
        "timezone": "Europe/Oslo",
        "locale": "nb-NO",
        "app": {"version": "2.1.0"},
        "os": {"version": "14"},
        "location": {"country": "NO", "city": "Oslo", "latitude": 59.9},
    },
}
TRACK: dict[str, Any] = {
    "type": "track",
    "userId": "ann@example.com",
    "event": "activityCompleted",
    "timestamp": "2015-06-25T10:33:23Z",
    "properties": {"login": "facebook", "success": "yes", "internet": "wifi"},
    "context": {"device": {"id": HWID, "type": "ios"}, "timezone": "Asia/Bangkok"},
}


def test_a_profile_without_a_device_is_one_set_tags_by_user_id() -> None:
    assert calls(IDENTIFY) == [
        ("setTags", {"application": APP_CODE, "userId": "user_3078a", "tags": {"vip": True}}),
    ]


def test_a_profile_with_a_device_links_it_and_sets_its_own_tags_and_the_users() -> None:
    user_tags = {"Language": "nb", "Country": "NO", "City": "Oslo", "vip": True}
    device_tags = {"Application Version": "2.1.0", "Device Model": "Pixel 8", "OS Version": "14"}
    link = {"application": APP_CODE, "hwid": HWID, "userId": "user_3078a", "tz_offset": 7200, "device_type": 3}
    assert calls(ON_A_DEVICE) == [
        ("registerUser", link),
        ("setTags", {"application": APP_CODE, "hwid": HWID, "tags": device_tags}),
        ("setTags", {"application": APP_CODE, "userId": "user_3078a", "tags": user_tags}),
    ]


def test_a_profile_of_a_device_alone_sets_its_tags_and_links_it_to_nobody() -> None:
    event = {**ON_A_DEVICE, "userId": None}
    [(method, request)] = calls(event)
    assert (method, request["hwid"], "userId" in request) == ("setTags", HWID, False)
    assert request["tags"]["Application Version"] == "2.1.0"
    assert request["tags"]["vip"] is True


def test_a_profile_that_identifies_nobody_is_refused() -> None:
    mapped = public().requests_for({"type": "identify", "traits": {"vip": True}})
    assert mapped.requests == []
    assert "identifies nobody" in mapped.refusals[0]


def test_a_profile_that_says_nothing_makes_no_request() -> None:
    assert calls({"type": "identify", "userId": "u"}) == []


def test_system_fields_without_a_device_are_tags_of_the_user() -> None:
    context = {name: value for name, value in ON_A_DEVICE["context"].items() if name != "device"}
    [(_, request)] = calls({**IDENTIFY, "context": context, "traits": {"email": "a@b.c", "Country": "own"}})
    assert request == {
        "application": APP_CODE,
        "userId": "user_3078a",
        "tags": {
            "Application Version": "2.1.0",
            "OS Version": "14",
            "Email": "a@b.c",
            "Language": "nb",
            "Country": "own",
            "City": "Oslo",
        },
    }


def test_more_than_fifty_tags_are_several_requests() -> None:
    found = calls({**IDENTIFY, "traits": {f"t{number}": number for number in range(120)}})
    assert [len(request["tags"]) for _, request in found] == [50, 50, 20]
    assert {name for _, request in found for name in request["tags"]} == {f"t{number}" for number in range(120)}


def test_an_event_is_one_post_event_with_the_times_of_utc_and_of_the_user() -> None:
    assert calls(TRACK) == [
        (
            "postEvent",
            {
                "application": APP_CODE,
                "event": "activityCompleted",
                "hwid": HWID,
                "userId": "ann@example.com",
                "attributes": {"login": "facebook", "success": "yes", "internet": "wifi"},
                "timestampUTC": 1435228403,
                "timestampCurrent": 1435253603,
                "device_type": 1,
            },
        )
    ]


def test_an_event_from_the_web_names_the_browser() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
    context = {"device": {"id": "W1", "type": "web"}, "userAgent": agent}
    [(_, request)] = calls(
        {"type": "page", "userId": "u", "name": "Home", "timestamp": "2024-05-17T10:11:12Z", "context": context}
    )
    assert (request["hwid"], request["device_type"]) == ("W1", 11)


def test_an_event_always_has_attributes_and_only_the_members_that_are_known() -> None:
    bare = {"type": "page", "userId": "u", "name": "Home", "timestamp": "2024-05-17T10:11:12.999Z"}
    expected = {"application": APP_CODE, "event": "Home", "userId": "u", "attributes": {}, "timestampUTC": 1715940672}
    assert calls(bare) == [("postEvent", expected)]


@pytest.mark.parametrize(
    ("timestamp", "zone", "offset"),
    [
        ("2024-01-17T10:00:00Z", "Europe/Oslo", 3600),
        ("2024-07-17T10:00:00Z", "Europe/Oslo", 7200),
        ("2024-07-17T10:00:00+05:30", "Europe/Oslo", 7200),
        ("2024-07-17T10:00:00+05:30", None, 19_800),
        ("2024-07-17T10:00:00-03:00", "Mars/Olympus", -10_800),
        ("2024-07-17T10:00:00Z", "../etc/passwd", None),
        ("2024-07-17T10:00:00Z", "Europe", None),
        ("2024-07-17T10:00:00Z", ["Europe/Oslo"], None),
        ("2024-07-17T10:00:00Z", "x" * 500, None),
        ("2024-07-17T10:00:00Z", "\ud800", None),
    ],
)
def test_the_users_time_is_that_of_the_zone_at_that_instant_else_as_written(
    timestamp: str, zone: object, offset: int | None
) -> None:
    [(_, request)] = calls({**TRACK, "timestamp": timestamp, "context": {"timezone": zone}})
    local = request.get("timestampCurrent")
    assert (None if local is None else local - request["timestampUTC"]) == offset


@pytest.mark.parametrize(
    "timestamp", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "0000-01-01T00:00:00Z"]
)
def test_instants_at_the_ends_of_time_are_sent_or_refused(timestamp: str) -> None:
    mapped = public().requests_for({**TRACK, "timestamp": timestamp, "context": {"timezone": "Asia/Tokyo"}})
    assert len(mapped.requests) + len(mapped.refusals) == 1


def test_only_events_must_not_be_repeated() -> None:
    assert [each.extensions[ONCE] for each in public().requests_for(TRACK).requests] == [True]
    assert not any(each.extensions[ONCE] for each in public().requests_for(ON_A_DEVICE).requests)


def test_a_device_token_stands_in_the_header_and_nowhere_else() -> None:
    [request] = public().requests_for(IDENTIFY).requests
    assert str(request.url) == BASE + "/json/1.3/setTags"
    assert dict(request.headers) == {
        "host": "api.pushwoosh.com",
        "authorization": "Token device-t0ken",
        "content-type": "application/json",
        "user-agent": f"engage-sync/{__version__}",
    }
    assert b"t0ken" not in request.read()


def test_a_server_token_stands_in_the_body_and_nowhere_else() -> None:
    destination = public(token=TokenKind.SERVER)
    for event in (IDENTIFY, TRACK, ON_A_DEVICE):
        for request in destination.requests_for(event).requests:
            assert "authorization" not in request.headers
            assert body(request)["request"]["auth"] == "device-t0ken"


def test_the_test_of_the_credentials_only_looks() -> None:
    request = public().ping()
    assert request.url.path == "/json/1.3/getTags"
    assert body(request) == {"request": {"application": APP_CODE, "hwid": "engage-sync"}}


def test_what_needs_a_server_token_is_not_there_without_one() -> None:
    without = public(server_token=None)
    assert (without.bulk, without.list_tags()) == (None, None)
    request = public().list_tags()
    assert request is not None
    assert body(request) == {"request": {"auth": "server-t0ken"}}


def test_a_deletion_is_not_wrapped_and_has_its_token_in_the_header() -> None:
    request = public().delete_user("user_3078a")
    assert str(request.url) == BASE + "/api/v2/device-api/deleteUser"
    assert body(request) == {"application": APP_CODE, "user_id": "user_3078a"}
    assert request.headers["authorization"] == "Token device-t0ken"


def test_parts_become_the_same_requests_as_the_event_alone() -> None:
    destination = public()
    for event in (IDENTIFY, ON_A_DEVICE, TRACK):
        parts = destination.prepare(event).parts
        assert not any(part.join for part in parts)
        alone = [(each.url, each.read()) for each in destination.requests_for(event).requests]
        assert [(each.url, each.read()) for each in (destination.request_of([part]) for part in parts)] == alone


def test_events_of_a_batch_go_one_by_one_and_refusals_name_theirs() -> None:
    found = public().batches_for([TRACK, {"type": "track"}, {"type": "group"}, TRACK])
    assert [batch.indexes for batch in found.batches] == [(0,), (3,)]
    assert [index for index, _ in found.refusals] == [1]


def test_refusals_name_their_mapping_where_there_are_others() -> None:
    wrong = mapping("trackEvent", {"external_id": {"@path": "$.properties"}}, name="Orders")
    mapped = public(wrong, mapping("trackEvent")).requests_for(TRACK)
    assert len(mapped.requests) == 1
    assert mapped.refusals[0].startswith("Orders: ")


@pytest.mark.parametrize("setting", ["app_code", "api_key", "server_token"])
def test_settings_that_cannot_stand_in_a_header_are_refused_without_being_repeated(setting: str) -> None:
    from sync.destinations.pushwoosh.public.destination import PublicPushwoosh

    settings = {"api_key": "k", "app_code": "c", "server_token": "s", setting: "ключ"}
    with pytest.raises(ConfigurationError, match="destination p") as refused:
        PublicPushwoosh(name="p", **settings)
    assert "ключ" not in str(refused.value)
