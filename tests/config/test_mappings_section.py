"""``mappings`` and ``identify_per``: Segment's mappings as they are pasted, compiled; every fault told with its place."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from sync.config import PushwooshSettings, Settings, json_schema
from sync.destinations.pushwoosh.actions import ACTIONS
from sync.model.identify import IdentifyPer

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

HEAD = "version: 1\ndestinations:\n  pw:\n    type: pushwoosh\n    api_key: k\n    app_code: c\n"
AT = "sync.yaml:8: destinations.pw.mappings[0]"
"""Where the only mapping of a file with ``entry`` stands."""

PROFILE = {"external_id": {"@path": "$.userId"}, "custom_attributes": {"@path": "$.traits"}}
EVENT = {"external_id": {"@path": "$.userId"}, "name": {"@path": "$.event"}, "timestamp": {"@path": "$.timestamp"}}
IDENTIFY = {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}
TRACK = {"type": "track", "userId": "u1", "event": "Paid", "timestamp": "2024-05-17T10:11:12Z"}


def file(*entries: object, **settings: object) -> str:
    """A configuration with these mappings, each in one line as JSON."""
    lines = [f"    {key}: {json.dumps(value)}\n" for key, value in settings.items()]
    return HEAD + "    mappings:\n" + "".join(f"    - {json.dumps(entry)}\n" for entry in entries) + "".join(lines)


def entry(**keys: object) -> dict[str, object]:
    """A right mapping, with these keys changed or (``None``) left out."""
    right = {
        "name": "Plans",
        "partnerAction": "updateUserProfile",
        "subscribe": 'type = "identify"',
        "mapping": PROFILE,
    }
    return {key: value for key, value in (right | keys).items() if value is not None}


@pytest.fixture
def destination_of(settings_of: Load) -> Callable[..., PushwooshSettings]:
    return lambda text: settings_of(text).destinations["pw"]


Destination = Callable[[str], PushwooshSettings]


def test_without_the_key_a_destination_has_the_two_presets(destination_of: Destination) -> None:
    for text in (HEAD, HEAD + "    mappings:\n"):
        found = destination_of(text)
        assert {each.action.slug for each in found.mappings} == {"trackEvent", "updateUserProfile"}
        assert {each.name for each in found.mappings} == {each.preset for each in ACTIONS.values()}
        assert [each.action.slug for each in found.mappings if each.matches(TRACK)] == ["trackEvent"]
        assert found.identify_per is IdentifyPer.USER


def test_an_empty_list_sends_nothing(destination_of: Destination) -> None:
    assert destination_of(HEAD + "    mappings: []\n").mappings == ()


def test_a_mapping_is_read_in_segments_own_form(destination_of: Destination) -> None:
    (mapping,) = destination_of(file(entry())).mappings
    assert (mapping.name, mapping.action.slug) == ("Plans", "updateUserProfile")
    assert mapping.matches(IDENTIFY)
    assert not mapping.matches(TRACK)
    assert mapping.payload(IDENTIFY) == {"external_id": "u1", "custom_attributes": {"plan": "pro"}}


def test_json_and_yaml_are_the_same(destination_of: Destination) -> None:
    yaml = (
        '    mappings:\n    - name: Plans\n      partnerAction: updateUserProfile\n      subscribe: type = "identify"\n'
        '      mapping:\n        external_id: {"@path": $.userId}\n        custom_attributes:\n          "@path": $.traits\n'
    )
    (one,), (other,) = destination_of(file(entry())).mappings, destination_of(HEAD + yaml).mappings
    assert one.payload(IDENTIFY) == other.payload(IDENTIFY)
    assert one.trigger.text == other.trigger.text


def test_an_answer_of_the_public_api_can_be_pasted(destination_of: Destination) -> None:
    answer = {
        "id": "no5ytwXMceoQC3GBSEB8xP",
        "name": "Plans",
        "actionId": "gx6uTEZ75m3X6bhYrCqLFi",
        "actionSlug": "updateUserProfile",
        "destinationId": "650c5943c9ab5bd833279ea2",
        "modelId": None,
        "reverseETLSchedule": None,
        "reverse_etl_schedule": None,
        "enabled": True,
        "trigger": 'type = "identify"',
        "settings": PROFILE | {"batch_size": 1000, "__segment_internal_sync_mode": "upsert"},
        "createdAt": "2024-05-17T10:11:12Z",
        "updatedAt": "2024-05-17T10:11:12Z",
    }
    (mapping,) = destination_of(file(answer)).mappings
    assert mapping.payload(IDENTIFY) == {"external_id": "u1", "custom_attributes": {"plan": "pro"}}


@pytest.mark.parametrize(
    ("written", "slug"),
    [
        ("updateUserProfile", "updateUserProfile"),
        ("update_user_profile", "updateUserProfile"),
        ("Create or Update User Profiles", "updateUserProfile"),
        ("Create or Update User Profile", "updateUserProfile"),
        ("track-event", "trackEvent"),
        ("Track Event", "trackEvent"),
        (" TRACKEVENT", "trackEvent"),
    ],
)
@pytest.mark.parametrize("key", ["partnerAction", "action", "actionSlug"])
def test_an_action_is_known_by_its_slug_and_its_title(
    destination_of: Destination, key: str, written: str, slug: str
) -> None:
    (mapping,) = destination_of(file({key: written})).mappings
    assert mapping.action.slug == slug


def test_what_is_left_out_is_that_of_the_actions_preset(destination_of: Destination) -> None:
    (mapping,) = destination_of(file({"action": "trackEvent"})).mappings
    preset = next(each for each in destination_of(HEAD).mappings if each.action.slug == "trackEvent")
    assert (mapping.name, mapping.trigger.text) == (preset.name, preset.trigger.text)
    assert mapping.payload(TRACK) == preset.payload(TRACK)


def test_a_disabled_mapping_is_checked_and_not_used(destination_of: Destination, problems_of: Problems) -> None:
    mappings = destination_of(file(entry(name="Off", enabled=False), entry(name="On"))).mappings
    assert [each.name for each in mappings] == ["On"]
    (problem,) = problems_of(file(entry(enabled=False, subscribe='type = "identify')))
    assert problem.startswith(f'{AT}.subscribe (mapping "Plans"): ')


def test_mappings_keep_their_order(destination_of: Destination) -> None:
    names = [f"{number}" for number in range(50)]
    assert [each.name for each in destination_of(file(*(entry(name=name) for name in names))).mappings] == names


def test_the_fifty_first_mapping_is_refused_and_the_faults_of_the_others_told(problems_of: Problems) -> None:
    problems = problems_of(file(*[entry()] * 50, entry(partnerAction="nope", enabled=False)))
    assert problems[0].startswith("sync.yaml:7: destinations.pw.mappings: has 51 mappings, and 50 is the most")
    assert problems[1].startswith('sync.yaml:58: destinations.pw.mappings[50].partnerAction (mapping "Plans"): ')
    assert len(problems) == 2


def test_two_names_may_say_the_same(destination_of: Destination) -> None:
    both = entry(action="update_user_profile", trigger='type = "identify"', settings=PROFILE)
    assert len(destination_of(file(both)).mappings) == 1


NAMED = {"external_id": "x", "name": {"@literal": "y"}}
TRACKED = {"partnerAction": "trackEvent"}
FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"subscribe": 'type = "a" and event = "b" or event = "c"'}, ".subscribe", "goes wrong at character 28 (`or event"),
    ({"subscribe": 'anonymousId = "a"'}, ".subscribe", 'goes wrong at character 1 (`anonymousId = "a"`): '),
    ({"subscribe": 'type = "a" )'}, ".subscribe", "goes wrong at character 12 (`)`): "),
    ({"subscribe": 'type = "a'}, ".subscribe", 'goes wrong at character 8 (`"a`): '),
    ({"subscribe": "type ="}, ".subscribe", "goes wrong at character 7: "),
    ({"trigger": "type ="}, ".trigger", "says something else than `subscribe`: keep one of the two"),
    ({"subscribe": None, "trigger": "x = 1"}, ".trigger", "goes wrong at character 1 (`x = 1`): "),
    ({"subscribe": " "}, ".subscribe", "must not be empty"),
    ({"subscribe": 5}, ".subscribe", "must be text"),
    ({"mapping": {"email": {"@pth": "$.a"}}}, ".mapping.email", ""),
    ({"mapping": {"email": {"@path": "$.a", "b": 1}}}, ".mapping.email", ""),
    ({"mapping": {"custom_attributes": {"a": {"@path": 5}}}}, ".mapping.custom_attributes.a.@path", "must be"),
    ({"mapping": {"e_mail": "x"}}, ".mapping.e_mail", ""),
    ({"partnerAction": "trackEvent", "mapping": {"external_id": "x", "name": "y"}}, ".mapping.timestamp", ""),
    ({"mapping": [PROFILE]}, ".mapping", "must be an object: the action's fields"),
    ({"mapping": json.dumps(PROFILE)}, ".mapping", "must be an object: the action's fields"),
    ({"settings": {}}, ".settings", "says something else than `mapping`: keep one of the two"),
    (
        {"partnerAction": "updateUserProfil"},
        ".partnerAction",
        "is not an action of Pushwoosh; did you mean `updateUserPr",
    ),
    ({"partnerAction": "zzz"}, ".partnerAction", "is not an action of Pushwoosh: use one of `"),
    ({"partnerAction": None}, "", "says no action: add `partnerAction`, one of `"),
    ({"action": "trackEvent"}, ".action", "says something else than `partnerAction`: keep one of the two"),
    ({"enabled": "${ON}"}, ".enabled", "must be true or false, written out: below `mappings` no `${VAR}` is filled in"),
    ({"modelId": "79sGD3fRcxkj5YPgwoQqPv"}, ".modelId", "belongs to a Reverse ETL model"),
    ({"reverseETLSchedule": {"strategy": "PERIODIC"}}, ".reverseETLSchedule", "belongs to a Reverse ETL model"),
    ({"reverse_etl_schedule": "every hour"}, ".reverse_etl_schedule", "belongs to a Reverse ETL model"),
    (TRACKED | {"mapping": {**NAMED, "timestamp": {"@literal": ""}}}, ".mapping.timestamp", "is required by"),
    (TRACKED | {"mapping": {**NAMED, "timestamp": {"@literal": None}}}, ".mapping.timestamp", "is required by"),
    (TRACKED | {"mapping": {**NAMED, "timestamp": {"@template": ""}}}, ".mapping.timestamp", "is required by"),
    (TRACKED | {"mapping": {**NAMED, "timestamp": {"@excludeWhenNull": None}}}, ".mapping.timestamp", "is required by"),
    ({"subscribes": "x"}, ".subscribes", "is not a known key; did you mean `subscribe`?"),
]


@pytest.mark.parametrize(("keys", "at", "said"), FAULTS)
def test_a_fault_is_told_with_its_line_its_path_and_the_mappings_name(
    problems_of: Problems, keys: dict[str, Any], at: str, said: str
) -> None:
    (problem,) = problems_of(file(entry(**keys)))
    assert problem.startswith(f'{AT}{at} (mapping "Plans"): {said}')


def test_a_name_that_is_no_name_is_told_too(problems_of: Problems) -> None:
    assert problems_of(file(entry(name=5))) == [f"{AT}.name: must be text: put quotes around it"]
    told = "".join(problems_of(file(entry(name="\x1b[31m" + "x" * 99, subscribe="x"))))
    assert 'subscribe (mapping "\\x1b[31mxxx' in told
    assert "\x1b" not in told
    assert "x" * 61 not in told


def test_all_faults_of_all_mappings_are_told_at_once(problems_of: Problems) -> None:
    wrong = [entry(**({"name": f"Nr {number}"} | keys)) for number, (keys, _, _) in enumerate(FAULTS)]
    problems = problems_of(file(*wrong, 5))
    for number, (_, at, said) in enumerate(FAULTS):
        start = f'sync.yaml:{number + 8}: destinations.pw.mappings[{number}]{at} (mapping "Nr {number}"): {said}'
        assert any(problem.startswith(start) for problem in problems), start
    assert len(problems) == len(FAULTS) + 1


def test_one_mapping_is_told_all_its_faults(problems_of: Problems) -> None:
    wrong = entry(
        partnerAction="nope", subscribe="x", mapping={"a": {"@nope": 1}, "b": {"@path": "$.x", "c": 1}}, enabled=7, x=1
    )
    places = [problem.split(": ")[1].split(" ")[0] for problem in problems_of(file(wrong))]
    start = "destinations.pw.mappings[0]."
    assert sorted(place.removeprefix(start) for place in places) == [
        "enabled",
        "mapping.a",
        "mapping.b",
        "partnerAction",
        "subscribe",
        "x",
    ]


def test_a_faulty_directive_is_told_with_its_own_line(problems_of: Problems) -> None:
    text = HEAD + (
        "    mappings:\n    - name: Plans\n      action: updateUserProfile\n      mapping:\n"
        '        external_id: {"@path": $.userId}\n        email:\n          "@nope": 1\n'
    )
    (problem,) = problems_of(text)
    assert problem.startswith(("sync.yaml:12: ", "sync.yaml:13: "))
    assert ' (mapping "Plans"): ' in problem


def test_no_fault_repeats_a_value_of_a_mapping(problems_of: Problems) -> None:
    value = "zq7hunter"
    fields = {
        "email": {"@case": {"operator": value, "value": {"@path": value, "b": value}}},
        "city": {"@flatten": {"separator": 5, "value": value, "omitArrays": value}},
        "country": {"@merge": {"direction": value, "objects": [value]}},
        "language": {"@json": {"mode": value, "value": value}},
        "timezone": {"@replace": {"pattern": value * 2, "replacement": value * 2, "value": [value], "global": value}},
        "device_id": {"@if": {"exists": None, "then": value}},
        "user_agent": {"@transform": {"apply": value, "mapping": value}},
        "current_location": {"@arrayPath": value},
        "app_version": {"@template": [value]},
    }
    everywhere = {
        "id": value,
        "partnerAction": value,
        "enabled": value,
        "modelId": value,
        "action": value,
        "trigger": 7,
    }
    problems = problems_of(file(entry(mapping=fields), entry(mapping={"@path": [value]}), entry(**everywhere)))
    assert len(problems) > 10
    assert not any(value in problem for problem in problems)


@pytest.mark.parametrize("mappings", ["5", "{a: 1}", "text", "${LIST}"])
def test_mappings_are_a_list(problems_of: Problems, mappings: str) -> None:
    (problem,) = problems_of(f"{HEAD}    mappings: {mappings}\n", {"LIST": "[]"})
    assert problem == "sync.yaml:7: destinations.pw.mappings: must be a list: start each item with `- `"


@pytest.mark.parametrize("key", ["subscriptions", "data"])
def test_a_whole_answer_of_segment_is_not_the_list_in_it(problems_of: Problems, key: str) -> None:
    answer: dict[str, Any] = {"subscriptions": [entry()], "pagination": {}}
    pasted = json.dumps(answer if key == "subscriptions" else {"data": answer})
    (problem,) = problems_of(f"{HEAD}    mappings: {pasted}\n")
    said = "is Segment's whole answer: paste the list that stands in its `subscriptions`"
    assert problem == f"sync.yaml:7: destinations.pw.mappings: {said}"


def test_a_mapping_that_came_from_a_file_of_json_is_not_altered(settings_of: Load, tmp_path: pathlib.Path) -> None:
    pasted = {
        "a": {"@replace": {"pattern": "1", "replacement": "$$", "value": {"@path": "$.traits.n"}}},
        "b": {"@template": "costs ${{traits.price}} ${HOME} $${HOME}"},
        "c": {"@literal": None},
        "d": {"@literal": ""},
        "e": {"@literal": "2024-05-17"},
        "f": {"@replace": {"pattern": "1", "replacement": "$&$&", "value": {"@path": "$.traits.n"}}},
    }
    (mapping,) = (
        settings_of(file(entry(mapping={"custom_attributes": pasted})), {"HOME": "x"}).destinations["pw"].mappings
    )
    assert mapping.payload({"type": "identify", "traits": {"n": "a1", "price": 5}})["custom_attributes"] == {
        "a": "a$",
        "b": "costs $5 ${HOME} $${HOME}",
        "c": None,
        "d": "",
        "e": "2024-05-17",
        "f": "a11",
    }


ASKS = entry(name="Audiences", subscribe='context.personas.computation_class = "audience"')
READS = entry(name="Keys", mapping=PROFILE | {"city": {"@template": "{{context.personas.computation_key}}"}})


@pytest.mark.parametrize("mapping", [ASKS, READS])
def test_identify_per_is_computation_where_a_mapping_reads_personas(
    destination_of: Destination, mapping: dict[str, object]
) -> None:
    found = destination_of(file(entry(), mapping))
    assert (found.identify_per, found.switched_by) == (IdentifyPer.COMPUTATION, mapping["name"])
    disabled = destination_of(file(entry(), mapping | {"enabled": False}))
    assert (disabled.identify_per, disabled.switched_by) == (IdentifyPer.USER, None)


def test_identify_per_is_what_the_file_says(destination_of: Destination) -> None:
    for mappings in (file(entry()), file(READS)):
        for said in IdentifyPer:
            found = destination_of(mappings + f"    identify_per: {said}\n")
            assert (found.identify_per, found.switched_by) == (said, None)


def test_one_call_a_user_is_refused_where_a_trigger_asks_for_personas(problems_of: Problems) -> None:
    (problem,) = problems_of(file(entry(), ASKS, identify_per="user"))
    assert problem.startswith(
        'sync.yaml:10: destinations.pw.identify_per: is `user`, but the trigger of mapping "Audiences" asks for '
    )
    (problem,) = problems_of(file(entry(), identify_per="both"))
    assert problem == "sync.yaml:9: destinations.pw.identify_per: must be 'user' or 'computation'"


def test_the_schema_knows_the_limit_and_takes_no_variables_in_a_mapping() -> None:
    definitions = json_schema()["$defs"]
    mappings = definitions["PushwooshSection"]["properties"]["mappings"]
    assert mappings["maxItems"] == 50
    assert "default" not in mappings
    keys = definitions["MappingSection"]["properties"]
    assert keys["enabled"]["type"] == "boolean"
    assert {"name", "enabled", "subscribe", "partnerAction", "action", "mapping"} <= set(keys)
