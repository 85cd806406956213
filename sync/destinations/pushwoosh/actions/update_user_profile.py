"""*Create or Update User Profiles*: an identify becomes the body of ``track-user``."""

from __future__ import annotations

from sync.destinations.pushwoosh.actions.call import Call, JsonObject
from sync.errors import InvalidEvent
from sync.mapping.action import Action, Field, Type


def _text(key: str, title: str, path: str, description: str) -> Field:
    """A text that can be cleared with null."""
    return Field(key, title, (Type.STRING,), description, nullable=True, default={"@path": path})


def _number(key: str, title: str, path: str) -> Field:
    return Field(key, title, (Type.NUMBER,), f"The {key} in degrees.", default={"@path": path})


_LOCATION = (
    _number("latitude", "Latitude", "$.context.location.latitude"),
    _number("longitude", "Longitude", "$.context.location.longitude"),
)

ACTION = Action(
    slug="updateUserProfile",
    title="Create or Update User Profiles",
    preset="Create or Update User Profile",
    subscribe='type = "identify"',
    fields=(
        Field(
            "external_id",
            "External User ID",
            (Type.STRING,),
            "The id by which your systems know the user.",
            default={"@path": "$.userId"},
        ),
        _text("email", "Email", "$.traits.email", "The user's e-mail address."),
        _text("app_version", "App Version", "$.context.app.version", "The version of the app in use."),
        _text("device_id", "Device ID", "$.context.device.id", "The id of the device."),
        _text("device_model", "Device Model", "$.context.device.model", "The model of the device."),
        _text("device_platform", "Device Platform", "$.context.device.type", "ios, android or web."),
        _text("device_token", "Device Token", "$.context.device.token", "The device's token for push messages."),
        _text("language", "Language", "$.context.locale", "The user's language, such as en-US."),
        _text("country", "Country", "$.context.location.country", "The country the user is in."),
        _text("city", "City", "$.context.location.city", "The city the user is in."),
        Field(
            "current_location",
            "Current Location",
            (Type.OBJECT,),
            "Where the user is.",
            properties=_LOCATION,
            default={each.key: each.default for each in _LOCATION},
        ),
        _text("device_os_version", "Device OS Version", "$.context.os.version", "The version of the operating system."),
        _text("timezone", "Timezone", "$.context.timezone", "By its name in the tz database, such as Europe/Oslo."),
        _text("user_agent", "User Agent", "$.context.userAgent", "The user agent of the device."),
        Field(
            "custom_attributes",
            "Custom Attributes",
            (Type.OBJECT,),
            "What else is known about the user; names of this action's own fields are left out.",
            default={"@path": "$.traits"},
        ),
    ),
)

RESERVED = frozenset(each.key for each in ACTION.fields)
"""Names that are removed from the attributes: first level and exact case only."""


def body(payload: JsonObject, app_code: str) -> JsonObject:  # noqa: ARG001 - the code travels in the header alone
    """The body of ``track-user``; its keys after the first two stand in the order of the fields."""
    user_id = payload.pop("external_id", None)
    if not user_id and not payload.get("device_id"):
        raise InvalidEvent("It identifies nobody: it has neither an external_id nor a device_id.")
    attributes = payload.pop("custom_attributes", None)
    if not payload.get("current_location", True):
        del payload["current_location"]
    found: JsonObject = {"attributes": _attributes(attributes)}
    if user_id is not None:
        found["user_id"] = user_id
    found.update(payload)
    return found


def _attributes(found: object) -> JsonObject:
    if not isinstance(found, dict):
        return {}
    if RESERVED.isdisjoint(found):
        return found
    return {key: value for key, value in found.items() if key not in RESERVED}


CALL = Call(ACTION, "/track-user", body)
