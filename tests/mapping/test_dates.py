from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.mapping.dates import rfc3339

RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-17T10:11:12Z",
        "2024-05-17T10:11:12.345Z",
        "2024-05-17T10:11:12.123456789Z",
        "2024-05-17T10:11:12.000+02:00",
        "2024-02-29T00:00:00-23:59",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
    ],
)
def test_rfc_3339_goes_out_untouched(text: str) -> None:
    assert rfc3339(text) == text


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("2024-05-17", "2024-05-17T00:00:00Z"),
        ("2024-05", "2024-05-01T00:00:00Z"),
        ("2024/05/17", "2024-05-17T00:00:00Z"),
        ("2024-5-7 9:05", "2024-05-07T09:05:00Z"),
        ("2024-05-17T10", "2024-05-17T10:00:00Z"),
        ("2024-05-17T10:11:12", "2024-05-17T10:11:12Z"),
        ("2024-05-17 10:11:12.50", "2024-05-17T10:11:12.50Z"),
        ("20240517T101112", "2024-05-17T10:11:12Z"),
        ("2024-05-17T10:11Z", "2024-05-17T10:11:00Z"),
        ("2024/5/7 9:05Z", "2024-05-07T09:05:00Z"),
        ("2024T10:11Z", "2024-01-01T10:11:00Z"),
        ("2024-05-17t10:11:12z", "2024-05-17T10:11:12Z"),
        ("2024-05-17 01:11:12.123456789+02:00", "2024-05-16T23:11:12.123456789Z"),
        ("2024-05-17T10:11:12-0530", "2024-05-17T15:41:12Z"),
        ("2024-12-31T24:00:00Z", "2025-01-01T00:00:00Z"),
    ],
)
def test_other_iso_8601_is_written_anew_in_utc(text: str, sent: str) -> None:
    assert rfc3339(text) == sent


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (-0.5, "1969-12-31T23:59:59.5Z"),
        (1715940672, "2024-05-17T10:11:12Z"),
        (1715940672.345, "2024-05-17T10:11:12.345Z"),
        (1715940672345, "2024-05-17T10:11:12.345Z"),
        (1715940672000.0, "2024-05-17T10:11:12Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
        (9999999999999, "2286-11-20T17:46:39.999Z"),
        ("2024", "1970-01-01T00:33:44Z"),
        ("-1", "1969-12-31T23:59:59Z"),
        ("1715940672", "2024-05-17T10:11:12Z"),
        ("1715940672.345", "2024-05-17T10:11:12.345Z"),
        ("1715940672345", "2024-05-17T10:11:12.345Z"),
    ],
)
def test_a_number_counts_seconds_or_with_13_digits_milliseconds(number: str | float, sent: str) -> None:
    assert rfc3339(number) == sent


@pytest.mark.parametrize(
    "value",
    [
        "",
        "May 17, 2024",
        "Fri, 17 May 2024 10:11:12 GMT",
        "5/17/2024",
        "2024-02-30T00:00:00Z",
        "2023-02-29",
        "2024-04-31T00:00:00Z",
        "2024-99-99",
        "2024-138",
        "2024118T10:00",
        "2024-05-17T24:00:01Z",
        "2024-05-17T25:00:00Z",
        "2024-05-17T10:11:60Z",
        "2024-05-17T10:11:12+01",
        "2024-05-17T10+01:00",
        "2024-05-17T10:11:12+24:00",
        "20240517T101112Z",
        "20240517 10:11:12Z",
        "2024-05-17T1011Z",
        "2024/05/17T10:11:12Z",
        "2024-5-17T10:11:12Z",
        "2024-05-17T1:11:12-0500",
        "2024-05-17Z",
        "2024-05-17\n",
        "2024-05-17T10:11:12Z ",
        "0000-01-01",
        "9999-12-31T23:59:59-0500",
        "\u0662\u0660\u0662\u0664-05-17",
        "01715940672",
        "9999999999999",
        "1e+21",
        "Infinity",
        "NaN",
        253402300800,
        999999999999,
        10**13,
        -(10**13),
        10**500,
        1e300,
        float("inf"),
        float("nan"),
    ],
)
def test_what_is_no_date_has_no_such_form(value: str | float) -> None:
    assert rfc3339(value) is None


@given(st.text() | st.integers() | st.floats() | st.from_regex(r"\d{4}[-/]\d\d?[-/]\d\d?[Tt ]\d\d:\d\d(:\d\d)?[Zz]?"))
def test_any_value_gives_a_real_date_in_rfc_3339_or_none(value: str | float) -> None:
    text = rfc3339(value)
    if text is not None:
        assert RFC3339.fullmatch(text)
        datetime.fromisoformat(re.sub(r"\.\d+", "", text))
        assert rfc3339(text) == text


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))  # noqa: DTZ001
def test_an_offset_moves_the_text_and_not_the_instant(moment: datetime, minutes: int) -> None:
    there = (moment + timedelta(minutes=minutes)).isoformat(" ")
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    written = rfc3339(f"{there}{sign}{hours:02}{rest:02}")
    assert written is not None
    assert datetime.fromisoformat(written) == moment.replace(tzinfo=UTC)
