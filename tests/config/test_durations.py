"""Durations are read as people write them, and never without a unit."""

from __future__ import annotations

import pytest

from sync.config.durations import parse


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10.0),
        ("24h", 86400.0),
        ("5 minutes", 300.0),
        ("1 minute", 60.0),
        ("30 days", 2592000.0),
        ("1.5 hours", 5400.0),
        ("250ms", 0.25),
        ("2 weeks", 1209600.0),
        (" 1 Day ", 86400.0),
    ],
)
def test_a_number_and_a_unit_make_seconds(text: str, seconds: float) -> None:
    assert parse(text) == seconds


@pytest.mark.parametrize(
    "text", ["10", 10, None, "", "s", "10 fortnights", "-1s", "0s", "1e9s", "٣s", "11 years", "999999d"]
)
def test_anything_else_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r"must be (a duration with its unit|longer than nothing)"):
        parse(text)
