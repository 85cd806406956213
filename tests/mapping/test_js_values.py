"""Numbers, texts and objects as JavaScript has them."""

from __future__ import annotations

import math

import pytest

from sync.errors import InvalidEvent
from sync.mapping.values import (
    DEEPEST,
    MISSING,
    falsy,
    index_of,
    members,
    number_from_text,
    number_text,
    text_of,
    unit_at,
    units,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (100, "100"),
        (1.5, "1.5"),
        (-2.25, "-2.25"),
        (0.1, "0.1"),
        (123456789.125, "123456789.125"),
        (0.000001, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-9, "1.5e-9"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.25e300, "1.25e+300"),
        (5e-324, "5e-324"),
        (2**53, "9007199254740992"),
        (2**53 + 1, "9007199254740992"),
        (12345678901234567890, "12345678901234567000"),
        (-12345678901234567890, "-12345678901234567000"),
        (10**400, "Infinity"),
        (-(10**400), "-Infinity"),
        (math.inf, "Infinity"),
        (math.nan, "NaN"),
    ],
)
def test_a_number_is_printed_as_javascript_prints_it(number: float, text: str) -> None:
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        (" \ufeff\n", 0),
        ("5", 5),
        (" 1.5 ", 1.5),
        ("1e2", 100),
        (".5", 0.5),
        ("5.", 5),
        ("+3", 3),
        ("0x10", 16),
        ("0B11", 3),
        ("Infinity", math.inf),
        ("-Infinity", -math.inf),
        ("1e400", math.inf),
    ],
)
def test_a_number_is_read_as_javascript_reads_it(text: str, number: float) -> None:
    assert number_from_text(text) == number


@pytest.mark.parametrize("text", ["x", "1_0", "-0x10", "1e", "٣", "inf", "nan", "1 2", "\x1c5"])
def test_what_is_no_number_is_nan(text: str) -> None:
    assert math.isnan(number_from_text(text))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (True, "true"),
        (False, "false"),
        (None, "null"),
        (MISSING, "undefined"),
        ({"a": 1}, "[object Object]"),
        ([], ""),
        ([1.0, None, "a", [True, [MISSING]], {}], "1,,a,true,,[object Object]"),
    ],
)
def test_any_value_has_a_text(value: object, text: str) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize("value", [None, MISSING, False, 0, 0.0, -0.0, math.nan, ""])
def test_these_are_false(value: object) -> None:
    assert falsy(value)


@pytest.mark.parametrize("value", [True, 1, "0", " ", [], {}, math.inf])
def test_these_are_true(value: object) -> None:
    assert not falsy(value)


def test_texts_are_counted_and_taken_apart_in_utf_16() -> None:
    assert units("aé😀") == 4
    assert [unit_at("aé😀", index) for index in range(4)] == ["a", "é", "\ufffd", "\ufffd"]


def test_members_come_with_indexes_first() -> None:
    value: dict[str, object] = {"b": 1, "10": 2, "a": 3, "2": 4, "01": 5, "4294967295": 6, "-1": 7}
    assert [key for key, _ in members(value)] == ["2", "10", "b", "a", "01", "4294967295", "-1"]


@pytest.mark.parametrize("key", ["", "01", "-1", "1.0", "²", "٣", "4294967295", "9" * 5000])
def test_what_is_no_index(key: str) -> None:
    assert index_of(key) is None


def test_a_list_too_deep_to_be_a_text_is_refused_whoever_asks() -> None:
    deep: list[object] = []
    for _ in range(DEEPEST):
        deep = [deep]
    with pytest.raises(InvalidEvent, match="levels deep"):
        text_of(deep)
    assert text_of(deep[0]) == ""
