"""What the requests of Pushwoosh's documented API must look like, member by member, and what they mean.

The envelope, the application and ``auth`` have been taken off by then (``doors``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime

from sync.destinations.pushwoosh.public.devices import PLATFORMS
from sync.destinations.pushwoosh.public.tags import DEVICE_TAGS, USER_TAGS
from sync.destinations.sandbox.meaning import Meaning, Profile
from sync.destinations.sandbox.validation import InvalidRequest, JsonObject, expect

MOST_TAGS = 50
"""In one request, as the documentation advises."""

MOST_USERS = 1000
"""In one bulk request; the documentation names no limit."""

_LONGEST_OFFSET = 15 * 3600
_FIELDS: Mapping[str, str] = {tag: field for field, tag in {**USER_TAGS, **DEVICE_TAGS}.items()}
_FIRST_MILLISECOND = 10_000_000_000
"""A count that is larger was meant in milliseconds."""


def check_link(request: JsonObject) -> None:
    """The members of ``registerUser``."""
    _known(request, {"hwid", "userId", "tz_offset", "device_type"})
    _text(request, "hwid")
    if "userId" in request:
        _text(request, "userId")
    if "tz_offset" in request:
        offset = request["tz_offset"]
        is_offset = _whole(offset) and abs(offset) <= _LONGEST_OFFSET  # type: ignore[arg-type]
        expect(is_offset, "tz_offset", "a whole number of seconds within 15 hours", offset)
    _device_type(request)


def link(request: JsonObject) -> Meaning:
    """A device and its user, who is called like the device when nobody says otherwise."""
    return Meaning(links=((str(request["hwid"]), str(request.get("userId", request["hwid"]))),))


def check_tags(request: JsonObject) -> None:
    """The members of ``setTags``."""
    _known(request, {"hwid", "userId", "tags"})
    _one_identity(request, ("hwid", "userId"), "hwid or userId should be set")
    _check_values(request.get("tags"), most=MOST_TAGS)


def tags(request: JsonObject) -> Meaning:
    """A profile, of which Pushwoosh's default tags are the fields."""
    user_id, hwid = request.get("userId"), request.get("hwid")
    values = request["tags"]
    body = _profile(values if isinstance(values, dict) else {})
    if isinstance(user_id, str):
        return Meaning(profiles=(Profile(user_id, {**body, "user_id": user_id}),))
    return Meaning(profiles=(Profile(None, body, device_id=str(hwid)),))


def check_question(request: JsonObject) -> None:
    """The members of ``getTags``."""
    _known(request, {"hwid", "userId"})
    _one_identity(request, ("hwid", "userId"), "hwid or userId should be set")


def check_nothing(request: JsonObject) -> None:
    """``listTags`` has no members of its own."""
    _known(request, ())


def check_event(request: JsonObject) -> None:
    """The members of ``postEvent``."""
    _known(request, {"event", "hwid", "userId", "attributes", "timestampUTC", "timestampCurrent", "device_type"})
    _text(request, "event")
    for name in ("hwid", "userId"):
        if name in request:
            _text(request, name)
    if "hwid" not in request and "userId" not in request:
        raise InvalidRequest("hwid or userId should be set")
    if "attributes" not in request:
        raise InvalidRequest("attributes is missing")
    attributes = request["attributes"]
    expect(isinstance(attributes, dict), "attributes", "an object", attributes)
    for name, value in attributes.items():  # type: ignore[attr-defined]
        is_list = isinstance(value, list) and all(isinstance(item, str | int | float) for item in value)
        expect(
            is_list or isinstance(value, str | int | float), f"attributes.{name}", "a scalar or a list of those", value
        )
    _check_times(request)
    _device_type(request)


def _check_times(request: JsonObject) -> None:
    for name in ("timestampUTC", "timestampCurrent"):
        if name in request:
            value = request[name]
            is_seconds = _whole(value) and abs(value) < _FIRST_MILLISECOND  # type: ignore[arg-type]
            expect(is_seconds, name, "a whole number of seconds", value)
    utc, local = request.get("timestampUTC"), request.get("timestampCurrent")
    if isinstance(utc, int) and isinstance(local, int) and abs(local - utc) > _LONGEST_OFFSET:
        raise InvalidRequest("timestampCurrent is more than 15 hours from timestampUTC")


def event(request: JsonObject) -> Meaning:
    """An event of the shape that ``post-events`` has."""
    found: JsonObject = {}
    if "userId" in request:
        found["user_id"] = request["userId"]
    if "hwid" in request:
        found["device_id"] = request["hwid"]
    found["name"] = request["event"]
    utc = request.get("timestampUTC")
    if isinstance(utc, int):
        found["timestamp"] = datetime.fromtimestamp(utc, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    found["attributes"] = request["attributes"]
    return Meaning(events=(found,))


def check_bulk(request: JsonObject) -> None:
    """The members of ``bulkSetTags``."""
    _known(request, {"create_missing_tags", "devices"})
    create = request.get("create_missing_tags", False)
    expect(isinstance(create, bool), "create_missing_tags", "a boolean", create)
    devices = request.get("devices")
    expect(isinstance(devices, list), "devices", "a list", devices)
    if not 1 <= len(devices) <= MOST_USERS:  # type: ignore[arg-type]
        raise InvalidRequest(f"devices must be 1 to {MOST_USERS}, but they were {len(devices)}")  # type: ignore[arg-type]
    seen: set[object] = set()
    for place, device in enumerate(devices):  # type: ignore[arg-type, var-annotated]
        try:
            _check_device(device, seen)
        except InvalidRequest as error:
            raise InvalidRequest(f"devices[{place}]: {error}") from None


def _check_device(device: object, seen: set[object]) -> None:
    if not isinstance(device, dict):
        raise InvalidRequest("must be an object")
    _known(device, {"user_id", "hwid", "push_token", "list_operator", "tags"})
    _one_identity(device, ("user_id", "hwid", "push_token"), "one of user_id, hwid and push_token should be set")
    operator = device.get("list_operator")
    expect(operator in ("set", "append", "remove"), "list_operator", "set, append or remove", operator)
    _check_values(device.get("tags"))
    identity = tuple(sorted((name, str(device[name])) for name in ("user_id", "hwid", "push_token") if name in device))
    if identity in seen:
        raise InvalidRequest("is there twice")
    seen.add(identity)


def bulk(request: JsonObject) -> Meaning:
    """The profiles of all users, in order."""
    devices = request["devices"]
    found = []
    for device in devices if isinstance(devices, list) else []:
        user_id = device.get("user_id")
        body = _profile(device["tags"])
        found.append(Profile(user_id, {**body, "user_id": user_id} if user_id else body, device.get("hwid")))
    return Meaning(profiles=tuple(found))


def check_deletion(request: JsonObject) -> None:
    """The members of ``deleteUser``."""
    _known(request, {"user_id"})
    _text(request, "user_id")


def deletion(request: JsonObject) -> Meaning:
    """A user who goes."""
    return Meaning(deleted=(str(request["user_id"]),))


def _profile(values: Mapping[str, object]) -> JsonObject:
    attributes = {name: value for name, value in values.items() if name not in _FIELDS}
    fields = {_FIELDS[name]: value for name, value in values.items() if name in _FIELDS}
    return {"attributes": attributes, **fields}


def fields_of(tags: Iterable[str]) -> frozenset[str]:
    """The fields of a profile whose default tags are among ``tags``."""
    return frozenset(_FIELDS[tag] for tag in tags if tag in _FIELDS)


def _known(request: Mapping[str, object], names: Collection[str]) -> None:
    for name in request:
        if name not in names:
            raise InvalidRequest(f'unknown field "{name}"')


def _text(request: Mapping[str, object], name: str) -> None:
    if name not in request:
        raise InvalidRequest(f"{name} is missing")
    value = request[name]
    expect(isinstance(value, str), name, "a string", value)
    if not value:
        raise InvalidRequest(f"{name} must not be empty")


def _one_identity(request: Mapping[str, object], names: tuple[str, ...], complaint: str) -> None:
    given = [name for name in names if name in request]
    if len(given) != 1:
        raise InvalidRequest(complaint if not given else f"only one of {' and '.join(given)} should be set")
    _text(request, given[0])


def _check_values(values: object, most: int | None = None) -> None:
    if not isinstance(values, dict):
        expect(False, "tags", "an object", values)
        return
    if not values:
        raise InvalidRequest("tags must not be empty")
    if most is not None and len(values) > most:
        raise InvalidRequest(f"tags must be 1 to {most}, but they were {len(values)}")
    for name, value in values.items():
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        wanted = "a string, a number, a boolean, a list of strings, or null"
        expect(value is None or is_list or isinstance(value, str | int | float), f"tags.{name}", wanted, value)


def _device_type(request: Mapping[str, object]) -> None:
    if "device_type" in request:
        value = request["device_type"]
        expect(_whole(value) and value in PLATFORMS.values(), "device_type", "the number of a platform", value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
