"""Paths: split once, walked with the rule that a falsy value ends the walk."""

from __future__ import annotations

import pytest

from sync.mapping.paths import found, prepared, split, walker
from sync.mapping.values import MISSING


@pytest.mark.parametrize(
    ("path", "pieces"),
    [
        ("", ()),
        (".", ()),
        ("..", ()),
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a..b.", ("a", "b")),
        ("a[0]", ("a", "0")),
        ("a['b']", ("a", "b")),
        ('a["b c"].d', ("a", "b c", "d")),
        ("a['b.c']", ("a", "b", "c")),
        ("a[b]", ("a[b]",)),
        ("a[0]]]", ("a", "0")),
        ("a0]", ("a0",)),
        ("it's", ("its",)),
        ("a.''", ("a", "")),
        (" a . b ", (" a ", " b ")),
        ("$.a", ("$", "a")),
    ],
)
def test_where_a_path_is_split(path: str, pieces: tuple[str, ...]) -> None:
    assert split(path) == pieces


@pytest.mark.parametrize(
    ("path", "pieces"),
    [("$.a", ("a",)), ("a$.b", ("ab",)), ("$.$.a", ("$", "a")), ("$.", ()), ("$", ("$",)), ("$.a.", ("a",))],
)
def test_a_directive_leaves_out_the_first_dollar_sign(path: str, pieces: tuple[str, ...]) -> None:
    assert split(prepared(path)) == pieces


EVENT = {
    "a": {"b": {"c": {"d": 1}}, "list": ["x", {"y": 2}], "text": "a😀", "": "empty key"},
    "null": None,
    "false": False,
    "zero": 0,
    "empty": "",
    "true": True,
    "five": 5,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.c.d", 1),
        ("a.b.c", {"d": 1}),
        ("a.list[0]", "x"),
        ("a.list[1].y", 2),
        ("a.list.length", 2),
        ("a.text.length", 3),
        ("a.text[0]", "a"),
        ("a.''", "empty key"),
        ("null.x.y.z", None),
        ("false.x", False),
        ("zero.x.y", 0),
        ("empty.length", ""),
        ("a.list[2]", MISSING),
        ("a.list[01]", MISSING),
        ("a.list[-1]", MISSING),
        ("a.text[3]", MISSING),
        ("a.text.b", MISSING),
        ("true.x", MISSING),
        ("five.x", MISSING),
        ("none", MISSING),
        ("none.x", MISSING),
        ("none.x.y", MISSING),
        ("none.x.y.z", MISSING),
    ],
)
def test_what_is_found(path: str, value: object) -> None:
    found = walker(split(path))(EVENT)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("path", ["", "a", "a.b", "a.b.c", "a.b.c.d"])
@pytest.mark.parametrize("nothing", [None, False, 0, "", MISSING])
def test_a_walk_that_begins_at_nothing_ends_there(path: str, nothing: object) -> None:
    assert walker(split(path))(nothing) is nothing


@pytest.mark.parametrize("path", ["a.b", "a." + "b" * 200])
def test_a_path_found_in_an_event_is_walked_the_same(path: str) -> None:
    assert found(path)({"a": {"b": 1, "b" * 200: 1}}) == 1
