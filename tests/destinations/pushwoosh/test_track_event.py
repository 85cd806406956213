from __future__ import annotations

from typing import Any

import pytest

from sync.destinations.pushwoosh.actions import track_event
from tests.destinations.pushwoosh.mapped_alone import APP_CODE, mapping, refused, sent

ORDER: dict[str, Any] = {
    "type": "track",
    "userId": "u1",
    "event": "Order Completed",
    "timestamp": "2024-05-17T10:11:12.345Z",
    "properties": {"total": 12.5, "lines": [{"sku": "a"}], "email": "kept", "nothing": None},
    "context": {"device": {"id": "d1", "type": "iOS"}},
}
_DROP = object()


def item(event: dict[str, Any]) -> dict[str, Any]:
    found = sent(event)
    assert list(found) == ["events"]
    [only] = found["events"]
    return dict(only)


def order(**changes: object) -> dict[str, Any]:
    return {key: value for key, value in {**ORDER, **changes}.items() if value is not _DROP}


def test_every_field_in_the_order_of_segments_own_request() -> None:
    assert list(item(ORDER).items()) == [
        ("user_id", "u1"),
        ("device_id", "d1"),
        ("device_platform", "iOS"),
        ("app_code", APP_CODE),
        ("name", "Order Completed"),
        ("timestamp", "2024-05-17T10:11:12.345Z"),
        ("attributes", ORDER["properties"]),
    ]


@pytest.mark.parametrize("kind", ["track", "page", "screen"])
def test_tracks_pages_and_screens_are_taken(kind: str) -> None:
    assert item(order(type=kind))["name"] == "Order Completed"


@pytest.mark.parametrize(
    ("event", "name", "sent_name"),
    [("A", "B", "A"), (_DROP, "B", "B"), (None, "B", "B"), (0, "B", "0"), (False, "B", "false"), ("  ", "B", "  ")],
)
def test_the_name_is_the_events_else_the_pages(event: object, name: object, sent_name: str) -> None:
    assert item(order(event=event, name=name))["name"] == sent_name


def test_an_event_with_an_empty_name_does_not_take_the_pages() -> None:
    assert "required field 'name'" in refused(order(event="", name="B"))


@pytest.mark.parametrize("empty", [_DROP, None, ""])
@pytest.mark.parametrize(("part", "field"), [("userId", "external_id"), ("event", "name"), ("timestamp", "timestamp")])
def test_who_what_and_when_are_required(part: str, field: str, empty: object) -> None:
    assert refused(order(**{part: empty})) == f"The root value is missing the required field '{field}'."


@pytest.mark.parametrize(("properties", "kept"), [(_DROP, _DROP), (None, _DROP), ("", _DROP), ({}, {})])
def test_attributes_are_there_when_properties_are(properties: object, kept: object) -> None:
    assert item(order(properties=properties)).get("attributes", _DROP) == kept


@pytest.mark.parametrize(("value", "kept"), [(_DROP, _DROP), (None, None), ("", _DROP), (5, "5")])
def test_the_device_can_be_cleared(value: object, kept: object) -> None:
    device = {} if value is _DROP else {"id": value, "type": value}
    found = item(order(context={"device": device}))
    assert (found.get("device_id", _DROP), found.get("device_platform", _DROP)) == (kept, kept)


@pytest.mark.parametrize(
    ("timestamp", "sent_timestamp"),
    [
        ("2024-05-17T10:11:12.123456789Z", "2024-05-17T10:11:12.123456789Z"),
        ("2024-05-17T12:11:12+02:00", "2024-05-17T12:11:12+02:00"),
        ("2024-05-17", "2024-05-17T00:00:00Z"),
        (1715940672, "2024-05-17T10:11:12Z"),
        ("1715940672345", "2024-05-17T10:11:12.345Z"),
    ],
)
def test_timestamps_leave_as_the_service_takes_them(timestamp: object, sent_timestamp: str) -> None:
    assert item(order(timestamp=timestamp))["timestamp"] == sent_timestamp


@pytest.mark.parametrize("timestamp", ["May 17, 2024", "2024-02-30T00:00:00Z", "9999999999999", True])
def test_what_is_no_date_is_refused(timestamp: object) -> None:
    assert refused(order(timestamp=timestamp)) == "Timestamp must be a valid date-like string but it was not."


@pytest.mark.parametrize("batching", [True, "true", ["true"], 0, None, ""])
def test_enable_batching_does_not_travel(batching: object) -> None:
    raw = {**track_event.ACTION.default_mapping(), "enable_batching": batching}
    assert sent(ORDER, mapping("trackEvent", raw)) == sent(ORDER)


@pytest.mark.parametrize("batching", ["yes", 2, {}, [1, 1]])
def test_enable_batching_is_a_boolean(batching: object) -> None:
    raw = {**track_event.ACTION.default_mapping(), "enable_batching": batching}
    assert refused(ORDER, mapping("trackEvent", raw)).startswith("Batch Data to Pushwoosh must be a boolean")


def test_the_action_has_its_seven_fields() -> None:
    fields = {each.title: each.required for each in track_event.ACTION.fields}
    assert fields == {
        "External User ID": True,
        "Device ID": False,
        "Device Platform": False,
        "Name": True,
        "Timestamp": True,
        "Event Properties": False,
        "Batch Data to Pushwoosh": False,
    }
