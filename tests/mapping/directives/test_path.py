"""``@path``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import MISSING
from tests.mapping.made import made

EVENT = {"a": {"b": 1}, "which": "$.a.b", "n": 5}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$.a.b", 1),
        ("a.b", 1),
        ("", EVENT),
        (".", EVENT),
        ("$.", EVENT),
        ("$", MISSING),
        ("$.none", MISSING),
        ({"@literal": "$.n"}, 5),
        ({"@path": "$.which"}, 1),
        ({"@template": "a.{{none}}b"}, 1),
    ],
)
def test_the_value_at_the_path(path: object, value: object) -> None:
    assert made({"@path": path}, EVENT) == value


@pytest.mark.parametrize("path", [5, None, True, [], {}, {"a": 1}, {"@literal": 5}, {"@if": {"exists": 1, "then": []}}])
def test_a_path_that_is_no_text_is_found_at_load(path: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@path": path}, EVENT)


@pytest.mark.parametrize("path", ["$.n", "$.none", "$.a"])
def test_a_path_that_is_no_text_in_this_event_refuses_the_event(path: str) -> None:
    with pytest.raises(InvalidEvent, match=r"^made\.@path: the path must be a text"):
        made({"@path": {"@path": path}}, EVENT)
