"""What the documented API answers to what it carries out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sync.destinations.sandbox.bulk import Job
from sync.destinations.sandbox.doors import flat, wrapped
from sync.destinations.sandbox.endpoints import Endpoint
from sync.destinations.sandbox.faults import Faults
from sync.destinations.sandbox.injector import Answer
from sync.destinations.sandbox.state import State
from sync.destinations.sandbox.validation import JsonObject


def tags_in(endpoint: Endpoint, request: JsonObject) -> JsonObject:
    """Every tag that a valid request names, with the last of its values."""
    if endpoint.action == "setTags":
        return dict(request["tags"])  # type: ignore[call-overload, no-any-return]
    found: JsonObject = {}
    if endpoint.action == "bulkSetTags":
        for device in request["devices"]:  # type: ignore[attr-defined]
            found.update(device["tags"])
    return found


def regular(
    endpoint: Endpoint,
    request: JsonObject,
    state: State,
    *,
    skipped: Collection[str],
    job: Job | None,
    faults: Faults,
) -> Answer:
    """The answer to a valid request when nothing is wrong."""
    if job is not None:
        return flat({"request_id": job.request_id, "status": "Pending"})
    if endpoint.action == "deleteUser":
        return flat({})
    response: object = None
    if endpoint.action == "setTags" and skipped:
        response = {"skipped": [{"tag": tag, "reason": "Not found"} for tag in sorted(skipped)]}
    elif endpoint.action == "getTags":
        response = {"result": _tags_of(request, state)}
    elif endpoint.action == "listTags":
        response = {"tags": state.tags.listed()}
    return replace(wrapped(response, base_url=faults.base_url), fault="skipped" if skipped and faults.skipped else None)


def _tags_of(request: JsonObject, state: State) -> JsonObject:
    user_id = request.get("userId") or state.links.get(str(request.get("hwid")))
    user = state.users.get(str(user_id))
    return {} if user is None else dict(user.attributes)
