"""Turns the faults that are set into answers: one decision for each request, counted and drawn here."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import orjson

from sync.clock import Clock
from sync.destinations.sandbox.faults import Faults

JSON_HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}
DRIP_BYTES = 100
NO_FAULTS = Faults()


class Manner(StrEnum):
    """How an answer goes out on the wire."""

    WHOLE = "whole"
    DROPPED = "dropped"
    MALFORMED = "malformed"
    STREAMED = "streamed"
    DRIPPED = "dripped"


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. ``status`` is ``None`` when no HTTP answer goes out; ``fault`` names the fault that made it.

    ``applied`` says whether the request counts as accepted. ``size`` is the bytes of a streamed body, ``pace`` the
    seconds between two bytes of a dripped one.
    """

    status: int | None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    manner: Manner = Manner.WHOLE
    fault: str | None = None
    applied: bool = False
    size: int = 0
    pace: float = 0.0


ACCEPTED = Answer(200, applied=True)


def message(status: int, text: str, *, fault: str | None = None, **headers: str) -> Answer:
    """An answer ``{"message": text}``; not applied."""
    return Answer(status, orjson.dumps({"message": text}), {**JSON_HEADERS, **headers}, fault=fault)


def failure(action: str, text: str) -> Answer:
    """The 400 with which the real service refuses a body that it cannot decode."""
    body = {"action": action, "status": "failure", "error": {"message": text}}
    return Answer(400, orjson.dumps(body), JSON_HEADERS)


class Injector:
    """Holds the current faults and decides; the caller holds the lock. Random faults repeat with the same seed."""

    def __init__(self, clock: Clock, seed: int) -> None:
        self.faults = NO_FAULTS
        self._clock = clock
        self._random = random.Random(seed)  # noqa: S311 - faults must repeat, not surprise
        self._tokens = 0.0
        self._filled_at = 0.0

    def set(self, faults: Faults) -> None:
        """Use these faults from the next request on; a new rate limit starts with a full second's burst."""
        if faults.rate_limit != self.faults.rate_limit:
            self._tokens = max(faults.rate_limit or 0.0, 1.0)
            self._filled_at = self._clock.monotonic()
        self.faults = faults

    def instead(self, users: tuple[str, ...], refuse: Callable[[str], Answer]) -> Answer | None:
        """The answer given in place of the regular one to a request about ``users``, or ``None``.

        ``refuse`` words the refusal of a user.
        """
        faults = self.faults
        if faults == NO_FAULTS:
            return None
        if faults.status is not None:
            return self._forced(faults.status)
        if faults.redirect is not None:
            return message(302, "found", fault="redirect", Location=faults.redirect)
        if faults.rate_limit is not None and (limited := self._limited(faults.rate_limit)):
            return limited
        if self._happens(faults.error_rate):
            return message(500, "internal error", fault="error_rate")
        if not faults.fail_users.isdisjoint(users):
            # Of several events the real service does not say which one it refuses.
            refused = f'user "{users[0]}" is refused' if len(users) == 1 else "a user is refused"
            return replace(refuse(refused), fault="fail_users")
        if faults.status_code is not None:
            body = {"status_code": faults.status_code, "status_message": "as set by the fault status_code"}
            applied = faults.status_code == 200
            return Answer(200, orjson.dumps(body), JSON_HEADERS, fault="status_code", applied=applied)
        return None

    def afterwards(self) -> Answer:
        """The answer to a request that is applied."""
        faults = self.faults
        if faults == NO_FAULTS:
            return ACCEPTED
        if self._drops():
            return Answer(None, manner=Manner.DROPPED, fault="drop", applied=True)
        if faults.malformed:
            body = b"this is not HTTP\r\n\r\n"
            return Answer(None, body, manner=Manner.MALFORMED, fault="malformed", applied=True)
        if faults.garbage:
            return Answer(200, b"\x00\xff{not json", JSON_HEADERS, fault="garbage", applied=True)
        if faults.oversize is not None:
            return Answer(200, b"", JSON_HEADERS, Manner.STREAMED, fault="oversize", applied=True, size=faults.oversize)
        if faults.drip is not None:
            body = b"{}".rjust(DRIP_BYTES)
            return Answer(200, body, JSON_HEADERS, Manner.DRIPPED, fault="drip", applied=True, pace=faults.drip)
        if faults.skipped:
            tags = [{"tag": tag, "reason": "Not found"} for tag in sorted(faults.skipped)]
            body = orjson.dumps({"status_code": 200, "response": {"skipped": tags}})
            return Answer(200, body, JSON_HEADERS, fault="skipped", applied=True)
        return ACCEPTED

    def _forced(self, status: int) -> Answer:
        faults = self.faults
        if faults.status_count == 1:
            self.faults = replace(faults, status=None, status_count=None, retry_after=None)
        elif faults.status_count is not None:
            self.faults = replace(faults, status_count=faults.status_count - 1)
        headers = _retry_after(faults.retry_after)
        if status in {204, 205, 304}:
            return Answer(status, headers=headers, fault="status", applied=status < 300)
        return replace(message(status, "as set by the fault status", fault="status", **headers), applied=status < 300)

    def _limited(self, rate: float) -> Answer | None:
        now = self._clock.monotonic()
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return None
        seconds = max(1, math.ceil((1 - self._tokens) / rate))
        headers = {"Retry-After": str(seconds)} if self.faults.rate_limit_retry_after else {}
        return message(429, "too many requests", fault="rate_limit", **headers)

    def _drops(self) -> bool:
        left = self.faults.drop_count
        if left is None:
            return self._happens(self.faults.drop_rate)
        self.faults = replace(self.faults, drop_count=left - 1 if left > 1 else None)
        return True

    def _happens(self, share: float) -> bool:
        return share > 0 and self._random.random() < share


def _retry_after(value: float | str | None) -> dict[str, str]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return {} if value is None else {"Retry-After": str(value)}
