from __future__ import annotations

import pytest

from sync.mapping.trigger import compile_trigger

TRACK = {"type": "track", "event": "Product Added", "userId": "u1", "properties": {"price": 100, "name": "Nike Air"}}


def matches(text: str, event: object, *, tolerant: bool = False) -> bool:
    return compile_trigger(text, tolerant=tolerant)(event)


@pytest.mark.parametrize(
    ("text", "events"),
    [
        # Each event with whether it matches.
        ('event = "5"', [({"event": "5"}, True), ({"event": 5}, False), ({}, False)]),
        ('event != "a"', [({"event": "a"}, False), ({"event": 5}, True), ({}, True), ({"event": None}, True)]),
        ("event = 1.50", [({"event": "1.5"}, True), ({"event": 1.5}, False), ({"event": "1.50"}, False)]),
        ("userId = 12345678901234567890", [({"userId": "12345678901234567000"}, True)]),
        ("event = Foo", [({"event": "Foo"}, True), ({"event": "foo"}, False)]),
        ("event = null", [({"event": "null"}, True), ({"event": None}, False), ({}, False)]),
        ("type != null", [({"type": "null"}, False), ({}, True)]),
        ("name = null", [({}, True), ({"name": None}, True), ({"name": "null"}, False), ({"name": ""}, False)]),
        ("event = true", [({"event": "true"}, True), ({"event": True}, False)]),
        ("userId = false", [({"userId": False}, True), ({"userId": "false"}, False), ({"userId": 0}, False)]),
        ("userId != true", [({"userId": True}, True), ({"userId": "true"}, False)]),
        ("event.anything = Foo", [({"event": "Foo"}, True)]),
    ],
)  # fmt: skip
def test_a_member_of_the_event_itself(text: str, events: list[tuple[dict[str, object], bool]]) -> None:
    assert [matches(text, event) for event, _ in events] == [expected for _, expected in events]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('traits.a = "5"', [("5", True), (5, False), (None, False), (["5"], False)]),
        ('traits.a != "5"', [("5", False), (5, True), (None, True), ("", True)]),
        ("traits.a = 100", [(100, True), (100.0, True), ("100", False), (None, False)]),
        ("traits.a = 1", [(1, True), (True, False)]),
        ("traits.a != 1", [(2, True), (1, False), (True, False), ("2", False), (None, False)]),
        ("traits.a = -.5", [(-0.5, True)]),
        ("traits.a = +3", [(3, True)]),
        ("traits.a = 9007199254740993", [(9007199254740992, True), (9007199254740994, False)]),
        ("traits.a = true", [(True, True), (1, False), ("true", False)]),
        ("traits.a != true", [(True, True), ("true", False), (None, True)]),
        ('traits.a = "true"', [("true", True), (True, False)]),
        ("traits.a = null", [(None, True), ("", False), (0, False)]),
        ("traits.a != null", [(None, False), ("", True), (0, True), (False, True), ([], True)]),
        ("traits.a < 5", [(4, True), (5, False), ("4", False), (None, False), (True, False)]),
        ("traits.a <= 5", [(5, True), (5.1, False)]),
        ("traits.a > 5", [(10**400, True), (5, False)]),
        ('traits.a >= "99"', [(99, True), (98, False)]),
        ('traits.a > ""', [(1, True), (0, False)]),
        ('traits.a = "" or traits.a >= "0x10"', [("", True), (16, True), (15, False)]),
        ("traits.a > true", [(2, True), (1, False)]),
        ("traits.a > false", [(1, True), (0, False)]),
        ("traits.a < null", [(-1, False), (1, False)]),
        ("traits.a < Infinity", [(1, True)]),
        ("traits.a < NaN", [(1, False)]),
        ('contains(traits.a, "ike")', [("Nike", True), ("NIKE", False), (["ike"], False), (None, False)]),
        ('!contains(traits.a, "ike")', [("Nike", False), ("x", True), (5, False), (None, False)]),
        ("contains(traits.a, 5)", [("15", True), (5, False)]),
        ('match(traits.a, "Ni*")', [("Nike", True), ("xNi", False), (5, False)]),
        ('!match(traits.a, "Ni*")', [("Nike", False), ("xNi", True), (5, False)]),
        ('match(traits.a, "*ke")', [("Nike", True), ("kee", False)]),
        ('!match(traits.a, "*ke")', [("Nike", False), ("kee", True), (None, False)]),
        ('match(traits.a, "Nike")', [("ike", True), ("Nike", True), ("ik", False)]),
        ('match(traits.a, "*a*")', [("*ab", True), ("bab", False)]),
        ('match(traits.a, "*")', [("", True), ("x", True), (5, False)]),
        ('match(traits.a, "")', [("", True), ("x", True), (None, False)]),
        ('match(traits.a, "\N{GRINNING FACE}b")', [("\N{GRINNING FACE}b", True), ("b", False), ("xb", False)]),
    ],
)  # fmt: skip
def test_a_member_of_an_object(text: str, values: list[tuple[object, bool]]) -> None:
    assert [matches(text, {"traits": {"a": value}}) for value, _ in values] == [expected for _, expected in values]
    nothing = compile_trigger(text)({})
    assert nothing == matches(text, {"traits": {"a": None}}), "what is missing is as null"


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("properties.a.b", {"properties": {"a": {"b": "x"}}}),
        ("properties . a\t.\nb", {"properties": {"a": {"b": "x"}}}),
        ("properties.a\\.b", {"properties": {"a": {"b": "x"}}}),
        ("properties\\.a.b", {"properties": {"a": {"b": "x"}}}),
        ("properties.sp\\ ace", {"properties": {"sp ace": "x"}}),
        ("properties.\\é-1_a", {"properties": {"é-1_a": "x"}}),
        ("properties.list.\\1", {"properties": {"list": ["a", "x"]}}),
        ("properties.list\\[1\\].n", {"properties": {"list": [{}, {"n": "x"}]}}),
        ("properties.\\and", {"properties": {"and": "x"}}),
        ("properties.android", {"properties": {"android": "x"}}),
        ("properties.or.nullable", {"properties": {"or": {"nullable": "x"}}}),
        ("properties.word.\\0", {"properties": {"word": "xyz"}}),
        ("context.page.url", {"context": {"page": {"url": "x"}}}),
        ("traits", {"traits": {"traits": "x"}}),
    ],
)
def test_a_name_finds_what_it_names(name: str, event: dict[str, object]) -> None:
    assert matches(f'{name} = "x"', event)
    assert matches(f'contains({name}, "x")', event)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("properties.a.length = 2", ["x", "y"]),
        ("properties.a.length = 3", "é\N{GRINNING FACE}"),
        ("properties.a.b.c = false", False),
        ("properties.a.b = 0", 0),
        ('properties.a.b = ""', ""),
        ("properties.a.b = null", 7),
        ("properties.a.\\7 = null", ["x"]),
    ],
)
def test_a_way_through_other_things_than_objects(text: str, value: object) -> None:
    assert matches(text, {"properties": {"a": value}})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('type = "track" and event = "Product Added"', True),
        ('type = "track" and event = "x"', False),
        ('type = "page" or event = "Product Added"', True),
        ('type = "identify" or type = "page" or type = "track"', True),
        ('type = "identify" or type = "page" or type = "screen"', False),
        ('type = "identify" or userId = "u1" or type = "screen"', True),
        ('userId = "u1" and type = "track" and properties.price = 100', True),
        ('userId = "u1" and type = "track" and properties.price = 1', False),
        ('type = "page" or (event = "Product Added" and properties.price > 5)', True),
        ('(type = "page" or type = "track") and (event = "x" or properties.price > 5)', True),
        ('type = "page" and (event = "x" or contains(properties.name, "Nike"))', False),
        ('type = "track" and (event = "x" or (match(event, "Product*") and !contains(event, "Removed")))', True),
        ('((type = "track"))', True),
        ('contains(event,"Product")and type = "track"', True),
        ('contains ( event , "Product" )', True),
    ],
)
def test_conditions_are_joined_as_they_are_grouped(text: str, expected: bool) -> None:
    assert matches(text, TRACK) is expected


@pytest.mark.parametrize(
    ("text", "event", "expected"),
    [
        ("properties.a >=5", {"properties": {"a": 9}}, False),
        ('type == "track"', {"type": "="}, True),
        ("properties.a != .5", {"properties": {"a": 0.5}}, True),
        ("properties.null = 1", {"properties": {"null": 1}}, False),
        ("properties.1st = 1", {"properties": {"1st": 1}}, False),
        ("properties.a = 1e2", {"properties": {"a": 1}}, True),
        ("properties.a != -", {"properties": {"a": 1}}, True),
        ('properties.a starts_with "x"', {"properties": {"a": "xy"}}, True),
        ('properties.a number_equals "5"', {"properties": {"a": 5}}, True),
        ('properties.a is_true ""', {"properties": {"a": True}}, True),
        ('properties.a like "x"', {"properties": {"a": "x"}}, False),
        ("event = nu", {"event": "n"}, True),
        ('event = "a"b"', {"event": "a"}, True),
        ('foo = "bar" and type = "track"', {"type": "track"}, True),
        ('contains(type, "x") or type = "track"', {"type": "track"}, True),
        ('match(contextual, "x*")', {"context": {"contextual": "xy"}}, True),
        ('contains(properties.a.or, "x")', {"properties": {"a": {"or": "x"}}}, False),
        ('contains(properties.a.or, "x")', {"properties": {"a": "for"}}, True),
        ('match(properties.null,"x*") or type = "track"', {"properties": {"properties": "full"}}, True),
        ('!contains(traits.a.1st, "x") and type = "track"', {"type": "track", "traits": {"a": "2"}}, True),
    ],
)
def test_comparing_with_segment_gives_its_result_for_what_cannot_mean_what_it_says(
    text: str, event: dict[str, object], expected: bool
) -> None:
    assert matches(text, event, tolerant=True) is expected


def test_a_trigger_knows_what_it_reads() -> None:
    text = (
        'type = "identify" and (context.personas.computation_class = "audience" or contains(properties.a\\[0\\], "x"))'
    )
    trigger = compile_trigger(text)
    assert trigger.text == text
    assert trigger.fields == {("type",), ("context", "personas", "computation_class"), ("properties", "a", "0")}


def test_triggers_of_one_text_are_equal() -> None:
    assert compile_trigger('type = "x"') == compile_trigger('type = "x"')
    assert compile_trigger('type = "x"') != compile_trigger('type = "y"')
