"""Requests to Pushwoosh's integration endpoint, and the reading of its answers.

The address and the headers are made once: a request costs a few microseconds. The token appears in the header only;
it is removed from whatever an answer repeats.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import httpx
import orjson

from sync import __version__
from sync.clock import Clock, SystemClock
from sync.destinations.pushwoosh import answers
from sync.destinations.pushwoosh.profile import profile
from sync.errors import ConfigurationError
from sync.model.outcome import Outcome

_TRACK_USER = "/integration-segment/v1/track-user"
_PING = "/integration-segment/v1/ping"
_PING_BODY = b'{"body":{"name":"test_segment_auth"}}'
_HEADER_TEXT = re.compile(r"[\x20-\x7e]*")


class Pushwoosh:
    """One configured Pushwoosh application. ``base_url`` is scheme and host, without the path.

    Raises :class:`ConfigurationError` when the key or the code cannot stand in a header.
    """

    def __init__(self, *, name: str, api_key: str, app_code: str, base_url: str, clock: Clock | None = None) -> None:
        for setting, value in (("API key", api_key), ("application code", app_code)):
            if not _HEADER_TEXT.fullmatch(value):
                problem = f"destination {name}: the {setting} holds a character that cannot stand in an HTTP header"
                raise ConfigurationError([problem])
        self.name = name
        self._secrets = (api_key,)
        self._clock = clock or SystemClock()
        base = base_url.rstrip("/")
        self._track_user = httpx.URL(base + _TRACK_USER)
        self._ping = httpx.URL(base + _PING)
        self._headers = httpx.Headers(
            [
                (b"Host", self._ping.netloc),
                (b"Authorization", b"Token " + api_key.encode("ascii")),
                (b"X-PW-Appcode", app_code.encode("ascii")),
                (b"Content-Type", b"application/json"),
                (b"User-Agent", b"engage-sync/" + __version__.encode("ascii")),
            ]
        )

    def requests_for(self, event: dict[str, object]) -> list[httpx.Request]:
        """The requests that carry ``event``, in order; none when no mapping takes events of its type."""
        if event.get("type") != "identify":
            return []
        return [self._post(self._track_user, _encoded(profile(event)))]

    def ping(self) -> httpx.Request:
        """The credentials test: 2xx means that the token fits the application."""
        return self._post(self._ping, _PING_BODY)

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What Pushwoosh's answer means; ``headers`` with names in any case, as httpx has them."""
        return answers.read_answer(status, headers, body, now=self._clock.now(), secrets=self._secrets)

    def _post(self, url: httpx.URL, body: bytes) -> httpx.Request:
        # With `stream` httpx leaves the headers alone; `content` would parse and normalise them for every request. The
        # transport adds Content-Length.
        request = httpx.Request("POST", url, headers=self._headers, stream=httpx.ByteStream(body))
        request.read()
        return request


def _encoded(body: dict[str, object]) -> bytes:
    """Compact JSON. orjson knows no integer beyond 64 bits and no lone surrogate; the standard library does."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        return json.dumps(body, separators=(",", ":")).encode("ascii")
