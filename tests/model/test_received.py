"""What was sent becomes an event as Segment would deliver it; what cannot be one is refused in a sentence."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from sync.errors import InvalidEvent
from sync.model.event import LoggedEvent
from sync.model.received import DEEPEST, LARGEST_EVENT, Reason, RefusedEvent, instant, read_event

NOW = datetime(2026, 11, 22, 10, 0, 0, 123_456, tzinfo=UTC)
TRACK = {"type": "track", "event": "Tested", "userId": "u1", "messageId": "m1"}


def read(raw: object, **more: Any) -> LoggedEvent:
    return read_event(raw, **{"source": "web", "received_at": NOW, **more})


def body(raw: object, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(read(raw, **more).body)
    return found


def test_a_whole_event() -> None:
    raw = {**TRACK, "anonymousId": "a1", "properties": {"total": 1.5}, "writeKey": "secret", "_metadata": {"x": 1}}
    before = deepcopy(raw)
    event = read(raw)
    assert raw == before
    assert (event.source, event.message_id, event.type, event.name) == ("web", "m1", "track", "Tested")
    assert (event.user_id, event.anonymous_id, event.collected, event.id) == ("u1", "a1", True, 0)
    assert event.timestamp == event.received_at == NOW
    assert orjson.loads(event.body) == {
        **TRACK,
        "anonymousId": "a1",
        "properties": {"total": 1.5},
        "receivedAt": "2026-11-22T10:00:00.123Z",
        "timestamp": "2026-11-22T10:00:00.123Z",
    }


@pytest.mark.parametrize(
    ("kind", "name"),
    [("page", "Page Viewed"), ("screen", "Screen Viewed"), ("identify", None), ("group", None), ("alias", None)],
)
def test_views_have_segments_names_and_other_kinds_none(kind: str, name: str | None) -> None:
    assert read({"type": kind, "userId": "u", "name": "Home", "event": "x"}).name == name


def test_the_address_says_what_kind_it_is() -> None:
    assert body({"userId": "u", "type": "track"}, type="page")["type"] == "page"


@pytest.mark.parametrize(("given", "kept"), [(7, "7"), (7.0, "7"), ("7", "7"), (2**60, str(2**60)), ("ü", "ü")])
def test_ids_are_texts(given: object, kept: str) -> None:
    event = read({**TRACK, "userId": given})
    assert (event.user_id, orjson.loads(event.body)["userId"]) == (kept, kept)


def test_an_empty_id_is_none_and_one_of_the_two_is_enough() -> None:
    event = read({**TRACK, "userId": "", "anonymousId": 5})
    assert (event.user_id, event.anonymous_id) == (None, "5")
    assert "userId" not in orjson.loads(event.body)


def test_a_missing_message_id_is_made_up_each_time_anew() -> None:
    made = [read({"type": "page", "userId": "u", "messageId": empty}).message_id for empty in (None, "", None)]
    assert len(set(made)) == 3
    assert all(made)


def test_the_senders_clock_is_set_right() -> None:
    ahead = timedelta(hours=3)
    happened = NOW - timedelta(minutes=5)
    raw = {**TRACK, "timestamp": (happened + ahead).isoformat()}
    assert read(raw, sent_at=NOW + ahead).timestamp == happened
    found = body(raw, sent_at=NOW + ahead)
    assert found["timestamp"] == "2026-11-22T09:55:00.123Z"
    assert found["originalTimestamp"] == "2026-11-22T12:55:00.123Z"
    assert found["sentAt"] == "2026-11-22T13:00:00.123Z"
    assert read(raw).timestamp == happened + ahead
    # RudderStack's clients give the time under this name alone.
    assert read({**TRACK, "originalTimestamp": raw["timestamp"]}, sent_at=NOW + ahead).timestamp == happened


@pytest.mark.parametrize(
    "odd", ["yesterday", "", None, True, [], {}, "9999-12-31T23:59:59-14:00", 1e300, float("nan"), float("inf")]
)
def test_without_a_time_that_can_be_read_it_happened_when_it_was_received(odd: object) -> None:
    event = read({**TRACK, "timestamp": odd, "sentAt": odd}, sent_at=NOW)
    assert event.timestamp == NOW
    assert orjson.loads(event.body)["timestamp"] == "2026-11-22T10:00:00.123Z"


def test_a_clock_that_is_wrong_beyond_all_measure_does_no_harm() -> None:
    last = datetime(9999, 12, 31, tzinfo=UTC)
    assert (
        read({**TRACK, "timestamp": "9999-12-31T00:00:00Z"}, sent_at=datetime(1970, 1, 1, tzinfo=UTC)).timestamp == NOW
    )
    assert read({**TRACK, "timestamp": "0001-01-01T00:00:00Z"}, sent_at=last).timestamp == NOW


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789+01:00", datetime(2026, 1, 2, 2, 4, 5, 123456, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
        (1_767_323_045, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        (1_767_323_045_500, datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)),
    ],
)
def test_instants_are_read_in_any_of_their_forms(value: object, meant: datetime) -> None:
    assert instant(value) == meant


def test_who_an_identify_is_about_may_stand_in_its_context() -> None:
    assert body({"type": "identify", "userId": "u", "context": {"traits": {"a": 1}}})["traits"] == {"a": 1}
    assert body({"type": "identify", "userId": "u", "traits": {"b": 2}, "context": {"traits": {"a": 1}}})["traits"] == {
        "b": 2
    }
    assert "traits" not in body({**TRACK, "context": {"traits": {"a": 1}}})


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ([], Reason.NOT_AN_OBJECT),
        (None, Reason.NOT_AN_OBJECT),
        ({}, Reason.TYPE),
        ({"type": "merge", "userId": "u"}, Reason.TYPE),
        ({"type": ["track"], "userId": "u"}, Reason.TYPE),
        ({"type": "page"}, Reason.NO_USER),
        ({"type": "page", "userId": True}, Reason.USER_ID),
        ({"type": "page", "userId": {"a": 1}}, Reason.USER_ID),
        ({"type": "page", "userId": "ü" * 501}, Reason.USER_ID),
        ({"type": "page", "anonymousId": "x" * 1001}, Reason.USER_ID),
        ({"type": "track", "userId": "u"}, Reason.NAME),
        ({"type": "track", "userId": "u", "event": 7}, Reason.NAME),
        ({**TRACK, "event": "x" * 1001}, Reason.NAME),
        ({**TRACK, "messageId": "m" * 101}, Reason.MESSAGE_ID),
        ({**TRACK, "messageId": {}}, Reason.MESSAGE_ID),
        ({**TRACK, "properties": [1]}, Reason.VALUE),
        ({**TRACK, "context": "x"}, Reason.VALUE),
        ({**TRACK, "properties": {"x": b"bytes"}}, Reason.VALUE),
        ({**TRACK, "properties": {"x": "y" * LARGEST_EVENT}}, Reason.TOO_LARGE),
    ],
)
def test_what_is_no_event_is_refused_without_its_values(raw: object, reason: Reason) -> None:
    with pytest.raises(RefusedEvent) as caught:
        read(raw)
    assert isinstance(caught.value, InvalidEvent)
    assert caught.value.reason == reason
    assert "xxx" not in str(caught.value)
    assert "üü" not in str(caught.value)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 250, 300, 5_000, 50_000])
@pytest.mark.parametrize("opened", ["list", "object"])
def test_what_is_nested_too_deep_is_refused_however_deep_it_is(levels: int, opened: str) -> None:
    nested: object = 1
    for _ in range(levels):
        nested = [nested] if opened == "list" else {"a": nested}
    with pytest.raises(RefusedEvent) as caught:
        read({**TRACK, "properties": {"x": nested}})
    assert caught.value.reason == Reason.TOO_DEEP
    while isinstance(nested, list | dict):  # taken apart by hand: Python would use its stack for it
        nested = nested.popitem()[1] if isinstance(nested, dict) else nested.pop()


def test_what_no_store_takes_is_replaced() -> None:
    event = read({**TRACK, "userId": "a\0b", "properties": {"\0": "\ud800", "n": 10**30, "m": 10**400}})
    assert event.user_id == "a\ufffdb"
    assert orjson.loads(event.body)["properties"] == {"\ufffd": "\ufffd", "n": 1e30, "m": None}


_json = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(some.characters()),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(some.characters()), inner, max_size=4),
    max_leaves=10,
)
_keys = some.sampled_from(
    [
        "type",
        "userId",
        "anonymousId",
        "messageId",
        "event",
        "timestamp",
        "originalTimestamp",
        "sentAt",
        "context",
        "properties",
        "traits",
        "integrations",
    ]
)


@given(some.dictionaries(_keys | some.text(), _json, max_size=8), some.booleans(), some.none() | some.just(NOW))
def test_anything_at_all_becomes_an_event_or_is_refused(
    raw: dict[str, object], likely: bool, sent_at: datetime | None
) -> None:
    try:
        event = read({**raw, **TRACK} if likely else raw, sent_at=sent_at, batch=raw, ip="203.0.113.1")
    except RefusedEvent:
        return
    document = orjson.loads(event.body)
    assert "\0" not in event.body
    assert "\\u0000" not in event.body
    assert instant(document["timestamp"]) is not None
    assert document["messageId"] == event.message_id
    assert document.get("userId") == event.user_id
    again = read(document)
    assert (again.user_id, again.name, again.message_id, again.type) == (
        event.user_id,
        event.name,
        event.message_id,
        event.type,
    )
