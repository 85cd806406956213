"""Structured log events, the step signals that tests wait on, and the process's counters.

One event per change of state: a dotted name and plain fields. Users appear hashed, never by id; trait values, secrets
and request bodies are never fields. Whoever wants to stop at a step (the crash tests do) adds a listener.

Counters only grow, and start anew with the process: that is what a scraper of metrics expects. Their labels are names
of the configuration and words of our own, so that there are only so many of them.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable

import orjson

Listener = Callable[[str, dict[str, object]], None]
Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order of the names."""

_log = logging.getLogger("sync")
_listeners: list[Listener] = []
_counting = threading.Lock()
_counters: dict[str, Counter[Labels]] = {}


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


def count(name: str, amount: float = 1, /, **labels: str) -> None:
    """Add to a counter of this process, e.g. ``count("runs", definition="big_spenders", status="failed")``."""
    with _counting:
        counter = _counters.setdefault(name, Counter())
        counter[tuple(sorted(labels.items()))] += amount  # type: ignore[assignment]  # a Counter holds floats as well


def counted(name: str) -> dict[Labels, float]:
    """What a counter has come to, by its labels."""
    with _counting:
        return dict(_counters.get(name, {}))


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
