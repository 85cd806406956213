"""Requests to Pushwoosh's integration endpoint, and the reading of its answers.

Mappings decide which requests an event becomes. Addresses and headers are made once: a request costs a few
microseconds. The token appears in the header only; it is removed from whatever an answer repeats.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import httpx
import orjson

from sync import __version__
from sync.clock import Clock, SystemClock
from sync.destinations.mapped import BODY, ONCE, READ, Batched, Mapped, Part, Prepared
from sync.destinations.pushwoosh import answers
from sync.destinations.pushwoosh.actions import CALLS, presets
from sync.destinations.pushwoosh.batching import Batching
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.route import Route, label_of
from sync.errors import ConfigurationError, InvalidEvent
from sync.mapping import mapping
from sync.model.outcome import Outcome

DEFAULT_BASE_URL = "https://integration-segment.svc-nue.pushwoosh.com"

_ROOT = "/integration-segment/v1"
_PING = "/ping"
_DELETE_USER = "/delete-user"
_PING_BODY = b'{"body":{"name":"test_segment_auth"}}'
_HEADER_TEXT = re.compile(r"[\x20-\x7e]*")


class Pushwoosh:
    """One configured Pushwoosh application. ``base_url`` is scheme and host, without the path.

    ``mappings`` are the enabled ones, in order; the presets when left out.

    Raises :class:`ConfigurationError` when the key or the code cannot stand in a header.
    """

    def __init__(
        self,
        *,
        name: str,
        api_key: str,
        app_code: str,
        base_url: str,
        mappings: Sequence[mapping.Mapping] | None = None,
        clock: Clock | None = None,
    ) -> None:
        for setting, value in (("API key", api_key), ("application code", app_code)):
            if not _HEADER_TEXT.fullmatch(value):
                problem = f"destination {name}: the {setting} holds a character that cannot stand in an HTTP header"
                raise ConfigurationError([problem])
        self.name = name
        self._secrets = (api_key,)
        self._app_code = app_code
        self._clock = clock or SystemClock()
        root = base_url.rstrip("/") + _ROOT
        self._ping = httpx.URL(root + _PING)
        self._delete_user = httpx.URL(root + _DELETE_USER)
        urls = {slug: httpx.URL(root + call.path) for slug, call in CALLS.items()}
        chosen = presets() if mappings is None else mappings
        self._routes = tuple(_route(each, chosen, urls) for each in chosen)
        self._places = {call.path: (urls[slug], call.envelope) for slug, call in CALLS.items()}
        self._headers = httpx.Headers(
            [
                (b"Host", self._ping.netloc),
                (b"Authorization", b"Token " + api_key.encode("ascii")),
                (b"X-PW-Appcode", app_code.encode("ascii")),
                (b"Content-Type", b"application/json"),
                (b"User-Agent", b"engage-sync/" + __version__.encode("ascii")),
            ]
        )

    def requests_for(self, event: dict[str, object]) -> Mapped:
        """The requests that carry ``event`` alone, in order of the mappings, and why others cannot."""
        mapped = Mapped([], [])
        for route in self._routes:
            if not route.mapping.matches(event):
                continue
            try:
                body = route.call.body(route.mapping.payload(event), self._app_code)
                if route.call.envelope is not None:
                    body = route.call.envelope([body])
                mapped.requests.append(self._post(route.url, encoded(body), once=route.call.envelope is not None))
            except InvalidEvent as error:
                mapped.refusals.append(f"{route.label}{error}")
        return mapped

    def batches_for(self, events: Sequence[dict[str, object]], *, where_enabled: bool = False) -> Batched:
        """The requests that carry ``events`` together, at most 100 in one, in their order for each user.

        An action without a batch form makes a request for each event. With ``where_enabled`` so does an event whose
        mapping does not say ``enable_batching``.
        """
        batching = Batching(self._post)
        for index, event in enumerate(events):
            for route in self._routes:
                if not route.mapping.matches(event):
                    continue
                try:
                    payload = route.mapping.payload(event)
                    alone = where_enabled and payload.get("enable_batching") is not True
                    batching.add(index, route, route.call.body(payload, self._app_code), alone=alone)
                except InvalidEvent as error:
                    batching.refuse(index, f"{route.label}{error}")
        return batching.finish()

    def prepare(self, event: dict[str, object]) -> Prepared:
        """What ``event`` becomes by every mapping that takes it, to be sent alone or with others by `request_of`."""
        parts: list[Part] = []
        refusals: list[str] = []
        for route in self._routes:
            if not route.mapping.matches(event):
                continue
            try:
                payload = route.mapping.payload(event)
                join = payload.get("enable_batching") is True
                text = encoded(route.call.body(payload, self._app_code))
            except InvalidEvent as error:
                refusals.append(f"{route.label}{error}")
                continue
            together = route.call.envelope is not None
            parts.append(Part(route.call.path, text, join=join and together, once=together))
        return Prepared(tuple(parts), tuple(refusals))

    def request_of(self, parts: Sequence[Part]) -> httpx.Request:
        """One request of parts that go to the same place; of one part where they do not join."""
        url, envelope = self._places[parts[0].to]
        if envelope is None:
            return self._post(url, parts[0].text)
        return self._post(url, encoded(envelope([orjson.Fragment(part.text) for part in parts])), once=True)

    def ping(self) -> httpx.Request:
        """The credentials test: 2xx means that the token fits the application."""
        return self._post(self._ping, _PING_BODY)

    def delete_user(self, user_id: str) -> httpx.Request:
        """Delete a user and all that is known about them."""
        request = self._post(self._delete_user, encoded({"external_id": user_id}))
        request.extensions[READ] = self._read_deletion
        return request

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What Pushwoosh's answer means; ``headers`` with names in any case, as httpx has them."""
        return answers.read_answer(status, headers, body, now=self._clock.now(), secrets=self._secrets)

    def _read_deletion(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return answers.read_deletion(self.read_answer(status, headers, body), body)

    def _post(self, url: httpx.URL, body: bytes, *, once: bool = False) -> httpx.Request:
        # With `stream` httpx leaves the headers alone; `content` would parse and normalise them for every request. The
        # transport adds Content-Length.
        extensions = {BODY: body, ONCE: once}
        return httpx.Request("POST", url, headers=self._headers, stream=httpx.ByteStream(body), extensions=extensions)


def _route(chosen: mapping.Mapping, among: Sequence[mapping.Mapping], urls: Mapping[str, httpx.URL]) -> Route:
    slug = chosen.action.slug
    return Route(chosen, CALLS[slug], urls[slug], label_of(chosen, among))
