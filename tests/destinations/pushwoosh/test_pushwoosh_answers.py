from __future__ import annotations

from datetime import UTC, datetime

import httpx
import orjson
import pytest

from sync.destinations.pushwoosh.answers import read_answer
from sync.model.outcome import Outcome, Verdict

NOW = datetime(2024, 5, 17, 10, 0, 0, tzinfo=UTC)
TOKEN = "tok-123456"


def read(status: int, body: object = b"", **headers: str) -> Outcome:
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return read_answer(status, httpx.Headers(headers), raw, now=NOW, secrets=(TOKEN,))


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        (b"", Verdict.ACCEPTED),
        (b"OK", Verdict.ACCEPTED),
        (b"<html>", Verdict.ACCEPTED),
        (b'{"status_code": 500', Verdict.ACCEPTED),  # cut off: not JSON
        (b"[" * 60_000, Verdict.ACCEPTED),
        (b"\xff\xfe", Verdict.ACCEPTED),
        ([], Verdict.ACCEPTED),
        ({}, Verdict.ACCEPTED),
        ({"status_code": None}, Verdict.ACCEPTED),
        ({"status_code": 200, "status_message": "OK", "response": None}, Verdict.ACCEPTED),
        ({"status_code": "200"}, Verdict.ACCEPTED),
        ({"status_code": 200.5}, Verdict.FAULT),
        ({"status_code": 210, "status_message": "hwid or userId should be set"}, Verdict.REFUSED),
        ({"status_code": 210, "status_message": "application code is not valid"}, Verdict.FAULT),
        ({"status_code": 210, "message": "Application not found"}, Verdict.FAULT),
        ({"status_code": 210, "status_message": "country code is not valid"}, Verdict.REFUSED),
        ({"status_code": 401}, Verdict.FAULT),
        ({"status_code": 403, "status_message": "Token restrictions forbid this operation"}, Verdict.FAULT),
        ({"status_code": 404}, Verdict.FAULT),
        ({"status_code": 404, "status_message": "Event not found"}, Verdict.REFUSED),
        ({"status_code": 404, "status_message": "Tag is not found in application"}, Verdict.FAULT),
        ({"status_code": 403, "status_message": "Max number of events reached"}, Verdict.FAULT),
        ({"status_code": 400, "status_message": "bad tags"}, Verdict.REFUSED),
        ({"status_code": True}, Verdict.FAULT),
        ({"status_code": "soon"}, Verdict.FAULT),
        ({"status_code": [200]}, Verdict.FAULT),
        ({"status_code": 500}, Verdict.UNKNOWN),
        ({"status_code": 508}, Verdict.UNKNOWN),
        ({"status_code": "503"}, Verdict.UNKNOWN),
    ],
)
def test_a_success_needs_the_body_not_to_say_otherwise(body: object, verdict: Verdict) -> None:
    assert read(200, body).verdict is verdict


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"message": "application not found"}, Verdict.FAULT),
        ({"message": "missing application code"}, Verdict.FAULT),
        ({"message": "application code is not valid"}, Verdict.FAULT),
        ({"status_code": 210, "status_message": "application code is not valid"}, Verdict.FAULT),
        ({"message": "X-PW-Appcode: bad app_code"}, Verdict.FAULT),
        ({"message": "invalid country code"}, Verdict.REFUSED),
        ({"status_code": 210, "status_message": "hwid or userId should be set"}, Verdict.REFUSED),
        ({"action": "post event", "status": "failure", "error": {"message": "application: bad type"}}, Verdict.REFUSED),
        ({"message": ["application not found"]}, Verdict.REFUSED),
        ({"status_code": 403, "status_message": "Token restrictions forbid this operation"}, Verdict.FAULT),
        ({"status_code": 500, "status_message": "Internal error"}, Verdict.UNKNOWN),
        ({"status_code": 404, "status_message": "User is not found"}, Verdict.REFUSED),
        ({"status_code": 400, "status_message": "bad tags"}, Verdict.REFUSED),
        ({"message": "invalid request"}, Verdict.REFUSED),
        (b"application not found", Verdict.REFUSED),
        (b"", Verdict.REFUSED),
    ],
)
def test_a_400_about_the_application_is_nobodys_data(body: object, verdict: Verdict) -> None:
    assert read(400, body).verdict is verdict


def test_other_statuses_follow_the_table_whatever_the_body_says() -> None:
    assert read(401, {"message": "unauthorized"}) == Outcome(Verdict.FAULT, 401, "unauthorized")
    assert read(429, {"status_code": 200}, **{"Retry-After": "5"}) == Outcome(
        Verdict.NOT_APPLIED, 429, '{"status_code":200}', retry_after=5
    )
    assert read(503, **{"retry-after": "Fri, 17 May 2024 10:00:30 GMT"}).retry_after == 30
    assert read(503, **{"Retry-After": "soon"}) == Outcome(Verdict.UNKNOWN, 503, "HTTP 503")
    assert read(422, {"message": "application not found"}).verdict is Verdict.REFUSED
    assert read(302, Location="https://elsewhere/").verdict is Verdict.FAULT


def test_a_code_in_the_body_never_reads_retry_after_as_not_applied() -> None:
    assert read(200, {"status_code": 503}, **{"Retry-After": "5"}).verdict is Verdict.UNKNOWN


def test_skipped_tags_are_named_in_warnings() -> None:
    body = {"status_code": 200, "response": {"skipped": [{"tag": "vip\n", "reason": "Not found"}, {"tag": "x"}, "odd"]}}
    assert read(200, body).warnings == (
        "tag vip was skipped: Not found",
        "tag x was skipped: no reason given",
        "tag odd was skipped: no reason given",
    )
    assert read(200, {"response": {"skipped": None}}).warnings == ()
    assert len(read(200, {"response": {"skipped": ["x"] * 1000}}).warnings) == 20


def test_details_are_short_clean_and_without_the_token() -> None:
    assert read(401, {"message": f"bad\r\ntoken {TOKEN}"}).detail == "bad token [redacted]"
    assert TOKEN not in read(500, f"<h1>Authorization: Token {TOKEN}".encode()).detail
    assert TOKEN not in read(200, {"response": {"skipped": [{"tag": TOKEN}]}}).warnings[0]
    assert len(read(500, b"x" * 60_000).detail) == 200
    assert read(400, {"error": {"message": "bad timestamp"}}).detail == "bad timestamp"
    assert read(200, {"status_code": 200, "status_message": "OK"}).detail == ""
