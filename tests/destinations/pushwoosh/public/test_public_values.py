from __future__ import annotations

import pytest

from sync.destinations.pushwoosh.public.attributes import event_attributes
from sync.destinations.pushwoosh.public.devices import PLATFORMS, device_type
from sync.destinations.pushwoosh.public.tags import language, tag, user_tags


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (True, True),
        (3, 3),
        (19.95, 19.95),
        ("text", "text"),
        ("", ""),
        (None, None),
        ([], []),
        (["a", 1, True, None, 2.5, {"x": 1}, [1]], ["a", "1", "true", "2.5", '{"x":1}', "[1]"]),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        (2**70, 2**70),
    ],
)
def test_a_tag_is_a_scalar_a_list_of_texts_or_the_json_of_an_object_and_null_takes_it_away(
    value: object, sent: object
) -> None:
    assert repr(tag(value)) == repr(sent)


def test_attributes_of_events_are_scalars_and_lists_of_those_and_null_is_left_out() -> None:
    properties = {"n": None, "s": "x", "b": False, "l": [1, None, "a", {"k": 1}, [2]], "o": {"k": None}, "f": 1.5}
    sent = {"s": "x", "b": False, "l": [1, "a", '{"k":1}', "[2]"], "o": '{"k":null}', "f": 1.5}
    assert event_attributes(properties) == sent
    assert event_attributes(None) == {}


def test_names_of_the_actions_own_fields_are_no_tags() -> None:
    attributes = {"vip": True, "email": "x", "timezone": "y", "Email": "z"}
    assert user_tags({"custom_attributes": attributes}) == {"vip": True, "Email": "z"}


@pytest.mark.parametrize(
    ("locale", "said"),
    [("en-US", "en"), ("NB", "nb"), ("zh_Hans_CN", "zh"), ("fil", "fil"), ("english", "english"), ("", ""), ("e", "e")],
)
def test_a_language_is_the_first_piece_of_a_locale(locale: str, said: str) -> None:
    assert language(locale) == said


CHROME = "Mozilla/5.0 (X11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0 Safari/537.36"


@pytest.mark.parametrize(
    ("platform", "agent", "number"),
    [
        ("iOS", None, 1),
        (" android ", None, 3),
        ("web", CHROME, 11),
        ("web", CHROME + " Edg/124.0", 150),
        ("Web", "Mozilla/5.0 Gecko/20100101 Firefox/125.0", 12),
        ("web", "Mozilla/5.0 (Macintosh) Version/17.4 Safari/605.1.15", 10),
        ("web", None, None),
        ("web", "curl", None),
        ("fridge", CHROME, None),
        (None, CHROME, None),
        (1, None, None),
    ],
)
def test_a_platform_has_its_number_and_the_web_that_of_the_browser(
    platform: object, agent: object, number: int | None
) -> None:
    assert device_type(platform, agent) == number


def test_every_platform_is_known_by_its_name() -> None:
    assert {device_type(name) for name in PLATFORMS} == set(PLATFORMS.values())
