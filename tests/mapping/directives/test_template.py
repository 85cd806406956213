"""``@template``."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import LONGEST_TEXT
from tests.mapping.made import made

EVENT = {"a": "A", "n": 1.0, "null": None, "list": [1, None, [2]], "o": {}, "deep": {"er": "D"}, "y": "{{a}}", "$": 3}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("plain }} {{", "plain }} {{"),
        ("{{a}}", "A"),
        ("<{{ a }}|{{deep.er}}>", "<A|D>"),
        ("{{{a}}}{{a}}", "AA"),
        ("{{n}} {{list}} {{o}}", "1 1,,2 [object Object]"),
        ("[{{null}}{{none}}]", "[]"),
        ("{{}}", "{{}}"),
        ("{{ }}{{.}}", "[object Object][object Object]"),
        ("{{$.a}}", ""),
        ("{{$}}", "3"),
        ("{{y}}", "{{a}}"),
        ("{{{y}}}", "A"),
        ("{{{y}}} {{y}}", "A {{a}}"),
        ("{{{{a}}}}", "}"),
        ("{{{a}}", ""),
        ("{{a}", "{{a}"),
        ("{{a\n}}", "A"),
        ("{{\ufeffa\u00a0}}", "A"),
        ("{{de}ep}}{{a}}", "{{de}ep}}A"),
    ],
)
def test_paths_in_braces_are_filled_in(template: str, text: str) -> None:
    assert made({"@template": template}, EVENT) == text
    assert made({"@template": {"@path": "$.given"}}, {**EVENT, "given": template}) == text


def test_inserted_text_is_taken_literally() -> None:
    assert made({"@template": "a{{x}}b"}, {"x": "$&$1$$\\1<"}) == "a$&$1$$\\1<b"


@pytest.mark.parametrize("template", [5, None, True, [], {"a": 1}])
def test_a_template_that_is_no_text_is_found_at_load(template: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@template": template}, EVENT)


def test_a_template_that_is_no_text_in_this_event_refuses_the_event() -> None:
    with pytest.raises(InvalidEvent, match="template must be a text"):
        made({"@template": {"@path": "$.n"}}, EVENT)


def test_templates_that_fill_templates_do_not_grow_without_end() -> None:
    value: object = "{{{a}}}"
    for _ in range(15):
        value = {"@template": value}
    with pytest.raises(InvalidEvent, match=f"beyond {LONGEST_TEXT}"):
        made(value, {"a": "{{b}}{{b}}", "b": "{{{a}}}{{{a}}}"})


@pytest.mark.timeout(20)
def test_a_great_many_braces_take_no_more_than_their_length() -> None:
    braces = "{" * 1_000_000
    assert made({"@template": "{{{a}}}"}, {"a": braces}) == braces
    assert made({"@template": "{{{a}}}"}, {"a": braces + "}"}) == braces + "}"
