"""``@replace``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import LONGEST_TEXT, MISSING
from tests.mapping.made import made


def replaced(value: object, pattern: str, replacement: str | None = None, **more: object) -> object:
    argument = {"pattern": pattern, "value": {"@path": "$.x"}, **more}
    if replacement is not None:
        argument["replacement"] = replacement
    return made({"@replace": argument}, {"x": value})


@pytest.mark.parametrize(
    ("value", "pattern", "replacement", "output"),
    [
        ("a b c", " ", "_", "a_b_c"),
        ("aaaa", "aa", "a", "aa"),
        ("abc", "x", "y", "abc"),
        ("a.c", ".", "", "ac"),
        ("", "a", "b", ""),
        ("a😀b", "😀", "-", "a-b"),
        (1.5, ".", ",", "1,5"),
        (True, "true", "yes", "yes"),
        (False, "x", "y", "false"),
        (0, "0", "z", "z"),
    ],
)
def test_every_pattern_is_replaced(value: object, pattern: str, replacement: str, output: str) -> None:
    assert replaced(value, pattern, replacement) == output


@pytest.mark.parametrize("value", [None, [], ["a"], {}, {"a": 1}])
def test_what_is_no_text_or_number_becomes_the_empty_text(value: object) -> None:
    assert replaced(value, "a", "b") == ""
    assert made({"@replace": {"pattern": "a", "value": {"@path": "$.none"}}}) == ""


def test_a_raw_empty_value_gives_nothing() -> None:
    assert made({"@replace": {"pattern": "a", "value": ""}}) is MISSING


@pytest.mark.parametrize(
    ("replacement", "output"),
    [
        ("[$&]", "a[b]c"),
        ("$$", "a$c"),
        ("$$&", "a$&c"),
        ("$`|$'", "aa|cc"),
        ("$1$0", "a$1$0c"),
        ("$", "a$c"),
        (None, "ac"),
    ],
)
def test_what_a_dollar_sign_means(replacement: str | None, output: str) -> None:
    assert replaced("abc", "b", replacement) == output


def test_only_the_first_when_not_global() -> None:
    assert replaced("aaa", "a", "b", **{"global": False}) == "baa"


@pytest.mark.parametrize(
    ("value", "pattern", "output"),
    [
        ("Hh", "h", "--"),
        ("Жж", "ж", "--"),
        ("\u03a3x\u03c2", "\u03c3", "-x-"),
        ("ẞß SS", "ß", "ẞ- SS"),
        ("K\u212ak", "k", "-\u212a-"),
        ("\u017fsS", "s", "\u017f--"),
        ("𐐨𐐀", "𐐨", "-𐐀"),
    ],
)
def test_capitals_are_the_same_when_case_is_ignored(value: str, pattern: str, output: str) -> None:
    assert replaced(value, pattern, "-", ignorecase=True) == output


def test_a_second_round_works_on_the_first() -> None:
    assert replaced("a-b", "-", "+", pattern2="+", replacement2="*") == "a*b"
    assert replaced("aAb", "a", "b", pattern2="B", ignorecase=True) == ""
    assert replaced("a-b", "-", "+", pattern2="", replacement2="*") == "a+b"
    assert replaced("a5", "a", "b", pattern2=5, replacement2="z") == "b5"


def test_a_second_round_that_is_too_long_refuses_texts() -> None:
    assert replaced(None, "a", "b", pattern2="12345678901") == ""
    for more in ({"pattern2": "12345678901"}, {"pattern2": "b", "replacement2": "12345678901"}):
        with pytest.raises(InvalidEvent, match="at most 10"):
            replaced("a", "a", "b", **more)


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        {"value": "x"},
        {"pattern": "x"},
        {"pattern": "", "value": "x"},
        {"pattern": 5, "value": "x"},
        {"pattern": "12345678901", "value": "x"},
        {"pattern": "😀😀😀😀😀😀", "value": "x"},
        {"pattern": "x", "value": 5},
        {"pattern": "x", "value": "x", "replacement": "12345678901"},
        {"pattern": "x", "value": "x", "replacement": None},
        {"pattern": "x", "value": "x", "ignorecase": None},
        {"pattern": "x", "value": "x", "global": "true"},
        {"pattern": "x", "value": "x", "more": {"@nope": 1}},
    ],
)
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@replace": argument})


@pytest.mark.timeout(20)
def test_a_text_cannot_grow_without_end() -> None:
    with pytest.raises(InvalidEvent, match=f"beyond {LONGEST_TEXT}"):
        replaced("a" * 1_000_000, "a", "$'$`$'")
