"""*Track Event*: a track, a page or a screen becomes an item of ``post-events``, alone or with others."""

from __future__ import annotations

from sync.destinations.pushwoosh.actions.call import Call, JsonObject
from sync.mapping.action import Action, Field, Type

ACTION = Action(
    slug="trackEvent",
    title="Track Event",
    preset="Track Events",
    subscribe='type = "track" or type = "page" or type = "screen"',
    fields=(
        Field(
            "external_id",
            "External User ID",
            (Type.STRING,),
            "The id by which your systems know the user.",
            required=True,
            default={"@path": "$.userId"},
        ),
        Field(
            "device_id",
            "Device ID",
            (Type.STRING,),
            "The id of the device.",
            nullable=True,
            default={"@path": "$.context.device.id"},
        ),
        Field(
            "device_platform",
            "Device Platform",
            (Type.STRING,),
            "ios, android or web.",
            nullable=True,
            default={"@path": "$.context.device.type"},
        ),
        Field(
            "name",
            "Name",
            (Type.STRING,),
            "What happened, or the page or screen that was seen.",
            required=True,
            default={
                "@if": {"exists": {"@path": "$.event"}, "then": {"@path": "$.event"}, "else": {"@path": "$.name"}}
            },
        ),
        Field(
            "timestamp",
            "Timestamp",
            (Type.STRING, Type.NUMBER),
            "When it happened: ISO 8601, or seconds since 1970.",
            required=True,
            date=True,
            default={"@path": "$.timestamp"},
        ),
        Field(
            "properties",
            "Event Properties",
            (Type.OBJECT,),
            "What else is known about the event.",
            default={"@path": "$.properties"},
        ),
        Field(
            "enable_batching",
            "Batch Data to Pushwoosh",
            (Type.BOOLEAN,),
            "Whether events may travel together, up to 100 in a request.",
            default=False,
        ),
    ),
)


def item(payload: JsonObject, app_code: str) -> JsonObject:
    """One event; it carries the application code, in a batch too."""
    found: JsonObject = {"user_id": payload["external_id"]}
    if "device_id" in payload:
        found["device_id"] = payload["device_id"]
    if "device_platform" in payload:
        found["device_platform"] = payload["device_platform"]
    found["app_code"] = app_code
    found["name"] = payload["name"]
    found["timestamp"] = payload["timestamp"]
    if "properties" in payload:
        found["attributes"] = payload["properties"]
    return found


CALL = Call(ACTION, "/post-events", item, envelope=lambda items: {"events": items})
