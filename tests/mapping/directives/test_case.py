"""``@case``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import MISSING
from tests.mapping.made import made

VALUE = {"@path": "$.x"}


@pytest.mark.parametrize(
    ("operator", "text", "changed"),
    [
        ("lower", "Hello WORLD", "hello world"),
        ("upper", "Hello", "HELLO"),
        ("upper", "straße", "STRASSE"),
        ("lower", "ΑΣ", "ας"),
        ("lower", "İ", "i̇"),
        ("upper", "", ""),
    ],
)
def test_letters_change(operator: str, text: str, changed: str) -> None:
    assert made({"@case": {"operator": operator, "value": VALUE}}, {"x": text}) == changed


@pytest.mark.parametrize("value", [1, None, False, [1], {"a": "B"}])
@pytest.mark.parametrize("operator", ["upper", "Title"])
def test_what_is_no_text_passes_through(value: object, operator: str) -> None:
    assert made({"@case": {"operator": operator, "value": VALUE}}, {"x": value}) == value


def test_no_value_gives_nothing() -> None:
    assert made({"@case": {"operator": "upper"}}) is MISSING
    assert made({"@case": {"operator": "upper", "value": ""}}) is MISSING
    assert made({"@case": {"operator": "upper", "value": VALUE}}) is MISSING


def test_another_operator_refuses_texts() -> None:
    with pytest.raises(InvalidEvent, match="`lower` or `upper`"):
        made({"@case": {"operator": "Lower", "value": VALUE}}, {"x": "X"})


@pytest.mark.parametrize("argument", ["x", {}, {"operator": ""}, {"operator": 1}, {"operator": "lower", "value": 5}])
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@case": argument})
