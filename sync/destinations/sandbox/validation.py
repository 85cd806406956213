"""What a request must look like: who may come in, and what every body has in common. Whatever is wrong is named.

Stricter than the real service on purpose: a request that passes here has the documented shape and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

JsonObject = dict[str, object]
Pairs = list[tuple[str, object]]


class InvalidRequest(Exception):
    """The body is not what the endpoint takes; the message names the field and what is wrong with it.

    ``answer`` is what the client is told, where that is less.
    """

    def __init__(self, message: str, answer: str | None = None) -> None:
        super().__init__(message)
        self.answer = message if answer is None else answer


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may come in. ``None`` lets any non-empty key or application code pass."""

    api_keys: frozenset[str] | None = None
    app_codes: frozenset[str] | None = None

    def refusal(self, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """The HTTP status and message the real service answers to these headers, or ``None`` when they are right."""
        scheme, _, key = headers.get("Authorization", "").partition(" ")
        if scheme != "Token" or not _known(key.strip(), self.api_keys):
            return 401, "unauthorized"
        app_code = headers.get("X-PW-Appcode", "").strip()
        if not app_code:
            return 400, "missing application code"
        if not _known(app_code, self.app_codes):
            return 400, "application not found"
        return None


def _known(value: str, accepted: frozenset[str] | None) -> bool:
    return bool(value) if accepted is None else value in accepted


def check_content_type(headers: Mapping[str, str]) -> None:
    """Raise ``InvalidRequest`` unless the headers announce JSON."""
    media_type = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise InvalidRequest(f'header Content-Type must be application/json, but it was "{media_type[:100]}"')


def parse_object(raw: bytes) -> JsonObject:
    """The body as a JSON object without doubled keys; raises ``InvalidRequest``."""
    try:
        body = orjson.loads(raw)
        # orjson keeps the last of two equal keys without a word; only the standard parser lets us see both.
        json.loads(raw, object_pairs_hook=_refuse_duplicates)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"the body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise InvalidRequest(f"the body must be a JSON object, but it was {kind(body)}")
    return body


def _refuse_duplicates(pairs: Pairs) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise InvalidRequest(f'field "{twice}" is given twice')
    return members


def check_attributes(attributes: object) -> None:
    """Raise ``InvalidRequest`` unless this is an object of scalars, lists of scalars and nulls."""
    if not isinstance(attributes, dict):
        raise InvalidRequest(f"attributes must be an object, but it was {kind(attributes)}")
    for name, value in attributes.items():
        if isinstance(value, list):
            for place, item in enumerate(value):
                expect(_is_scalar(item), f"attributes.{name}[{place}]", "a string, a number or a boolean", item)
        else:
            wanted = "a string, a number, a boolean, a list of those, or null"
            expect(value is None or _is_scalar(value), f"attributes.{name}", wanted, value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float)


def expect(holds: bool, field: str, wanted: str, value: object) -> None:
    """Raise ``InvalidRequest`` about ``field`` unless the condition holds."""
    if not holds:
        raise InvalidRequest(f"{field} must be {wanted}, but it was {kind(value)}")


def kind(value: object) -> str:
    """What complaints call the value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a string"
    return "a list" if isinstance(value, list) else "an object"
