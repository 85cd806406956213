"""``@arrayPath``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidMapping
from sync.mapping.values import MISSING
from tests.mapping.made import made

EVENT = {
    "list": [{"id": 1, "n": "x"}, {"id": 2}],
    "one": {"id": 3},
    "odd": [None, 0, "", "ab", [5]],
    "user": "u",
    "s": "t",
}
SHAPE = {"k": {"@path": "$.id"}}


@pytest.mark.parametrize(
    ("argument", "output"),
    [
        (["$.list"], EVENT["list"]),
        (["$.one"], {"id": 3}),
        (["$.list", None], EVENT["list"]),
        (["$.list", {}], EVENT["list"]),
        (["$.list", []], EVENT["list"]),
        (["$.list", SHAPE], [{"k": 1}, {"k": 2}]),
        (["$.one", SHAPE], [{"k": 3}]),
        (["$.s", SHAPE], "t"),
        (["$.none", SHAPE], MISSING),
        (["$.list", {"k": {"@path": "$.user"}}], [{}, {}]),
        (["$.list", {"t": {"@template": "{{id}}{{n}}"}}], [{"t": "1x"}, {"t": "2"}]),
        (["$.list", {"@path": "$.n"}], ["x", None]),
        (["$.odd", SHAPE], [{"k": None}, {"k": 0}, {"k": ""}, {}, {}]),
        (["", {"u": {"@path": "$.user"}}], [{"u": "u"}]),
        ([{"@literal": [{"id": 7}, {"@path": "$.one"}]}, SHAPE], [{"k": 7}, {"k": 3}]),
        ([{"@literal": [{"@path": "$.none"}]}, {"k": {"@path": ""}}], [{}]),
        ([{"@path": "$.s"}], "t"),
    ],
)
def test_each_item_takes_the_shape(argument: list[object], output: object) -> None:
    assert made({"@arrayPath": argument}, EVENT) == output


@pytest.mark.parametrize("argument", ["$.list", None, {}, [], [5], [None], ["$.list", {"k": {"@nope": 1}}]])
def test_a_wrong_argument_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@arrayPath": argument}, EVENT)
