"""Many users' tags in one request: what it looks like, and what became of it.

Pushwoosh takes such a request, gives it an id, and works on it; by the id it tells how far it is, and for whom it failed.
The names of its states are documented for the first one only (``Pending``), and the form of the details not at all. So
nothing is taken for done that does not say so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import httpx
import orjson

from sync.destinations.bulk import BulkUser, Progress, Submission
from sync.destinations.mapped import BODY, ONCE
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.public.failures import DONE, FAILED, Failures, is_in_part, state_of
from sync.model.outcome import Outcome, Verdict

MOST_USERS = 1000
"""Users in one request; Pushwoosh names no limit."""

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,200}")
_ANOTHER_PATH = re.compile(r"(?:^|[/\\])\.{0,2}(?:[;/\\]|$)")
"""In an id: whoever puts the path in order on the way would ask for something else."""

_INVALID = re.compile(r"\s*invalid request\b", re.IGNORECASE)
"""The documented error, which has come in a 200 too."""


class Bulk:
    """Makes the requests. ``url`` is the method's own address; ``headers`` are those of every request,
    and ``secrets`` what must not be repeated to anybody."""

    def __init__(
        self, url: httpx.URL, app_code: str, auth: str, headers: httpx.Headers, secrets: tuple[str, ...]
    ) -> None:
        self._url = url
        self._app_code = app_code
        self._auth = auth
        self._headers = headers
        self._secrets = secrets

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
        if not _is_usable(request_id):
            raise ValueError("not the id of a request")
        path = f"{self._url.path}/{_quoted(request_id)}?detailed={'true' if detailed else 'false'}"
        return httpx.Request("GET", self._url.copy_with(raw_path=path.encode("ascii")), headers=self._headers)

    def read_submission(self, outcome: Outcome, body: bytes) -> Submission:
        """What became of sending one; ``outcome`` is the ordinary reading of the answer."""
        return read_submission(outcome, body)

    def read_progress(self, body: bytes) -> Progress:
        """How far one is, from the body of an accepted answer."""
        return read_progress(body, self._secrets)


def read_submission(outcome: Outcome, body: bytes) -> Submission:
    """What the answer to a bulk request says; ``outcome`` is its ordinary reading.

    Accepted without an id that can be asked for is unknown: it may be worked on, and nobody will tell.
    """
    if outcome.verdict is not Verdict.ACCEPTED:
        return Submission(outcome)
    answer = _object(body)
    request_id = answer.get("request_id")
    if isinstance(request_id, int) and not isinstance(request_id, bool):
        request_id = str(request_id)
    if isinstance(request_id, str) and _is_usable(request_id):
        return Submission(outcome, request_id)
    if request_id in (None, "") and _INVALID.match(str(answer.get("message", ""))):
        return Submission(Outcome(Verdict.REFUSED, outcome.status, "invalid request"))
    unknown = Outcome(Verdict.UNKNOWN, outcome.status, "no request_id in the answer to a bulk request")
    return Submission(unknown, untold=True)


def _is_usable(request_id: str) -> bool:
    return bool(_REQUEST_ID.fullmatch(request_id)) and not _ANOTHER_PATH.search(request_id)


def read_progress(body: bytes, secrets: tuple[str, ...] = ()) -> Progress:
    """How far it is, from the body of an accepted answer to `Bulk.poll`. What cannot be read is not finished."""
    answer = _object(body)
    state = state_of(answer.get("status", ""))
    if state in FAILED:
        return Progress(finished=True)
    if state not in DONE and not is_in_part(state):
        return Progress(finished=False)
    failures = Failures(answer, secrets)
    return Progress(finished=True, succeeded=True, failures=failures.by_user, told=failures.told)


def _object(body: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _quoted(request_id: str) -> str:
    return "".join(each if each.isalnum() or each in "-._~" else f"%{ord(each):02X}" for each in request_id)
