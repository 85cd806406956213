"""A whole mapping: what is found at load, and what an event becomes."""

from __future__ import annotations

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.check import DEEPEST_MAPPING, LARGEST_MAPPING
from sync.mapping.compiler import compile_mapping


def problems(mapping: object) -> dict[str, str]:
    """The problems found at load, by dotted path."""
    with pytest.raises(InvalidMapping) as caught:
        compile_mapping(mapping)
    return {".".join(map(str, path)): sentence for path, sentence in caught.value.problems}


def test_all_problems_are_found_at_once_with_their_paths() -> None:
    mapping = {
        "a": {"@nope": 1},
        "b": {"c": {"@path": 5}},
        "d": {"@path": "$.a", "neighbour": 1},
        "e": {"@path": "$.a", "@template": "x"},
        "f": {"@if": {"exists": {"@path": "$.a"}, "then": {"x": {"@case": "lower"}}}},
        "fine": {"@path": "$.a", "_metadata": {"label": "A"}},
    }
    assert set(problems(mapping)) == {"a", "b.c.@path", "d", "e", "f.@if.then.x.@case"}


def test_an_unknown_directive_is_told_which_there_are() -> None:
    assert "use one of @arrayPath, @case" in problems({"a": {"@pth": "$.x"}})["a"]


def test_a_faulty_directive_at_the_very_top_is_found() -> None:
    assert problems({"@path": "$.x", "@literal": 1}) == {"": "has 2 directives (`@path`, `@literal`): keep one"}


@pytest.mark.parametrize("mapping", [None, 5, "x", [], True])
def test_a_mapping_must_be_an_object(mapping: object) -> None:
    assert problems(mapping) == {"": "must be an object"}


def test_in_a_list_a_directive_with_a_neighbour_is_a_plain_object() -> None:
    made = compile_mapping({"v": [{"@path": "$.a", "b": {"@path": "$.a"}}]})
    assert made({"a": 1}) == {"v": [{"@path": "$.a", "b": 1}]}


def test_in_a_list_the_first_of_two_directives_counts() -> None:
    assert compile_mapping({"v": [{"@path": "$.a", "@nope": 1}]})({"a": 1}) == {"v": [1]}


def test_what_no_event_could_survive_is_found_at_load_even_in_a_list() -> None:
    assert set(problems({"v": [{"@nope": 1}]})) == {"v.0"}


def test_what_only_some_events_meet_fails_for_those() -> None:
    mapping = {"v": {"@if": {"exists": {"@path": "$.a"}, "then": [{"@nope": 1}], "else": "fine"}}}
    made = compile_mapping(mapping)
    assert made({}) == {"v": "fine"}
    with pytest.raises(InvalidEvent, match=r"^v\.@if\.then\.0: there is no directive `@nope`"):
        made({"a": 1})


def test_missing_members_vanish_and_missing_items_are_null() -> None:
    made = compile_mapping({"a": {"@path": "$.none"}, "b": {"c": {"@path": "$.none"}}, "d": [1, {"@path": "$.none"}]})
    assert made({}) == {"b": {}, "d": [1, None]}


def test_nothing_at_all_is_null() -> None:
    assert compile_mapping({"@path": "$.none"})({}) is None


def test_values_of_the_event_are_never_directives() -> None:
    assert compile_mapping({"v": {"@path": "$.x"}})({"x": {"@path": "$.y"}, "y": 1}) == {"v": {"@path": "$.y"}}


def test_a_mapping_of_constants_gives_each_event_its_own_object() -> None:
    made = compile_mapping({"a": 1})
    assert made({}) == {"a": 1}
    assert made({}) is not made({})


def test_a_mapping_may_be_changed_after_it_was_compiled() -> None:
    mapping = {"a": [1], "b": {"c": {"@path": "$.x"}}}
    made = compile_mapping(mapping)
    mapping["a"].append(2)
    mapping["b"]["c"] = 5
    assert made({"x": 1}) == {"a": [1], "b": {"c": 1}}


@pytest.mark.parametrize("event", [None, 1, "x", [], True])
def test_an_event_must_be_an_object(event: object) -> None:
    with pytest.raises(InvalidEvent):
        compile_mapping({})(event)


def test_the_paths_it_reads_are_known_from_everywhere() -> None:
    made = compile_mapping(
        {
            "a": {"@path": "$.traits.email"},
            "b": {"@template": "{{a.b}} {{{c}}}"},
            "c": {"@if": {"exists": {"@path": "d"}, "then": [{"@path": "e"}]}},
            "d": {"@arrayPath": ["$.list", {"x": {"@path": "$.item"}}]},
            "e": {"@transform": {"apply": {"x": {"@path": "f"}}, "mapping": {"y": {"@path": "x"}}}},
            "f": {"@liquid": "{{ g.h | upcase }}{% if i.j == 1 %}{% endif %}"},
        }
    )
    paths = {"traits.email", "a.b", "c", "d", "e", "list", "f", "g.h", "i.j"}
    assert made.paths == {tuple(path.split(".")) for path in paths}


def test_a_path_that_only_the_event_can_tell_may_be_any() -> None:
    assert () in compile_mapping({"a": {"@path": {"@path": "$.which"}}}).paths


def test_the_root_directive_takes_in_its_neighbours() -> None:
    mapping = {
        "__segment_internal_directive": {"@transform": {"apply": {"x": {"@path": "$.a"}}}},
        "out": {"@path": "$.x"},
    }
    assert compile_mapping(mapping)({"a": 1}) == {"out": 1}


@pytest.mark.parametrize("root", [None, "x", [], {}, {"@transform": 1}, {"@path": "x"}, {"@transform": {}, "b": {}}])
def test_a_root_directive_that_takes_in_nothing_is_found(root: object) -> None:
    assert problems({"__segment_internal_directive": root, "a": 1})


def test_other_keys_of_segments_own_are_plain() -> None:
    mapping = {"__segment_internal_sync_mode": "add", "__segment_internal_matching_key": {"@path": "$.a"}}
    assert compile_mapping(mapping)({"a": 1}) == {**mapping, "__segment_internal_matching_key": 1}


@pytest.mark.parametrize(
    ("value", "said"),
    [(object(), "not JSON"), ((1,), "not JSON"), ({1: 2}, "not a text"), ("\ud800", "half"), ({"\udfff": 1}, "half")],
)
def test_what_json_cannot_hold_is_found_wherever_it_stands(value: object, said: str) -> None:
    [sentence] = problems({"a": [{"b": value}]}).values()
    assert said in sentence


def nested(levels: int, *, lists: bool = False) -> object:
    value: object = {"@path": "$.a"}
    for _ in range(levels):
        value = [value] if lists else {"k": value}
    return value


@pytest.mark.parametrize("lists", [True, False])
def test_a_mapping_of_ten_thousand_levels_is_refused(lists: bool) -> None:
    [sentence] = problems({"a": nested(10_000, lists=lists)}).values()
    assert "levels deep" in sentence


@pytest.mark.parametrize("lists", [True, False])
def test_a_deep_mapping_within_the_limit_works(lists: bool) -> None:
    made = compile_mapping({"a": nested(DEEPEST_MAPPING - 3, lists=lists)})
    assert "1" in str(made({"a": 1}))


def test_a_mapping_that_contains_itself_is_refused() -> None:
    value: list[object] = []
    value.append(value)
    assert problems({"a": value})


def test_a_mapping_that_doubles_itself_is_refused_quickly() -> None:
    value: list[object] = ["x"]
    for _ in range(40):
        value = [value, value]
    assert str(LARGEST_MAPPING) in problems({"a": value})[""]


def test_deep_nests_of_directives_within_the_limit_work() -> None:
    value: object = {"@path": "$.a"}
    for _ in range((DEEPEST_MAPPING - 2) // 2):
        value = {"@if": {"exists": True, "then": value}}
    assert compile_mapping({"v": value})({"a": 1}) == {"v": 1}


def test_a_huge_number_becomes_the_one_javascript_knows() -> None:
    assert compile_mapping({"v": 10**30})({}) == {"v": 1e30}
