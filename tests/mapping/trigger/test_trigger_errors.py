from __future__ import annotations

import pytest

from sync.errors import InvalidSubscription
from sync.mapping.trigger import LONGEST, compile_trigger

FAULTS = [
    # nothing, or half of something
    ("", 1, "empty"),
    (" \n", 1, "empty"),
    ("type", 5, "operator is missing"),
    ('type "track"', 6, "operator is missing"),
    ("type =", 7, "value is missing"),
    ('type = and event = "x"', 8, "value is missing"),
    ('(type = ) or event = "x"', 9, "value is missing"),
    ('and type = "x"', 1, "condition is missing before `and`"),
    ('type = "x" or', 14, "condition is missing after `or`"),
    ('type = "x" and or event = "y"', 16, "condition is missing after `and`"),
    # junctions
    ('type = "a" or type = "b" and event = "c"', 26, "add parentheses"),
    ('(type = "a" and event = "b" or name = "c")', 29, "add parentheses"),
    ('type = "track" AND event = "x"', 16, "`and` in small letters"),
    ('type = "track" Or event = "x"', 16, "`or` in small letters"),
    ('OR type = "track"', 1, "`or` in small letters"),
    ('type = "a" && type = "b"', 12, "write `and`"),
    ('type = "a" || type = "b"', 12, "write `or`"),
    ('type = "a" type = "b"', 12, "join conditions with `and` or `or`"),
    ('type = "a", event = "b"', 11, "commas"),
    ('(type = "a")(type = "b")', 13, "join conditions"),
    ('(type = "a")or(type = "b")', 13, "blank after `or`"),
    # not
    ('not type = "x"', 1, "no `not`"),
    ('NOT contains(event, "x")', 1, "no `not`"),
    ('!type = "x"', 1, "turn the comparison"),
    ('!(type = "x")', 1, "turn the comparison"),
    ('! contains(event, "x")', 1, "directly before"),
    # names
    ('type = "track" and anonymousId != null', 20, "cannot read `anonymousId`"),
    ('foo = "bar" or type = "x"', 1, "`foo` is not a field"),
    ('tpye = "track"', 1, "did you mean `type`"),
    ('USERID = "x"', 1, "did you mean `userId`"),
    ("property.x = 1", 1, "did you mean `properties`"),
    ("properties.\\[ = 1", 1, "no event has"),
    ("properties.1st = 1", 12, "backslash"),
    ("properties.null = 1", 12, "`\\null`"),
    ("properties.a.and > 1", 14, "`\\and`"),
    ("properties. = 1", 11, "part of a name is missing"),
    ("properties.é = 1", 12, "backslash"),
    ("properties.aé = 1", 13, "backslash"),
    ("properties.a[0] = 1", 13, "brackets"),
    ("properties.b\\", 13, "backslash"),
    # operators
    ("properties.a<5", 13, "blank before `<`"),
    ("properties.a <=5", 14, "blank after `<=`"),
    ("properties.a !=5", 14, "blank after `!=`"),
    ('event!="x"', 6, "blank after `!=`"),
    ('type == "x"', 7, "single `=`"),
    ('type <> "x"', 6, "write `!=`"),
    ('event contains "x"', 7, "contains(FIELD"),
    ("properties.x exists", 14, "FIELD != null"),
    ('properties.x in "a"', 14, "no operator"),
    # values
    ("type = 'track'", 8, "double quotes"),
    ('type = "track', 8, "no closing quote"),
    ('type = "a"and event = "b"', 10, "blank after the closing quote"),
    ('event = "a"b"', 11, "blank after the closing quote"),
    ("type = “x”", 8, "straight double quotes"),
    ("event = an", 9, "double quotes"),
    ("properties.p = .5", 16, "`0.5`"),
    ("properties.p = 1.", 17, "digit is missing"),
    ("properties.p = 1.2.3", 19, "one decimal point"),
    ("properties.p = 1e2", 17, "exponent"),
    ("properties.p = -", 16, "digits are missing"),
    ("event = lower(name)", 14, "only `contains` and `match`"),
    # functions
    ("contains event", 10, "needs parentheses"),
    ('contains(event "x")', 16, "comma is missing"),
    ("contains(event)", 15, "comma is missing"),
    ("contains(event, )", 17, "second argument"),
    ('contains(event, "x"', 20, "`)` is missing"),
    ('contains(event, "x", "y")', 20, "`)` is missing"),
    ('contains("x", event)', 10, "first argument"),
    ('contains(type, "x")', 10, "looks into"),
    ('match(event.name, "x")', 7, "looks into"),
    ('match(anonymousId, "x")', 7, "cannot read"),
    ('match(propertiesfoo, "x")', 7, "did you mean `properties`"),
    ('match(properties.0, "x")', 18, "backslash"),
    ('lower(event) = "x"', 1, "no function"),
    # parentheses
    ("()", 2, "nothing between"),
    ("type = \"a\" and (", 17, "are missing"),
    ('(type = "a"', 1, "never closed"),
    ('(type = "a" and (event = "b")', 1, "never closed"),
    ('type = "a")', 11, "closes nothing"),
    # characters
    ('type = "track"\r\nand event = "x"', 15, "carriage return"),
    ('type\u00a0= "x"', 5, "no-break space"),
    ("\x1b = 5", 1, "U+001B"),
    ('{"type": "x"}', 1, "`{` cannot stand here"),
    ('"track" = type', 1, "begins with a field"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "position", "said"), FAULTS, ids=[repr(text) for text, _, _ in FAULTS])
def test_what_is_wrong_is_said_with_its_position(text: str, position: int, said: str) -> None:
    with pytest.raises(InvalidSubscription) as caught:
        compile_trigger(text)
    assert said in caught.value.sentence
    assert caught.value.position == position


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(" * 10_000 + 'type = "x"' + ")" * 10_000, "deeper than 50"),
        (" or ".join(['type = "track"'] * 10_000), f"longer than {LONGEST:,}"),
        ("n" * (LONGEST + 1), "longer than"),
    ],
)
def test_a_hostile_trigger_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(InvalidSubscription, match=said):
        compile_trigger(text)


@pytest.mark.parametrize(
    "text",
    [
        'type = "a" or type = "b" and event = "c"',
        'type = "track" AND event = "x"',
        'type = "track" and anonymousId != null',
        'tpye = "track" or type = "page"',
        'not type = "x"',
        "type = 'x'",
        "type =",
        'type = "x" event = "y"',
        'foo = "bar"',
        'type = "x" or foo = type',
    ],
)
def test_comparing_with_segment_excuses_nothing_that_would_mislead(text: str) -> None:
    with pytest.raises(InvalidSubscription):
        compile_trigger(text, tolerant=True)


def test_a_name_in_a_message_is_short_and_cannot_steer_a_terminal() -> None:
    with pytest.raises(InvalidSubscription) as caught:
        compile_trigger("\\\x1b\\[31m" + "x" * 500 + " = 1")
    assert "\x1b" not in caught.value.sentence
    assert len(caught.value.sentence) < 200
