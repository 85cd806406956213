"""``@json``."""

from __future__ import annotations

import math

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import LONGEST_TEXT, MISSING
from tests.mapping.made import made


def encoded(value: object) -> object:
    return made({"@json": {"mode": "encode", "value": {"@path": "$.x"}}}, {"x": value})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("é😀/\u2028", '"é😀/\u2028"'),
        ('"\\\b\t\n\f\r\x00\x1f\x7f', '"\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f\x7f"'),
        ("a\ud800", '"a\\ud800"'),
        (1.0, "1"),
        (1e21, "1e+21"),
        (2**53 + 1, "9007199254740992"),
        (math.inf, "null"),
        (math.nan, "null"),
        (10**400, "null"),
        ([], "[]"),
        ({}, "{}"),
        ([1, [True, None], {"a": []}], '[1,[true,null],{"a":[]}]'),
        ({"b": 1, "10": 2, "9": 3, "a": False}, '{"9":3,"10":2,"b":1,"a":false}'),
    ],
)
def test_the_text_is_javascripts(value: object, text: str) -> None:
    assert encoded(value) == text


def test_what_is_missing_inside_is_left_out_or_null() -> None:
    value = {"a": {"@path": "$.none"}, "b": [{"@path": "$.none"}]}
    assert made({"@json": {"mode": "encode", "value": value}}) == '{"b":[null]}'


@pytest.mark.parametrize("mode", ["encode", "decode", "ENCODE"])
def test_a_missing_value_stays_missing(mode: str) -> None:
    assert made({"@json": {"mode": mode, "value": {"@path": "$.none"}}}) is MISSING


def test_a_mode_in_capitals_does_nothing() -> None:
    assert made({"@json": {"mode": "Decode", "value": "5"}}) is MISSING


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ('{"q":[1]}', {"q": [1]}),
        (" 5 ", 5),
        ("null", None),
        ('"x"', "x"),
        ('{"a":1,"a":2}', {"a": 2}),
        ("{q", "{q"),
        ("[1,]", "[1,]"),
        ("NaN", "NaN"),
        ("", ""),
        ({"a": 1}, {"a": 1}),
        (False, False),
    ],
)
def test_a_text_that_is_json_is_read(value: object, output: object) -> None:
    assert made({"@json": {"mode": "decode", "value": {"@path": "$.x"}}}, {"x": value}) == output


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        {"mode": "encode"},
        {"value": "x"},
        {"mode": 1, "value": "x"},
        {"mode": "write", "value": "x"},
        {"mode": "encode", "value": ""},
        {"mode": "encode", "value": None},
        {"mode": "encode", "value": {"a": {"@nope": 1}}},
    ],
)
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@json": argument})


def test_texts_in_texts_do_not_grow_without_end() -> None:
    value: object = {"@path": "$.x"}
    for _ in range(30):
        value = {"@json": {"mode": "encode", "value": value}}
    with pytest.raises(InvalidEvent, match=f"beyond {LONGEST_TEXT}"):
        made(value, {"x": '"'})
