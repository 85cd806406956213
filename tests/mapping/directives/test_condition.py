"""``@if``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidMapping
from sync.mapping.values import MISSING
from tests.mapping.made import made

VALUE = {"@path": "$.x"}


def answer(question: str, event: dict[str, object]) -> object:
    return made({"@if": {question: VALUE, "then": "yes", "else": "no"}}, event)


@pytest.mark.parametrize("value", [0, False, "", " ", [], {}, "x", 1])
def test_whatever_is_not_null_exists(value: object) -> None:
    assert answer("exists", {"x": value}) == "yes"


@pytest.mark.parametrize("event", [{}, {"x": None}])
def test_null_and_missing_do_not_exist(event: dict[str, object]) -> None:
    assert answer("exists", event) == "no"
    assert answer("blank", event) == "no"


@pytest.mark.parametrize("value", [0, 0.0, -0.0, False, "", [], [""], [None], [[]], [[None]]])
def test_what_is_loosely_the_empty_text_is_blank(value: object) -> None:
    assert answer("blank", {"x": value}) == "no"


@pytest.mark.parametrize("value", ["0", " ", {}, [0], [False], ["", ""], True, 1])
def test_anything_else_is_not_blank(value: object) -> None:
    assert answer("blank", {"x": value}) == "yes"


@pytest.mark.parametrize("then", [None, False, "", 0, []])
def test_a_then_may_be_anything(then: object) -> None:
    assert made({"@if": {"exists": VALUE, "then": then}}, {"x": 1}) == then


@pytest.mark.parametrize("otherwise", [None, False, "", 0])
def test_an_else_that_is_false_is_none(otherwise: object) -> None:
    assert made({"@if": {"exists": VALUE, "else": otherwise}}, {}) is MISSING
    assert made({"@if": {"exists": VALUE, "else": {"@literal": otherwise}}}, {}) == otherwise


def test_a_branch_that_is_not_there_is_missing() -> None:
    assert made({"@if": {"exists": VALUE, "else": "no"}}, {"x": 1}) is MISSING
    assert made({"@if": {"exists": VALUE, "then": "yes"}}, {}) is MISSING
    assert made({"a": {"@if": {"exists": 1, "else": "no"}}}) == {}


@pytest.mark.parametrize("given", [True, "raw", {"@literal": 0}, [], {}])
def test_a_condition_may_be_constant(given: object) -> None:
    assert made({"@if": {"exists": given, "then": "yes", "else": "no"}}) == "yes"


def test_exists_decides_wherever_it_stands() -> None:
    assert made({"@if": {"exists": None, "blank": "x", "then": "yes", "else": "no"}}) == "no"
    assert made({"@if": {"exists": False, "blank": VALUE, "then": "yes", "else": "no"}}) == "yes"


@pytest.mark.parametrize(
    "argument",
    [
        "x",
        None,
        [],
        {},
        {"then": 1},
        {"exists": ""},
        {"exists": 0, "blank": False},
        {"@path": "$.x"},
        {"equals": VALUE},
    ],
)
def test_a_condition_without_a_question_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@if": argument})
