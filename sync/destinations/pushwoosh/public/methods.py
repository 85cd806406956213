"""The body of each method, with the members in the order of the documentation. What is ``None`` is left out."""

from __future__ import annotations

from collections.abc import Mapping

JsonObject = dict[str, object]

JSON_ROOT = "/json/1.3"

REGISTER_USER = f"{JSON_ROOT}/registerUser"
SET_TAGS = f"{JSON_ROOT}/setTags"
GET_TAGS = f"{JSON_ROOT}/getTags"
POST_EVENT = f"{JSON_ROOT}/postEvent"
LIST_TAGS = f"{JSON_ROOT}/listTags"
DELETE_USER = "/api/v2/device-api/deleteUser"
BULK_SET_TAGS = "/api/v2/audience/bulkSetTags"


class Methods:
    """The bodies for one application. ``auth`` is the server token where it stands in place of a header."""

    def __init__(self, application: str, auth: str | None) -> None:
        self._application = application
        self._auth = auth

    def register_user(
        self, *, hwid: str, user_id: str, tz_offset: int | None = None, device_type: int | None = None
    ) -> JsonObject:
        """Link a device to a user. ``tz_offset`` in seconds ahead of UTC."""
        return self._request(hwid=hwid, userId=user_id, tz_offset=tz_offset, device_type=device_type)

    def set_tags(
        self, tags: Mapping[str, object], *, user_id: str | None = None, hwid: str | None = None
    ) -> JsonObject:
        """Set tags of a user, or of one device."""
        return self._request(hwid=hwid, userId=user_id, tags=tags)

    def get_tags(self, hwid: str) -> JsonObject:
        """Ask for the tags of a device."""
        return self._request(hwid=hwid)

    def post_event(
        self,
        event: str,
        *,
        hwid: str | None,
        user_id: str | None,
        attributes: Mapping[str, object],
        utc: int,
        local: int | None,
        device_type: int | None,
    ) -> JsonObject:
        """Say that an event happened, in whole seconds since 1970: ``utc``, and ``local`` as the user's clock shows it."""
        return self._request(
            event=event,
            hwid=hwid,
            userId=user_id,
            attributes=attributes,
            timestampUTC=utc,
            timestampCurrent=local,
            device_type=device_type,
        )

    def _request(self, **members: object) -> JsonObject:
        found: JsonObject = {"application": self._application}
        if self._auth is not None:
            found["auth"] = self._auth
        found.update((name, value) for name, value in members.items() if value is not None)
        return {"request": found}


def list_tags(auth: str) -> JsonObject:
    """Ask for all tags of the account; not every account may."""
    return {"request": {"auth": auth}}


def delete_user(application: str, user_id: str) -> JsonObject:
    """Delete a user with all devices; what the API calls v2 is not wrapped."""
    return {"application": application, "user_id": user_id}
