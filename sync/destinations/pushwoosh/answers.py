"""What Pushwoosh's answers mean: the HTTP status first, then what its JSON body says against it.

Pushwoosh answers 200 to requests it did not carry out and names the truth in ``status_code``; it answers 400 both for
one user's bad data and for a wrong application code; and it lists the tags it skipped in a success.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import orjson

from sync.destinations.answers import clean, retry_after_seconds, verdict_for
from sync.model.outcome import DEFERRED, Outcome, Verdict

_OK = 200
_ARGUMENT_ERROR = 210

_ABOUT_THE_APPLICATION = re.compile(r"\bapplication\b|\bapp[ _-]?code\b", re.IGNORECASE)
"""``application not found``, ``missing application code``, ``application code is not valid``. A bare ``code`` is not
enough: a message about one user's country code must not stop the destination."""

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
    elif status == 400 and _ABOUT_THE_APPLICATION.search(message):
        verdict = Verdict.FAULT
    accepted = verdict is Verdict.ACCEPTED
    return Outcome(
        verdict,
        status,
        detail="" if accepted else _detail(status, message, body, secrets),
        retry_after=retry_after if verdict in DEFERRED else None,
        warnings=_skipped(answer, secrets) if accepted else (),
    )


def _verdict_in_body(answer: dict[str, object], message: str) -> Verdict:
    """What ``status_code`` in the body of a 2xx says; an answer without one is a success."""
    code = answer.get("status_code")
    if isinstance(code, str) and code.isascii() and code.isdigit():
        code = int(code[:9])
    if code is None or code == _OK:
        return Verdict.ACCEPTED
    if code == _ARGUMENT_ERROR:
        return Verdict.FAULT if _ABOUT_THE_APPLICATION.search(message) else Verdict.REFUSED
    if isinstance(code, int) and 500 <= code <= 599:
        return Verdict.UNKNOWN
    return Verdict.FAULT


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


def _skipped(answer: dict[str, object], secrets: tuple[str, ...]) -> tuple[str, ...]:
    """One warning per tag in ``response.skipped``: accepted, but this tag was not stored."""
    response = answer.get("response")
    skipped = response.get("skipped") if isinstance(response, dict) else None
    if not isinstance(skipped, list):
        return ()
    return tuple(_skipped_tag(entry, secrets) for entry in skipped[:_MOST_WARNINGS])


def _skipped_tag(entry: object, secrets: tuple[str, ...]) -> str:
    tag, reason = (entry.get("tag"), entry.get("reason")) if isinstance(entry, dict) else (entry, None)
    return clean(f"tag {tag} was skipped: {reason or 'no reason given'}", secrets)
