"""What would be sent for given events: the requests, without sending them, and without the secret.

One line in, one line out. A line may bring its own action, trigger, mapping and settings; what it leaves out comes from
the configured destination, where there is one, and else from the presets. What lines have in common is compiled once.

A line's own trigger may hold what Segment skips, or reads as something that nobody means: this is the place to find out
what Segment does with it. A configuration with such a trigger is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from typing import TypeVar

import httpx
import orjson

from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.pushwoosh.transport import AnyPushwoosh, Transport, connected
from sync.errors import ConfigurationError, InvalidEvent, InvalidMapping, InvalidSubscription, MappingError
from sync.mapping.action import Action
from sync.mapping.mapping import Mapping, compile_subscription
from sync.mapping.values import text_of

JsonObject = dict[str, object]

_Kind = TypeVar("_Kind", Transport, TokenKind)

_COMPILED = 256
"""Different combinations of settings, action, trigger and mapping that are kept compiled."""

_SECRET = "***"  # noqa: S105 - what stands in a secret's place
_NOBODY = "not subscribed: no trigger takes this event"
_SETTINGS = {"pushwooshAPIKey": "api_key", "pushwooshAppCode": "app_code"}
"""Segment's names of the settings, and ours."""

_OURS = ("api_key", "app_code", "base_url", "transport", "token")

_LARGEST_KEPT = 64 * 1024
"""Bytes; larger overrides are compiled for their line alone, so that memory stays flat."""


class InvalidSettings(MappingError):
    """The settings of a line cannot be used."""


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (InvalidEvent, "invalid_event"),
    (InvalidMapping, "invalid_mapping"),
    (InvalidSubscription, "invalid_subscription"),
    (InvalidSettings, "invalid_settings"),
)


@dataclass(frozen=True, slots=True)
class Configured:
    """What lines fall back to: settings, where there are any, and the enabled mappings (``None`` = the presets).

    ``base_url`` is that of ``transport``; ``None`` is the transport's own.
    """

    base_url: str | None = None
    api_key: str | None = None
    app_code: str | None = None
    mappings: tuple[Mapping, ...] | None = None
    transport: Transport = Transport.SEGMENT
    token: TokenKind = TokenKind.DEVICE


class Preview:
    """Answers lines of the form ``{"event": {…}}`` or ``{"events": [{…}, …]}``, the latter always as one batch.

    ``configured`` gives what lines fall back to; it is told whether a line cannot do without, and may raise
    `InvalidSettings` then.
    """

    def __init__(self, configured: Callable[[bool], Configured]) -> None:
        self._configured = configured
        self._kept = lru_cache(_COMPILED)(self._compiled)

    def answer(self, line: object) -> JsonObject:
        """``{"requests", "skipped", "error"}``, ready for ``orjson.dumps``; never raises."""
        try:
            if not isinstance(line, dict):
                raise InvalidEvent('a line must be an object like {"event": {…}}')
            own = {name: line.get(name) for name in ("settings", "action", "subscribe", "mapping") if name in line}
            destination = self._destination(encoded(own))
            if ("event" in line) == ("events" in line):
                raise InvalidEvent("a line must have either `event` or `events`")
            return _single(destination, line["event"]) if "event" in line else _batch(destination, line["events"])
        except MappingError as error:
            return _answer(error=refusal(error))

    def _destination(self, line: bytes) -> AnyPushwoosh:
        return self._kept(line) if len(line) <= _LARGEST_KEPT else self._compiled(line)

    def _compiled(self, line: bytes) -> AnyPushwoosh:
        own: JsonObject = json.loads(line)
        given = _given(own.get("settings"))
        configured = self._configured(not {"api_key", "app_code"} <= given.keys())
        settings = _settings(configured, given)
        mappings = _mappings(configured, own)
        try:
            return connected(
                settings.transport,
                name="preview",
                # The documented API may have its token in the body, where nothing could take it out any more.
                api_key=(settings.api_key or "") if settings.transport is Transport.SEGMENT else _SECRET,
                token=settings.token,
                app_code=settings.app_code or "",
                base_url=settings.base_url or settings.transport.base_url,
                mappings=mappings,
            )
        except ConfigurationError as error:
            raise InvalidSettings(error.problems[0]) from error


def refusal(error: Exception) -> JsonObject:
    """``{"kind", "message"}`` for one of the declared errors."""
    kind = next(kind for declared, kind in _KINDS if isinstance(error, declared))
    return {"kind": kind, "message": str(error)}


def _given(settings: object) -> dict[str, str]:
    """The settings of a line, by our names."""
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise InvalidSettings("settings must be an object with `api_key` and `app_code`")
    named = {_SETTINGS.get(name, name): value for name, value in settings.items() if value is not None}
    return {name: _setting(name, value) for name, value in named.items() if name in _OURS}


def _settings(configured: Configured, given: dict[str, str]) -> Configured:
    transport = _one_of(Transport, "transport", given.get("transport", configured.transport))
    base_url = configured.base_url if transport is configured.transport else None
    found = replace(
        configured,
        api_key=given.get("api_key", configured.api_key),
        app_code=given.get("app_code", configured.app_code),
        base_url=_address(given["base_url"]) if "base_url" in given else base_url,
        transport=transport,
        token=_one_of(TokenKind, "token", given.get("token", configured.token)),
    )
    missing = [name for name, value in (("api_key", found.api_key), ("app_code", found.app_code)) if value is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise InvalidSettings(f"{' and '.join(missing)} {verb} missing: add to `settings`, or name a configuration")
    return found


def _one_of(kinds: type[_Kind], name: str, given: str) -> _Kind:
    try:
        return kinds(given)
    except ValueError:
        raise InvalidSettings(f"settings: {name} must be {' or '.join(f'`{each}`' for each in kinds)}") from None


def _setting(name: str, value: object) -> str:
    """As Segment reads a setting: text as it is, numbers and booleans as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, int, float)):
        return text_of(value)
    raise InvalidSettings(f"settings: {name} must be text")


def _address(text: str) -> str:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host or url.userinfo or url.query or url.fragment:
        raise InvalidSettings("settings: base_url must be scheme and host, like https://host")
    return text


def _mappings(configured: Configured, own: JsonObject) -> Sequence[Mapping] | None:
    """The mappings that the line asks for; ``None`` = the presets."""
    if not {"action", "subscribe", "mapping"} & own.keys():
        return configured.mappings
    if "mapping" in own and "action" not in own:
        raise InvalidMapping([((), "`mapping` needs `action`: " + " or ".join(ACTIONS))])
    actions = [_action(own["action"])] if "action" in own else list(ACTIONS.values())
    return [_mapping(action, own) for action in actions]


def _mapping(action: Action, own: JsonObject) -> Mapping:
    subscribe = own.get("subscribe", action.subscribe)
    if not isinstance(subscribe, str):
        raise InvalidSubscription("the trigger must be text", 1)
    mapping = own.get("mapping", action.default_mapping())
    return compile_subscription(action.preset, action, subscribe, mapping, tolerant=True)


def _action(slug: object) -> Action:
    if isinstance(slug, str) and slug in ACTIONS:
        return ACTIONS[slug]
    close = get_close_matches(str(slug), ACTIONS, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"use one of {', '.join(ACTIONS)}"
    raise InvalidMapping([((), f"there is no such action: {hint}")])


def _single(destination: AnyPushwoosh, event: object) -> JsonObject:
    mapped = destination.requests_for(_event(event))
    skipped: list[JsonObject] = [] if mapped.requests or mapped.refusals else [{"reason": _NOBODY}]
    error = refusal(InvalidEvent("; ".join(mapped.refusals))) if mapped.refusals else None
    return _answer([_request(each) for each in mapped.requests], skipped, error)


def _batch(destination: AnyPushwoosh, events: object) -> JsonObject:
    if not isinstance(events, list):
        raise InvalidEvent("`events` must be a list of events")
    usable = [(index, event) for index, event in enumerate(events) if isinstance(event, dict)]
    refused = [
        (index, "an event must be an object") for index, event in enumerate(events) if not isinstance(event, dict)
    ]
    batched = destination.batches_for([event for _, event in usable])
    refused += [(usable[place][0], reason) for place, reason in batched.refusals]
    sent = {usable[place][0] for batch in batched.batches for place in batch.indexes}
    refused += [(index, _NOBODY) for index in set(range(len(events))) - sent - {index for index, _ in refused}]
    skipped: list[JsonObject] = [{"event": index, "reason": reason} for index, reason in sorted(refused)]
    return _answer([_request(each.request) for each in batched.batches], skipped)


def _event(value: object) -> JsonObject:
    if not isinstance(value, dict):
        raise InvalidEvent("an event must be an object")
    return value


def _answer(
    requests: Sequence[JsonObject] = (), skipped: Sequence[JsonObject] = (), error: JsonObject | None = None
) -> JsonObject:
    return {"requests": requests, "skipped": skipped, "error": error}


def _request(request: httpx.Request) -> JsonObject:
    # The body is JSON already: it goes into the line as it is.
    body = orjson.Fragment(request.read())
    return {"method": request.method, "url": str(request.url), "headers": _shown(request.headers), "json": body}


def _shown(headers: httpx.Headers) -> JsonObject:
    shown: JsonObject = {name.decode("ascii"): value.decode("ascii") for name, value in headers.raw if name != b"Host"}
    if "Authorization" in shown:
        shown["Authorization"] = f"Token {_SECRET}"
    return shown
