"""What somebody sent as an event, made into one of ours: checked once, completed, cleaned, in one JSON text.

Whoever sends may leave out much and may send odd things; what can be understood is taken. An event that is refused says
why in a sentence without its values, and under a word of ours that can be counted. Cheap on purpose: one look at each
event, and a second one only at those with something odd in them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache

import orjson

from sync.errors import InvalidEvent
from sync.model.canonical import user_id_text
from sync.model.cleaning import cleaned, nested_deeper_than
from sync.model.event import LoggedEvent

LARGEST_EVENT = 32 * 1024
"""Bytes of an event's JSON text, as Segment has it."""

LONGEST_MESSAGE_ID = 100
"""Characters."""

LONGEST_NAME = 1000
"""Bytes of an event's name: a longer one would not fit an index entry."""

DEEPEST = 64
"""Levels of lists and objects in each other."""

TYPES = frozenset({"identify", "track", "page", "screen", "group", "alias"})

NAMES = {"page": "Page Viewed", "screen": "Screen Viewed"}
"""What views are called where events go by name, as Segment does it."""

_CLIENTS = frozenset(
    {"analytics.js", "analytics-ios", "analytics-android", "analytics-swift", "analytics-kotlin", "analytics-flutter"}
)
"""Libraries on people's own devices, whose address is worth knowing; a server's is not."""

_OBJECTS = ("context", "integrations", "traits", "properties")
_COMMON = ("context", "integrations")
_NOT_FOR_ANYBODY = ("writeKey", "_metadata")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM = 10**11


class Reason(StrEnum):
    """Why an event is refused, for counting."""

    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    TYPE = "type"
    NO_USER = "no_user"
    USER_ID = "user_id"
    NAME = "name"
    MESSAGE_ID = "message_id"
    VALUE = "value"


class RefusedEvent(InvalidEvent):
    """This is not an event, and never will be: says why, without its values. ``reason`` is for counting."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        self.reason = reason
        super().__init__(sentence)


def read_event(
    raw: object,
    *,
    source: str,
    received_at: datetime,
    sent_at: datetime | None = None,
    batch: Mapping[str, object] | None = None,
    type: str | None = None,  # noqa: A002 - Segment's word
    ip: str | None = None,
    collected: bool = True,
) -> LoggedEvent:
    """The event that ``raw`` (JSON as Python has it, left as it is) stands for. Raises `RefusedEvent`.

    ``sent_at`` is the sender's clock at the moment of sending: the event's time is corrected by how wrong that is.
    Without it the time is taken as it is, which is right for what was corrected or written down before. ``batch`` is
    what it came in: its ``context`` and ``integrations`` are the event's too. ``type`` comes from the address it was
    sent to. ``ip`` is the sender's, kept for people's own devices and for whoever asks for it.
    """
    found = _bearable(_object(raw, batch))
    found["type"] = kind = _type(found.get("type") if type is None else type)
    if kind == "identify" and not found.get("traits"):
        _take_traits(found)
    user_id, anonymous_id = _id(found, "userId"), _id(found, "anonymousId")
    if user_id is None and anonymous_id is None:
        raise RefusedEvent(Reason.NO_USER, "neither `userId` nor `anonymousId` is given")
    name = _name(found) if kind == "track" else NAMES.get(kind)
    message_id = found["messageId"] = _message_id(found.get("messageId"))
    timestamp = _timed(found, received_at, sent_at)
    if ip is not None:
        _place(found, ip)
    body = orjson.dumps(found).decode()
    return LoggedEvent(
        source, message_id, kind, name, user_id, anonymous_id, timestamp, received_at, body, collected=collected
    )


def common(batch: Mapping[str, object]) -> tuple[Mapping[str, object], int]:
    """What a batch says of all its events, cleaned once for all of them, and its bytes. Raises `RefusedEvent` where no
    event could bear it."""
    found = _bearable({key: batch[key] for key in _COMMON if isinstance(batch.get(key), dict)})
    return found, len(orjson.dumps(found))


def user_to_forget(raw: Mapping[str, object]) -> str:
    """Whom a ``delete`` event is about. Raises `RefusedEvent`."""
    user_id = _id(dict(raw), "userId")
    if user_id is None:
        raise RefusedEvent(Reason.NO_USER, "a `delete` needs a `userId`")
    return user_id


def instant(value: object) -> datetime | None:
    """The instant that a text (ISO 8601; UTC if it does not say) or a number (since 1970) means, if any."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value)
        elif isinstance(value, datetime):
            found = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _MILLISECONDS_FROM else value
            return _EPOCH + timedelta(seconds=seconds)
        else:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _object(raw: object, batch: Mapping[str, object] | None) -> dict[str, object]:
    """A copy of the event's top level, with what the batch says of all its events; what it says itself counts."""
    if not isinstance(raw, dict):
        raise RefusedEvent(Reason.NOT_AN_OBJECT, "an event must be a JSON object")
    found: dict[str, object] = raw.copy()
    for key in _NOT_FOR_ANYBODY:
        found.pop(key, None)
    for key in _OBJECTS:
        given = found.get(key)
        if given is not None and not isinstance(given, dict):
            raise RefusedEvent(Reason.VALUE, f"`{key}` must be an object")
    for key in _COMMON if batch else ():
        common = batch.get(key) if batch else None
        if isinstance(common, dict):
            found[key] = {**common, **(found.get(key) or {})}  # type: ignore[dict-item]  # it is an object, or nothing
    return found


def _bearable(found: dict[str, object]) -> dict[str, object]:
    """The same, of bearable size and depth, without characters that no store takes."""
    try:
        text = orjson.dumps(found)
    except (TypeError, RecursionError):
        text = None
    if text is None or b"\\u0000" in text:
        found = _cleaned(found)
        text = orjson.dumps(found)
    if len(text) > LARGEST_EVENT:
        raise RefusedEvent(Reason.TOO_LARGE, f"the event is larger than {LARGEST_EVENT // 1024} KB")
    # Counting is quick and says for nearly every event that there is nothing to measure.
    if text.count(b"{") + text.count(b"[") > DEEPEST and nested_deeper_than(found, DEEPEST):
        raise _too_deep()
    return found


def _cleaned(raw: dict[str, object]) -> dict[str, object]:
    if nested_deeper_than(raw, DEEPEST):
        raise _too_deep()
    try:
        return cleaned(raw)
    except ValueError as error:
        raise RefusedEvent(Reason.VALUE, f"the event {error}") from None


def _too_deep() -> RefusedEvent:
    return RefusedEvent(Reason.TOO_DEEP, f"the event is nested deeper than {DEEPEST} levels")


def _type(value: object) -> str:
    if isinstance(value, str) and value in TYPES:
        return value
    if value is None:
        raise RefusedEvent(Reason.TYPE, "`type` is missing")
    raise RefusedEvent(Reason.TYPE, f"`type` must be one of {', '.join(sorted(TYPES))}")


def _take_traits(found: dict[str, object]) -> None:
    """Some clients (RudderStack's) say who somebody is in the context alone."""
    context = found.get("context")
    traits = context.get("traits") if isinstance(context, dict) else None
    if isinstance(traits, dict) and traits:
        found["traits"] = traits


def _id(found: dict[str, object], key: str) -> str | None:
    """An id as text; an empty one is none."""
    value = found.get(key)
    if value is None or value == "":
        found.pop(key, None)
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise RefusedEvent(Reason.USER_ID, f"`{key}` must be a text or a number")
    try:
        text = found[key] = user_id_text(value)
    except ValueError as error:
        raise RefusedEvent(Reason.USER_ID, f"`{key}` {error}") from None
    return text


def _name(found: Mapping[str, object]) -> str:
    name = found.get("event")
    if not isinstance(name, str) or not name:
        raise RefusedEvent(Reason.NAME, "a track event needs its name in `event`, a text")
    if len(name) > LONGEST_NAME // 4 and len(name.encode()) > LONGEST_NAME:
        raise RefusedEvent(Reason.NAME, f"`event` is longer than {LONGEST_NAME} bytes")
    return name


def _message_id(value: object) -> str:
    if value is None or value == "":
        return f"engage-{os.urandom(16).hex()}"
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise RefusedEvent(Reason.MESSAGE_ID, "`messageId` must be a text")
    if len(value) > LONGEST_MESSAGE_ID:
        raise RefusedEvent(Reason.MESSAGE_ID, f"`messageId` is longer than {LONGEST_MESSAGE_ID} characters")
    return value


def _timed(found: dict[str, object], received_at: datetime, sent_at: datetime | None) -> datetime:
    """When it happened; writes the event's four instants.

    An ``originalTimestamp`` beside the ``timestamp`` is kept: there, somebody else has corrected it before.
    """
    given = found.get("timestamp")
    client = instant(found.get("originalTimestamp") if given is None else given)
    timestamp = client or received_at
    if sent_at is not None and client is not None:
        try:
            timestamp = received_at - (sent_at - client)
        except OverflowError:
            timestamp = received_at
    original = instant(found.get("originalTimestamp")) or client
    sent = sent_at or instant(found.pop("sentAt", None))
    found["receivedAt"] = _kept_text(received_at)
    found["timestamp"] = _text(timestamp)
    if original is None:
        found.pop("originalTimestamp", None)
    else:
        found["originalTimestamp"] = _text(original)
    if sent is not None:
        found["sentAt"] = _kept_text(sent)
    return timestamp


def _place(found: dict[str, object], ip: str) -> None:
    """Keep the sender's address where it is a person's device, or where it is asked for."""
    context = found.get("context")
    if not isinstance(context, dict):
        return
    library = context.get("library")
    client = isinstance(library, dict) and library.get("name") in _CLIENTS
    if "ip" not in context and (client or context.get("direct") is True):
        found["context"] = {**context, "ip": ip}


def _text(moment: datetime) -> str:
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")[:-6] + "Z"


_kept_text = lru_cache(64)(_text)
"""For instants that many events share."""
