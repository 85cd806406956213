from __future__ import annotations

from typing import Any

import orjson
import pytest

from sync.destinations.pushwoosh.profile import profile

EVERYTHING: dict[str, Any] = {
    "type": "identify",
    "userId": "u1",
    "anonymousId": "a1",
    "messageId": "m1",
    "timestamp": "2024-05-17T10:11:12Z",
    "traits": {"big_spenders": True, "email": "x@y.z", "nothing": None, "empty": "", "deep": {"a": [1, {}]}},
    "context": {
        "app": {"version": "1.2"},
        "device": {"id": "d1", "model": "Pixel", "type": "Android", "token": "t1"},
        "locale": "en-US",
        "location": {"country": "NO", "city": "Oslo", "latitude": 59.9, "longitude": -1},
        "os": {"version": "14"},
        "timezone": "Europe/Oslo",
        "userAgent": "UA/1.0",
    },
}

STRINGS = {
    "email": ("traits", "email"),
    "app_version": ("context", "app", "version"),
    "device_id": ("context", "device", "id"),
    "device_model": ("context", "device", "model"),
    "device_platform": ("context", "device", "type"),
    "device_token": ("context", "device", "token"),
    "language": ("context", "locale"),
    "country": ("context", "location", "country"),
    "city": ("context", "location", "city"),
    "device_os_version": ("context", "os", "version"),
    "timezone": ("context", "timezone"),
    "user_agent": ("context", "userAgent"),
}

_DROP = object()


def event_with(path: tuple[str, ...], value: object) -> dict[str, Any]:
    event: dict[str, Any] = orjson.loads(orjson.dumps(EVERYTHING))
    at = event
    for name in path[:-1]:
        at = at[name]
    if value is _DROP:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return event


def test_every_field_in_the_order_of_segments_own_request() -> None:
    assert list(profile(EVERYTHING).items()) == [
        ("attributes", {"big_spenders": True, "nothing": None, "empty": "", "deep": {"a": [1, {}]}}),
        ("user_id", "u1"),
        ("email", "x@y.z"),
        ("app_version", "1.2"),
        ("device_id", "d1"),
        ("device_model", "Pixel"),
        ("device_platform", "Android"),
        ("device_token", "t1"),
        ("language", "en-US"),
        ("country", "NO"),
        ("city", "Oslo"),
        ("current_location", {"latitude": 59.9, "longitude": -1}),
        ("device_os_version", "14"),
        ("timezone", "Europe/Oslo"),
        ("user_agent", "UA/1.0"),
    ]


@pytest.mark.parametrize(("field", "path"), STRINGS.items())
@pytest.mark.parametrize(
    ("value", "sent"), [(_DROP, _DROP), (None, None), ("", _DROP), (42, "42"), (1.0, "1"), (1.5, "1.5"), (True, "true")]
)
def test_missing_null_and_empty_strings(field: str, path: tuple[str, ...], value: object, sent: object) -> None:
    body = profile(event_with(path, value))
    assert body.get(field, _DROP) == sent
    assert [key for key in body if key != field] == [key for key in profile(EVERYTHING) if key != field]


@pytest.mark.parametrize(("value", "sent"), [(_DROP, _DROP), (None, _DROP), ("", _DROP), (42, "42"), ([], _DROP)])
def test_the_user_id_is_text_or_left_out(value: object, sent: object) -> None:
    assert profile(event_with(("userId",), value)).get("user_id", _DROP) == sent


@pytest.mark.parametrize(
    ("latitude", "longitude", "sent"),
    [
        (1, 2.5, {"latitude": 1, "longitude": 2.5}),
        (None, 2.5, {"longitude": 2.5}),
        (0, "", {"latitude": 0}),
        (None, None, None),
        (True, [], None),
    ],
)
def test_the_location_holds_the_numbers_that_are_there(latitude: object, longitude: object, sent: object) -> None:
    event = {"userId": "u1", "context": {"location": {"latitude": latitude, "longitude": longitude}}}
    assert profile(event).get("current_location") == sent


def test_reserved_names_are_removed_from_attributes_by_exact_case_at_the_first_level() -> None:
    reserved = [
        "external_id",
        "email",
        "app_version",
        "device_id",
        "device_model",
        "device_platform",
        "device_token",
        "language",
        "country",
        "city",
        "current_location",
        "device_os_version",
        "timezone",
        "user_agent",
        "custom_attributes",
    ]
    kept = {"user_id": 1, "userId": 2, "Email": 3, "attributes": 4, "deep": {"email": 5}}
    body = profile({"userId": "u1", "traits": {**dict.fromkeys(reserved, "x"), **kept}})
    assert body == {"attributes": kept, "user_id": "u1", "email": "x"}


@pytest.mark.parametrize("traits", [_DROP, {}, False, "text", [1]])
def test_attributes_are_always_there(traits: object) -> None:
    assert profile(event_with(("traits",), traits))["attributes"] == {}


@pytest.mark.parametrize("context", [_DROP, None, {}, "text", 9.5])
def test_no_context_is_no_context(context: object) -> None:
    event = {"userId": "u1", "traits": {"a": 1}}
    assert profile(event if context is _DROP else {**event, "context": context}) == {
        "attributes": {"a": 1},
        "user_id": "u1",
    }


def test_null_on_the_way_clears_what_lies_behind_it() -> None:
    body = profile({"userId": "u1", "traits": None, "context": {"location": None, "app": None}})
    assert body == {
        "attributes": {},
        "user_id": "u1",
        "email": None,
        "app_version": None,
        "country": None,
        "city": None,
    }
