"""Many users' tags in one request: what it looks like, and what became of it.

Pushwoosh takes such a request, gives it an id, and works on it; by the id it tells how far it is, and for whom it failed.
The names of its states are documented for the first one only (``Pending``), and the form of the details not at all. So
nothing is taken for done that does not say so, and a user who is told of in any unhappy way has failed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import httpx
import orjson

from sync.destinations.answers import clean
from sync.destinations.bulk import BulkUser, Progress, Submission
from sync.destinations.mapped import BODY, ONCE
from sync.destinations.pushwoosh.encoding import encoded
from sync.model.outcome import Outcome, Verdict

MOST_USERS = 1000
"""Users in one request; Pushwoosh names no limit."""

_DONE = frozenset({"done", "complete", "completed", "finished", "success", "succeeded", "ok", "processed"})
_FAILED = frozenset({"failed", "failure", "error", "cancelled", "canceled", "rejected", "aborted", "expired"})
_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
_LISTS = ("devices", "users", "results", "details", "errors", "failed")
_NAMES = ("user_id", "userId", "hwid")
_REASONS = ("error", "message", "reason", "status_message", "status")


class Bulk:
    """Makes the requests. ``url`` is the method's own address; ``headers`` are those of every request."""

    def __init__(self, url: httpx.URL, app_code: str, auth: str, headers: httpx.Headers) -> None:
        self._url = url
        self._app_code = app_code
        self._auth = auth
        self._headers = headers

    def request(self, users: Sequence[BulkUser]) -> httpx.Request:
        """Set the tags of several users; each of them once. Tags that do not exist are created."""
        body = {
            "application": self._app_code,
            "auth": self._auth,
            "create_missing_tags": True,
            "devices": [{"user_id": each.user_id, "list_operator": "set", "tags": each.tags} for each in users],
        }
        text = encoded(body)
        extensions = {BODY: text, ONCE: False}
        stream = httpx.ByteStream(text)
        return httpx.Request("POST", self._url, headers=self._headers, stream=stream, extensions=extensions)

    def poll(self, request_id: str, *, detailed: bool = True) -> httpx.Request:
        """Ask how far a request is; with ``detailed`` also for whom it failed. Raises ``ValueError`` for no id."""
        if not _REQUEST_ID.fullmatch(request_id):
            raise ValueError("not the id of a request")
        path = f"{self._url.path}/{_quoted(request_id)}?detailed={'true' if detailed else 'false'}"
        return httpx.Request("GET", self._url.copy_with(raw_path=path.encode("ascii")), headers=self._headers)

    def read_submission(self, outcome: Outcome, body: bytes) -> Submission:
        """What became of sending one; ``outcome`` is the ordinary reading of the answer."""
        return read_submission(outcome, body)

    def read_progress(self, body: bytes) -> Progress:
        """How far one is, from the body of an accepted answer."""
        return read_progress(body, (self._auth,))


def read_submission(outcome: Outcome, body: bytes) -> Submission:
    """What the answer to a bulk request says; ``outcome`` is its ordinary reading.

    Accepted without an id is unknown: it may be worked on, and nobody will tell.
    """
    if outcome.verdict is not Verdict.ACCEPTED:
        return Submission(outcome)
    request_id = _object(body).get("request_id")
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        request_id = str(request_id)
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        return Submission(outcome, request_id)
    return Submission(Outcome(Verdict.UNKNOWN, outcome.status, "no request_id in the answer to a bulk request"))


def read_progress(body: bytes, secrets: tuple[str, ...] = ()) -> Progress:
    """How far it is, from the body of an accepted answer to `Bulk.poll`. What cannot be read is not finished."""
    answer = _object(body)
    state = str(answer.get("status", "")).strip().lower().replace("_", "").replace(" ", "")
    if state in _FAILED:
        return Progress(finished=True, failures=_failures(answer, secrets))
    if state in _DONE or state.startswith(("completedwith", "partial")):
        return Progress(finished=True, succeeded=True, failures=_failures(answer, secrets))
    return Progress(finished=False)


def _failures(answer: Mapping[str, object], secrets: tuple[str, ...]) -> dict[str, str]:
    failures: dict[str, str] = {}
    for name in _LISTS:
        told = answer.get(name)
        for entry in told if isinstance(told, list) else []:
            if isinstance(entry, dict) and (reason := _reason(entry, named_failed=name in {"errors", "failed"})):
                user = next((entry[key] for key in _NAMES if isinstance(entry.get(key), str)), None)
                if user is not None:
                    failures[user] = clean(reason, secrets)
    return failures


def _reason(entry: Mapping[str, object], *, named_failed: bool) -> str:
    """Why it failed for one user; empty when it did not."""
    status = str(entry.get("status", "")).strip().lower()
    unhappy = named_failed or (status not in _DONE and status != "") or bool(entry.get("error"))
    if not unhappy:
        return ""
    return next((text for key in _REASONS if isinstance(text := entry.get(key), str) and text), "no reason given")


def _object(body: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _quoted(request_id: str) -> str:
    return "".join(each if each.isalnum() or each in "-._~" else f"%{ord(each):02X}" for each in request_id)
