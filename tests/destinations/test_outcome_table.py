from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sync.destinations.answers import clean, retry_after_seconds, verdict_for
from sync.model.outcome import Verdict

NOW = datetime(2024, 5, 17, 10, 0, 0, tzinfo=UTC)

TABLE = {
    Verdict.ACCEPTED: [200, 201, 202, 204, 207, 299],
    Verdict.NOT_APPLIED: [408, 423, 425, 429],
    Verdict.UNKNOWN: [500, 502, 503, 504, 506, 507, 508, 511, 520, 599],
    Verdict.REFUSED: [400, 413, 422],
    Verdict.FAULT: [
        *(100, 101, 103),
        *(300, 301, 302, 303, 304, 307, 308),
        *(401, 402, 403, 404, 405, 406, 407, 409, 410, 411, 412, 414, 415, 416, 417, 418, 421, 424, 426, 428, 431, 451),
        *(501, 505),
        *(600, 999),
    ],
}


@pytest.mark.parametrize(("verdict", "status"), [(verdict, status) for verdict in TABLE for status in TABLE[verdict]])
def test_each_status_has_the_verdict_of_the_table(verdict: Verdict, status: int) -> None:
    assert verdict_for(status, retry_after=None) is verdict


def test_retry_after_changes_the_meaning_of_503_only() -> None:
    statuses = [status for row in TABLE.values() for status in row]
    changed = [s for s in statuses if verdict_for(s, retry_after=0.0) is not verdict_for(s, retry_after=None)]
    assert changed == [503]
    assert verdict_for(503, retry_after=0.0) is Verdict.NOT_APPLIED


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("3600", 3600),
        ("3601", 3600),
        ("9" * 5000, 3600),
        ("Fri, 17 May 2024 10:00:30 GMT", 30),
        ("Friday, 17-May-24 10:00:30 GMT", 30),
        ("Fri, 17 May 2024 10:00:30 -0000", 30),
        ("Fri, 17 May 2024 12:00:30 +0200", 30),
        ("Fri, 17 May 2024 09:00:00 GMT", 0),
        ("Sat, 18 May 2024 10:00:00 GMT", 3600),
        ("", None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("١٢", None),  # digits, but not ASCII
        ("Fri, 99 May 2024 10:00:30 GMT", None),
        ("Fri, 17 May 99999999999 10:00:30 GMT", None),
    ],
)
def test_retry_after_takes_seconds_and_dates_and_ignores_garbage(text: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(text, NOW) == seconds


def test_texts_are_one_short_line_without_secrets() -> None:
    assert clean("a\r\n\x1b[31mb\x00\u202ec", ()) == "a [31mb c"
    assert clean("x" * 500, ()) == "x" * 200
    assert clean("x" * 195 + "s3cret", ("s3cret",)).startswith("x" * 195 + "[reda")
    assert clean("bad token s3cret.", ("s3cret", "")) == "bad token [redacted]."
