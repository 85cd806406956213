"""What is sent to whom is alerted: one request for all the changes that a receiver has not heard of.

Nothing but names of the configuration, counts and instants is in it (``model/alert``).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import orjson

from sync.config import AlertSettings
from sync.model.alert import AlertState, Subject

SIGNATURE = "X-Engage-Sync-Signature"


@dataclass(frozen=True, slots=True)
class Notice:
    """One change. ``name`` is what the store calls the alert of this receiver."""

    name: str
    subject: Subject
    state: AlertState
    since: datetime
    detail: str

    @property
    def sentence(self) -> str:
        """``destination `pushwoosh` is down …``"""
        return f"{self.subject.noun} `{self.subject.name}` {self.detail}"


def request(receiver: AlertSettings, project: str, notices: Sequence[Notice], now: datetime) -> httpx.Request:
    """The request that tells ``receiver``, signed if it is a webhook."""
    content = _text(project, notices) if receiver.type == "slack" else _document(project, notices)
    headers = {"Content-Type": "application/json", "User-Agent": "engage-sync"}
    if receiver.secret is not None:
        headers[SIGNATURE] = signature(content, receiver.secret.get_secret_value(), now)
    return httpx.Request("POST", receiver.url.get_secret_value(), content=content, headers=headers)


def signature(body: bytes, secret: str, now: datetime) -> str:
    """``t=…,v1=…``: the Unix time, and the HMAC-SHA256 of that time, a dot and the body, in hex."""
    seconds = int(now.timestamp())
    digest = hmac.new(secret.encode(), b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def _document(project: str, notices: Sequence[Notice]) -> bytes:
    return orjson.dumps({"version": 1, "project": project, "alerts": [_member(each) for each in notices]})


def _member(notice: Notice) -> dict[str, object]:
    return {
        "alert": notice.subject.kind,
        notice.subject.noun: notice.subject.name,
        "state": notice.state,
        "since": notice.since.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z",
        "summary": notice.sentence,
    }


def _text(project: str, notices: Sequence[Notice]) -> bytes:
    lines = [f"[{project}] {each.state.upper()}: {each.sentence}" for each in notices]
    text = "\n".join(lines)
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(character, escaped)
    return orjson.dumps({"text": text})
