from __future__ import annotations

from typing import Any

import pytest

from sync.destinations.pushwoosh.actions import ACTIONS, presets
from sync.errors import InvalidEvent, InvalidMapping, InvalidSubscription
from sync.mapping.mapping import Mapping, compile_subscription, field_problems

PROFILE = ACTIONS["updateUserProfile"]
EVENT = ACTIONS["trackEvent"]
WHOLE: dict[str, Any] = dict(EVENT.default_mapping())


def compiled(mapping: object, subscribe: str = 'type = "identify"') -> Mapping:
    return compile_subscription("mine", PROFILE, subscribe, mapping)


def test_there_are_two_presets_as_the_documentation_names_them() -> None:
    assert [(each.name, each.action.slug, each.trigger.text) for each in presets()] == [
        ("Create or Update User Profile", "updateUserProfile", 'type = "identify"'),
        ("Track Events", "trackEvent", 'type = "track" or type = "page" or type = "screen"'),
    ]


def test_a_mapping_has_its_trigger_and_gives_payloads() -> None:
    mapping = compiled({"external_id": {"@path": "$.userId"}, "unknown": {"@path": "$.type"}})
    event: dict[str, object] = {"type": "identify", "userId": 7}
    assert mapping.matches(event)
    assert not mapping.matches({**event, "type": "track"})
    assert mapping.payload(event) == {"external_id": "7"}
    assert event == {"type": "identify", "userId": 7}


def test_what_an_unknown_field_cannot_resolve_refuses_the_event_as_it_does_in_segment() -> None:
    mapping = compiled({"unknown": {"@path": {"@path": "$.where"}}})
    with pytest.raises(InvalidEvent):
        mapping.payload({"where": 5})


def test_a_wrong_trigger_and_a_wrong_directive_are_told_apart() -> None:
    with pytest.raises(InvalidSubscription):
        compiled({}, subscribe="type =")
    with pytest.raises(InvalidMapping):
        compiled({"email": {"@nope": 1}})


@pytest.mark.parametrize(
    ("mapping", "subscribe", "reads"),
    [
        ({}, 'type = "identify"', False),
        ({"email": {"@path": "$.traits.personas"}}, 'type = "identify"', False),
        ({"email": {"@path": "$.context.locale"}}, 'type = "identify"', False),
        ({"email": {"@path": "$.context.personas.computation_key"}}, 'type = "identify"', True),
        ({"email": {"@template": "in:{{context.personas.computation_key}}"}}, 'type = "identify"', True),
        ({"email": [{"@path": "$.context.personas.computation_key"}]}, 'type = "identify"', True),
        ({"custom_attributes": {"@path": "$.context"}}, 'type = "identify"', True),
        ({"custom_attributes": {"@path": ""}}, 'type = "identify"', True),
        ({}, 'context.personas.computation_class = "audience"', True),
        ({}, "context.app.version != null", False),
    ],
)
def test_whether_the_personas_are_read_is_known(mapping: object, subscribe: str, *, reads: bool) -> None:
    assert compiled(mapping, subscribe).reads_personas is reads


def test_the_presets_do_not_read_the_personas() -> None:
    assert not any(each.reads_personas for each in presets())


@pytest.mark.parametrize("key", ["external_id", "email"])
def test_a_list_of_one_directive_tells_a_missing_item_from_null(key: str) -> None:
    mapping = compiled({key: [{"@path": "$.found"}], "current_location": {"latitude": [{"@path": "$.found"}]}})
    assert mapping.payload({"found": 5}) == {key: "5", "current_location": {"latitude": 5}}
    assert mapping.payload({"found": None}) == {key: "", "current_location": {"latitude": 0}}
    with pytest.raises(InvalidEvent, match=r"but it was undefined\. Latitude must be a number but it was undefined\."):
        mapping.payload({})


@pytest.mark.parametrize(
    "raw",
    [
        [{"@path": "$.found.it", "_metadata": {"label": "it"}}],
        {"@literal": [{"@path": "$.found.it"}]},
        {"@if": {"exists": {"@path": "$.found"}, "then": [{"@path": "$.found.it"}]}},
        {"@arrayPath": ["$.found", {"@path": "$.it"}]},
        {"@case": {"operator": "lower", "value": {"@literal": [{"@path": "$.found.it"}]}}},
    ],
)
def test_a_list_of_one_is_told_from_null_however_it_came_about(raw: object) -> None:
    mapping = compiled({"email": raw, "current_location": {"@literal": {"latitude": raw}}})
    assert mapping.payload({"found": {"it": 5}}) == {"email": "5", "current_location": {"latitude": 5}}
    assert mapping.payload({"found": {"it": None}}) == {"email": "", "current_location": {"latitude": 0}}
    with pytest.raises(InvalidEvent, match=r"but it was undefined\. Latitude must be a number but it was undefined\."):
        mapping.payload({"found": {}})


def test_a_list_of_one_directive_in_a_free_object_has_null_where_nothing_is() -> None:
    mapping = compiled({"custom_attributes": {"list": [{"@path": "$.nope"}]}})
    assert mapping.payload({}) == {"custom_attributes": {"list": [None]}}


def test_a_complete_mapping_has_no_problems() -> None:
    for action in ACTIONS.values():
        assert field_problems(action, action.default_mapping()) == []
    internal = {"__segment_internal_sync_mode": "upsert", "__segment_internal_matching_key": "x", "batch_size": 100}
    assert field_problems(EVENT, {**WHOLE, **internal}) == []


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("externalid", "is not a field of the action Track Event; did you mean `external_id`?"),
        ("colour", "is not a field of the action Track Event"),
        ("email", "is not a field of the action Track Event"),
    ],
)
def test_an_unknown_field_is_a_problem(key: str, sentence: str) -> None:
    assert field_problems(EVENT, {**WHOLE, key: 1}) == [((key,), sentence)]


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_required_field_without_a_mapping_is_a_problem(nothing: object) -> None:
    sentence = "is required by the action Track Event, and nothing is mapped to it"
    without = {key: raw for key, raw in WHOLE.items() if key != "name"}
    assert field_problems(EVENT, without) == [(("name",), sentence)]
    assert field_problems(EVENT, {**WHOLE, "name": nothing}) == [(("name",), sentence)]
    assert len(field_problems(EVENT, {})) == 3
    assert field_problems(PROFILE, {}) == []


@pytest.mark.parametrize(
    "mapping", [{"@path": "$.properties"}, {"__segment_internal_directive": {"@transform": {"apply": {}}}}, [], None]
)
def test_where_a_directive_makes_the_fields_none_is_missing(mapping: object) -> None:
    assert field_problems(EVENT, mapping) == []
