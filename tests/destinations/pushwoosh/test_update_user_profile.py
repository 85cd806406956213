from __future__ import annotations

from typing import Any

import orjson
import pytest

from sync.destinations.pushwoosh.actions import update_user_profile
from sync.mapping.action import Type
from sync.model.naming import FIELDS_FROM_TRAITS, RESERVED_KEYS
from tests.destinations.pushwoosh.mapped_alone import mapping, refused, sent

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


def identified(**more: object) -> dict[str, object]:
    return {"type": "identify", "userId": "u1", **more}


def test_every_field_in_the_order_of_segments_own_request() -> None:
    assert list(sent(EVERYTHING).items()) == [
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
    ("value", "kept"), [(_DROP, _DROP), (None, None), ("", _DROP), (42, "42"), (1.0, "1"), (1.5, "1.5"), (True, "true")]
)
def test_missing_null_and_empty_strings(field: str, path: tuple[str, ...], value: object, kept: object) -> None:
    found = sent(event_with(path, value))
    assert found.get(field, _DROP) == kept
    assert [key for key in found if key != field] == [key for key in sent(EVERYTHING) if key != field]


@pytest.mark.parametrize(("value", "kept"), [(_DROP, _DROP), (None, _DROP), ("", _DROP), (42, "42"), (["u2"], "u2")])
def test_the_user_id_is_text_or_left_out(value: object, kept: object) -> None:
    assert sent(event_with(("userId",), value)).get("user_id", _DROP) == kept


@pytest.mark.parametrize("nobody", [{}, {"userId": None}, {"userId": ""}, {"userId": [None]}])
@pytest.mark.parametrize("device", [{}, {"id": None}, {"id": ""}])
def test_an_identify_of_nobody_is_refused(nobody: dict[str, object], device: dict[str, object]) -> None:
    reason = refused({"type": "identify", "traits": {"a": 1}, "context": {"device": device}, **nobody})
    assert "neither an external_id nor a device_id" in reason


@pytest.mark.parametrize(
    ("latitude", "longitude", "kept"),
    [
        (1, 2.5, {"latitude": 1, "longitude": 2.5}),
        (None, 2.5, {"longitude": 2.5}),
        (0, "", {"latitude": 0}),
        ("1.25", True, {"latitude": 1.25, "longitude": 1}),
        ("Infinity", 1, {"latitude": None, "longitude": 1}),
        (None, None, None),
        ("", None, None),
    ],
)
def test_the_location_holds_the_numbers_that_are_there(latitude: object, longitude: object, kept: object) -> None:
    event = identified(context={"location": {"latitude": latitude, "longitude": longitude}})
    assert sent(event).get("current_location") == kept


def test_reserved_names_are_removed_from_attributes_by_exact_case_at_the_first_level() -> None:
    kept = {"user_id": 1, "userId": 2, "Email": 3, "attributes": 4, "deep": {"email": 5}}
    found = sent(identified(traits={**dict.fromkeys(RESERVED_KEYS, "x"), **kept}))
    assert found == {"attributes": kept, "user_id": "u1", "email": "x"}


def test_the_reserved_names_are_the_actions_own_fields() -> None:
    assert update_user_profile.RESERVED == RESERVED_KEYS
    from_traits = [
        each.key for each in update_user_profile.ACTION.fields if each.default == {"@path": f"$.traits.{each.key}"}
    ]
    assert set(from_traits) == FIELDS_FROM_TRAITS


@pytest.mark.parametrize("traits", [_DROP, {}, None, ""])
def test_attributes_are_always_there(traits: object) -> None:
    assert sent(event_with(("traits",), traits))["attributes"] == {}


@pytest.mark.parametrize("traits", [False, "text", [1], [{}], 0])
def test_traits_that_are_no_object_are_refused(traits: object) -> None:
    assert refused(event_with(("traits",), traits)).startswith("Custom Attributes must be an object but it was ")


@pytest.mark.parametrize("context", [_DROP, {}, "text", 9.5])
def test_no_context_is_no_context(context: object) -> None:
    event = identified(traits={"a": 1})
    found = sent(event if context is _DROP else {**event, "context": context})
    assert found == {"attributes": {"a": 1}, "user_id": "u1"}


def test_null_on_the_way_clears_what_lies_behind_it() -> None:
    found = sent(identified(traits=None, context={"location": None, "app": None}))
    assert found == {
        "attributes": {},
        "user_id": "u1",
        "email": None,
        "app_version": None,
        "country": None,
        "city": None,
    }


def test_false_for_a_context_shows_in_everything_below_it_as_it_does_in_segment() -> None:
    found = sent(identified(context=False))
    assert found["device_id"] == "false"
    assert found["current_location"] == {"latitude": 0, "longitude": 0}


def test_an_identify_of_several_faults_names_all_of_them() -> None:
    faulty = mapping("updateUserProfile", {"external_id": {}, "email": [], "current_location": {"latitude": "north"}})
    assert refused(identified(), faulty) == (
        "External User ID must be a string but it was an object. "
        "Email must be a string or null but it was an array. "
        "Latitude must be a number but it was a string."
    )


def test_the_action_has_its_fifteen_fields() -> None:
    fields = update_user_profile.ACTION.fields
    assert len(fields) == 15
    assert [each.title for each in fields if each.types == (Type.STRING,)] == [
        "External User ID",
        "Email",
        "App Version",
        "Device ID",
        "Device Model",
        "Device Platform",
        "Device Token",
        "Language",
        "Country",
        "City",
        "Device OS Version",
        "Timezone",
        "User Agent",
    ]
    assert all(each.description for each in fields)
