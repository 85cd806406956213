"""``@literal``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidMapping
from tests.mapping.made import made


@pytest.mark.parametrize(
    ("value", "output"),
    [
        ("{{a}}", "{{a}}"),
        (None, None),
        ([1, {"@path": "$.a"}], [1, "A"]),
        ({"x": {"@path": "$.a"}, "y": {"@path": "$.none"}}, {"x": "A"}),
        ({"x": {"y": 1, "@path": "$.a"}}, {"x": {"y": 1, "@path": "$.a"}}),
        ({"@path": "$.a"}, "A"),
    ],
)
def test_what_stands_there_is_resolved(value: object, output: object) -> None:
    assert made({"@literal": value}, {"a": "A"}) == output


def test_a_faulty_directive_right_inside_is_found_at_load() -> None:
    with pytest.raises(InvalidMapping):
        made({"@literal": {"x": 1, "@path": "$.a"}})
