"""Who may come in by the documented API, and how its answers look.

A request that comes with the wrong kind of token is told so; the real service refuses it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from sync.destinations.sandbox.endpoints import Door, Endpoint
from sync.destinations.sandbox.injector import JSON_HEADERS, Answer, message
from sync.destinations.sandbox.validation import InvalidRequest, JsonObject, check_content_type, parse_object

_FORBIDDEN = "Token restrictions forbid this operation"
_WRAPPED = frozenset({Door.DEVICE, Door.ACCOUNT})


class Refused(Exception):
    """The request does not get in. ``answer`` is what goes back, the message is the complaint."""

    def __init__(self, answer: Answer, complaint: str) -> None:
        super().__init__(complaint)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class PublicDoors:
    """The documented API's doors. ``None`` lets any non-empty token or application code pass."""

    device_tokens: frozenset[str] | None = None
    server_tokens: frozenset[str] | None = None
    app_codes: frozenset[str] | None = None

    def enter(self, endpoint: Endpoint, headers: Mapping[str, str], raw: bytes, *, argument_status: int) -> JsonObject:
        """The request without its envelope; raises `Refused`. Tokens are looked at before anything else."""
        try:
            check_content_type(headers)
            request = _unwrapped(endpoint, parse_object(raw))
        except InvalidRequest as error:
            raise Refused(argument_error(endpoint, str(error), argument_status), str(error)) from None
        self._check_token(endpoint, headers, request.pop("auth", None))
        try:
            code = request.pop("application", None)
            if endpoint.door is not Door.ACCOUNT:
                self._check_application(code)
            endpoint.check(request, str(code))
        except InvalidRequest as error:
            raise Refused(argument_error(endpoint, str(error), argument_status), str(error)) from None
        return request

    def may_ask(self, headers: Mapping[str, str]) -> bool:
        """Whether somebody may ask for the state of a bulk request: without a token, or with one that is known."""
        header = _header(headers)
        return header is None or _accepts(self.server_tokens, header) or _accepts(self.device_tokens, header)

    def _check_token(self, endpoint: Endpoint, headers: Mapping[str, str], auth: object) -> None:
        header = _header(headers)
        if endpoint.door is Door.PEOPLE:
            known = _accepts(self.device_tokens, header) or _accepts(self.server_tokens, header)
            if auth is not None or not known:
                raise Refused(message(401, "unauthorized"), "unauthorized")
            return
        if header is not None and auth is not None and endpoint.door is Door.DEVICE:
            complaint = "there is a token in the header and another one in auth"
            raise Refused(argument_error(endpoint, complaint, 400), complaint)
        if _accepts(self.server_tokens, auth):
            return
        if endpoint.door is Door.DEVICE and _accepts(self.device_tokens, header):
            return
        if _is_of_the_other_kind(self.device_tokens, auth) or _is_of_the_other_kind(self.server_tokens, header):
            raise Refused(_forbidden(endpoint), _FORBIDDEN)
        raise Refused(message(401, "unauthorized"), "unauthorized")

    def _check_application(self, code: object) -> None:
        if not _accepts(self.app_codes, code):
            raise InvalidRequest("application code is not valid")


def argument_error(endpoint: Endpoint, text: str, status: int) -> Answer:
    """The answer to a request that cannot be carried out: 210 in a 400, or as the documentation has it in a 200."""
    if endpoint.door in _WRAPPED:
        return wrapped(None, status=status, code=210, text=text)
    return message(400, text if text == "application code is not valid" else "invalid request")


def wrapped(
    response: object, *, status: int = 200, code: int = 200, text: str = "OK", base_url: str | None = None
) -> Answer:
    """An answer in the envelope of ``json/1.3``."""
    body = {"status_code": code, "status_message": text, "response": response}
    if base_url is not None:
        body["base_url"] = base_url
    return Answer(status, orjson.dumps(body), JSON_HEADERS, applied=status == code == 200)


def flat(body: JsonObject) -> Answer:
    """An answer of ``api/v2``."""
    return Answer(200, orjson.dumps(body), JSON_HEADERS, applied=True)


def _unwrapped(endpoint: Endpoint, body: JsonObject) -> JsonObject:
    if endpoint.door not in _WRAPPED:
        return body
    request = body.get("request")
    if set(body) != {"request"} or not isinstance(request, dict):
        raise InvalidRequest('the body must be {"request": {...}}')
    return request


def _forbidden(endpoint: Endpoint) -> Answer:
    if endpoint.door in _WRAPPED:
        return wrapped(None, code=403, text=_FORBIDDEN)
    return message(403, _FORBIDDEN)


def _header(headers: Mapping[str, str]) -> str | None:
    """The token in the header; an empty text when there is something else."""
    text = headers.get("Authorization")
    if text is None:
        return None
    scheme, _, token = text.partition(" ")
    return token.strip() if scheme == "Token" else ""


def _accepts(known: frozenset[str] | None, token: object) -> bool:
    if not isinstance(token, str) or not token:
        return False
    return known is None or token in known


def _is_of_the_other_kind(known: frozenset[str] | None, token: object) -> bool:
    return known is not None and isinstance(token, str) and token in known
