"""Bodies as compact JSON: whatever an event can hold can be written, or is refused with a reason."""

from __future__ import annotations

import json
import math

import orjson

from sync.errors import InvalidEvent


def encoded(body: object) -> bytes:
    """The JSON text of ``body``; raises `InvalidEvent` when it is nested beyond what can be written.

    orjson knows no integer beyond 64 bits, no lone surrogate and no nesting beyond 254 levels; the standard library
    does. A number that is not finite is null, as JavaScript writes it.
    """
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        pass
    try:
        return json.dumps(_finite(body), separators=(",", ":")).encode("ascii")
    except RecursionError:
        raise InvalidEvent("What it became is nested too deeply to be sent.") from None


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
