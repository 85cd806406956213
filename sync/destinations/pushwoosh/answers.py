"""What Pushwoosh's answers mean: the HTTP status first, then what its JSON body says against it.

Pushwoosh answers 200 to requests it did not carry out and names the truth in ``status_code``; it answers 400 both for
one user's bad data and for a wrong application code; and it lists the tags it skipped in a success.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from sync.destinations.answers import clean, retry_after_seconds, verdict_for
from sync.model.outcome import DEFERRED, Outcome, Verdict

_OK = 200
_ARGUMENT_ERRORS = (210, 400, 422)
_NOT_FOUND = 404

_ABOUT_THE_APPLICATION = re.compile(r"\bapplication\b|\bapp[ _-]?code\b", re.IGNORECASE)
"""``application not found``, ``missing application code``, ``application code is not valid``. A bare ``code`` is not
enough: a message about one user's country code must not stop the destination."""

_ABOUT_ONE_THING = re.compile(r"\b(?:event|tag|user|hwid|device)\b", re.IGNORECASE)
"""What is not there (404) is the matter of one user or event, unless it is the method or the application."""

_ABOUT_THE_WAY = re.compile(
    r"\b(?:application|app[ _-]?code|route|path|page|endpoint|method|url|host)\b", re.IGNORECASE
)
"""A 404 that says so is about where we ask, and not about whom."""

_MOST_WARNINGS = 20

_ACCEPTED = {status: Outcome(Verdict.ACCEPTED, status) for status in range(200, 300)}
"""The usual answer to a profile: a success with nothing in it."""


def read_answer(
    status: int, headers: Mapping[str, str], body: bytes, *, now: datetime, secrets: tuple[str, ...]
) -> Outcome:
    """The outcome of one answered exchange. ``secrets`` never appear in it, even if the answer repeats them."""
    if not body and 200 <= status <= 299:
        return _ACCEPTED[status]
    success = 200 <= status <= 299
    retry_after = None if success else retry_after_seconds(headers.get("retry-after"), now)
    answer = _json_object(body)
    message = _message(answer)
    verdict = verdict_for(status, retry_after=retry_after)
    if verdict is Verdict.ACCEPTED:
        verdict = _verdict_in_body(answer, message)
    elif status == 400:
        verdict = _verdict_of_400(answer, message)
    accepted = verdict is Verdict.ACCEPTED
    return Outcome(
        verdict,
        status,
        detail="" if accepted else _detail(status, message, body, secrets),
        retry_after=retry_after if verdict in DEFERRED else None,
        warnings=tuple(skipped_sentence(each, secrets) for each in _skipped(answer)) if accepted else (),
        code=_code(answer) if (success or status == 400) and not accepted else None,
    )


def read_deletion(outcome: Outcome, body: bytes) -> Outcome:
    """The reading of an answer to a deletion, given its ordinary one: who is not there has been deleted.

    A 404 in another form than the API's comes from somebody else on the way, or says that the address is wrong.
    """
    answer = _json_object(body)
    if outcome.verdict not in (Verdict.REFUSED, Verdict.FAULT) or _ABOUT_THE_WAY.search(_message(answer)):
        return outcome
    said = outcome.status == _NOT_FOUND and (bool(answer) or not body.strip())
    if said or (outcome.status in (200, 400) and answer.get("status_code") == _NOT_FOUND):
        return Outcome(Verdict.ACCEPTED, outcome.status)
    return outcome


def _verdict_in_body(answer: dict[str, object], message: str) -> Verdict:
    """What ``status_code`` in the body of a 2xx says; an answer without one is a success."""
    code = _code(answer)
    if code == _OK or (code is None and answer.get("status_code") is None):
        return Verdict.ACCEPTED
    if code in _ARGUMENT_ERRORS:
        return Verdict.FAULT if _ABOUT_THE_APPLICATION.search(message) else Verdict.REFUSED
    if code is not None and 500 <= code <= 599:
        return Verdict.UNKNOWN
    if code == _NOT_FOUND and not _ABOUT_THE_APPLICATION.search(message) and _ABOUT_ONE_THING.search(message):
        return Verdict.REFUSED
    return Verdict.FAULT


def _code(answer: dict[str, object]) -> int | None:
    """``status_code``; ``None`` when there is none, or it is no whole number."""
    code = answer.get("status_code")
    if isinstance(code, str) and code.isascii() and code.isdigit():
        return int(code[:9])
    if isinstance(code, float) and code.is_integer():
        return int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) else None


def _verdict_of_400(answer: dict[str, object], message: str) -> Verdict:
    """A 400 refuses one user's data, unless its body says something else."""
    said = _verdict_in_body(answer, message)
    if said is not Verdict.ACCEPTED:
        return said
    return Verdict.FAULT if _ABOUT_THE_APPLICATION.search(message) else Verdict.REFUSED


def base_url(body: bytes) -> object:
    """The host that an answer asks to be asked from now on; ``None`` when it names none."""
    return _json_object(body).get("base_url")


def not_followed(told: object, secrets: tuple[str, ...]) -> str:
    """The warning about a host that cannot be trusted with a token."""
    return clean(f"base_url {told} was not followed: it is not https within the same registered domain", secrets)


def _json_object(body: bytes) -> dict[str, object]:
    """The body's JSON object; ``{}`` when it is empty, cut off, not JSON or not an object."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _message(answer: dict[str, object]) -> str:
    """The top-level text of an answer: ``message`` of the integration endpoint, ``status_message`` of the older API."""
    for key in ("message", "status_message"):
        text = answer.get(key)
        if isinstance(text, str) and text:
            return text
    return ""


def _detail(status: int, message: str, body: bytes, secrets: tuple[str, ...]) -> str:
    text = message
    if not text:
        error = _json_object(body).get("error")
        text = _message(error) if isinstance(error, dict) else ""
    if not text:
        text = body.decode("utf-8", "replace")
    return clean(text, secrets) or f"HTTP {status}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A tag in ``response.skipped``: what else the request carried was stored, this was not."""

    tag: str
    reason: str


def skipped(body: bytes) -> list[Skipped]:
    """The first tags that an answer says were skipped."""
    return _skipped(_json_object(body))


def skipped_sentence(tag: Skipped, secrets: tuple[str, ...]) -> str:
    """The warning about one."""
    return clean(f"tag {tag.tag} was skipped: {tag.reason or 'no reason given'}", secrets)


def _skipped(answer: dict[str, object]) -> list[Skipped]:
    response = answer.get("response")
    found = response.get("skipped") if isinstance(response, dict) else None
    return [_skipped_tag(entry) for entry in found[:_MOST_WARNINGS]] if isinstance(found, list) else []


def _skipped_tag(entry: object) -> Skipped:
    if not isinstance(entry, dict):
        return Skipped(str(entry), "")
    return Skipped(str(entry.get("tag")), str(entry.get("reason") or ""))
