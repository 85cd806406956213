from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.model.canonical import LONGEST_USER_ID, user_id_text, value_text

LETTERS = UUID("ABCDEF00-1111-2222-3333-444455556666")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("Ann", "Ann"),
        (" 12.00 ", " 12.00 "),
        (12, "12"),
        (10**20, "100000000000000000000"),
        (Decimal("12.00"), "12"),
        (Decimal("-0.00"), "0"),
        (Decimal("1E+3"), "1000"),
        (12.0, "12"),
        (1e20, "100000000000000000000"),
        (0.1, "0.1"),
        (True, "true"),
        (LETTERS, "abcdef00-1111-2222-3333-444455556666"),
        (date(2026, 11, 1), "2026-11-01"),
        (datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2))), "2026-11-01T10:00:00Z"),
        (datetime(2026, 11, 1, 12, 0, 0, 500_000), "2026-11-01T12:00:00.5Z"),  # noqa: DTZ001 - a timestamp without zone
        (datetime(33, 4, 3, tzinfo=UTC), "0033-04-03T00:00:00Z"),
        (time(9, 30), "09:30:00"),
    ],
)
def test_equal_user_ids_have_one_text_whatever_type_the_database_gave_them(value: object, text: str) -> None:
    assert user_id_text(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("12", '"12"'),
        ('say "é"', '"say \\"é\\""'),
        (Decimal("12.00"), "12"),
        (12.5, "12.5"),
        (False, "false"),
        (LETTERS, '"abcdef00-1111-2222-3333-444455556666"'),
        (date(2026, 11, 1), '"2026-11-01"'),
        (["b", "a", None, [1.0]], '["b","a",null,[1]]'),
        ([], "[]"),
    ],
)
def test_a_value_is_the_shortest_json_and_null_is_no_row(value: object, text: str | None) -> None:
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (None, "is NULL"),
        ("", "is empty"),
        ("a\0b", "contains a NUL character"),
        ("\ud800", "is not valid Unicode text"),
        ("é" * 501, f"is longer than {LONGEST_USER_ID} bytes"),
        (b"raw", "has type bytes"),
        (float("nan"), "is nan"),
    ],
)
def test_a_user_id_without_a_text_is_refused_with_the_reason(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        user_id_text(value)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("a\0b", "contains a NUL character"),
        (["fine", "a\0b"], "contains a NUL character"),
        ("\ud800", "is not valid Unicode text"),
        (float("inf"), "is inf"),
        (Decimal("NaN"), "is NaN"),
        (b"raw", "has type bytes"),
        ({"a": 1}, "has type dict"),
        (timedelta(1), "has type timedelta"),
    ],
)
def test_a_value_without_a_text_is_refused_with_the_reason(value: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        value_text(value)


def test_a_user_id_may_be_as_long_as_an_index_entry() -> None:
    assert user_id_text("é" * 500) == "é" * 500


numbers = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
)


@given(numbers)
def test_any_number_is_json_without_exponent_and_keeps_its_value(number: float | Decimal) -> None:
    text = value_text(number)
    assert text is not None
    assert "e" not in text.lower()
    assert Decimal(text) == Decimal(str(number))


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_survives_the_trip_through_json(text: str) -> None:
    assert orjson.loads(value_text(text) or "") == text


@pytest.mark.parametrize("value", [Decimal("1e400"), Decimal("-1e309"), 10**309, [Decimal("1e400")]])
def test_a_number_that_json_readers_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="beyond what JSON readers can hold"):
        value_text(value)


def test_a_list_nested_too_deeply_is_refused() -> None:
    nested: object = 1
    for _ in range(17):
        nested = [nested]
    with pytest.raises(ValueError, match="nested deeper than 16 levels"):
        value_text(nested)


def test_a_value_that_belongs_into_no_profile_is_refused() -> None:
    assert value_text("x" * 65_534) is not None
    with pytest.raises(ValueError, match="longer than 65536 bytes"):
        value_text("x" * 65_535)
