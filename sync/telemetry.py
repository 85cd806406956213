"""Structured log events and the step signals that tests wait on.

One event per change of state: a dotted name and plain fields. Users appear hashed, never by id; trait values, secrets
and request bodies are never fields. Whoever wants to stop at a step (the crash tests do) adds a listener.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

import orjson

Listener = Callable[[str, dict[str, object]], None]

_log = logging.getLogger("sync")
_listeners: list[Listener] = []


def event(name: str, /, *, level: int = logging.INFO, **fields: object) -> None:
    """Report one change of state, e.g. ``event("refresh.staged", definition="big_spenders", rows=12)``."""
    if _log.isEnabledFor(level):
        _log.log(level, name, extra={"fields": fields})
    for listener in _listeners:
        listener(name, fields)


def step(name: str, /, **fields: object) -> None:
    """A step of the protocol was taken (debug level): the places where a crash must be harmless."""
    event(name, level=logging.DEBUG, **fields)


def listen(listener: Listener) -> Callable[[], None]:
    """Call ``listener(name, fields)`` at every event from now on; returns the function that stops it."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)


def user_hash(user_id: str) -> str:
    """Twelve hex digits standing for a user in logs."""
    return hashlib.sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class JsonFormatter(logging.Formatter):
    """One JSON object per line: ``time``, ``level``, ``event`` and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def configure(level: int) -> None:
    """Send our events to stderr as JSON lines from ``level`` up."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    _log.handlers[:] = [handler]
    _log.setLevel(level)
    _log.propagate = False
