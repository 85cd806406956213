from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import InvalidEvent
from sync.mapping.action import Action, Field, Type
from sync.mapping.dates import rfc3339
from sync.mapping.validation import compile_validation
from sync.mapping.values import MISSING

PLACE = (Field("latitude", "Latitude", (Type.NUMBER,)), Field("longitude", "Longitude", (Type.NUMBER,)))

ACTION = Action(
    slug="everything",
    title="Everything",
    preset="",
    subscribe="",
    fields=(
        Field("id", "Id", (Type.STRING,), required=True),
        Field("email", "Email", (Type.STRING,), nullable=True),
        Field("at", "At", (Type.STRING, Type.NUMBER), required=True, date=True),
        Field("place", "Place", (Type.OBJECT,), properties=PLACE),
        Field("batched", "Batched", (Type.BOOLEAN,)),
        Field("more", "More", (Type.OBJECT,)),
    ),
)
validate = compile_validation(ACTION)

WHOLE: dict[str, Any] = {"id": "u1", "at": "2024-05-17T10:11:12Z"}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def valid(**changes: object) -> dict[str, object]:
    """What is left beside what ``WHOLE`` has."""
    payload = validate({**WHOLE, **changes})
    return {key: payload[key] for key in payload if key not in WHOLE or key in changes}


def refusal(resolved: object) -> str:
    with pytest.raises(InvalidEvent) as refused:
        validate(resolved)
    return str(refused.value)


def test_what_fits_is_used_as_it_is_in_the_order_of_the_fields() -> None:
    fitting = {"more": {"a": [None, ""]}, "batched": False, "place": {"longitude": 1.5}, "email": "e", **WHOLE}
    payload = validate(fitting)
    assert payload == fitting
    assert list(payload) == ["id", "email", "at", "place", "batched", "more"]
    assert payload["more"] is fitting["more"]


def test_unknown_keys_are_thrown_away() -> None:
    assert valid(nonsense=1, place={"latitude": 1, "speed": 9}) == {"place": {"latitude": 1}}


@pytest.mark.parametrize(("field", "left"), [("email", {"email": None}), ("place", {}), ("batched", {}), ("more", {})])
def test_null_is_kept_by_nullable_fields_alone(field: str, left: dict[str, object]) -> None:
    assert valid(**{field: None}) == left


@pytest.mark.parametrize("field", ["email", "place", "batched", "more"])
def test_empty_text_at_the_first_level_counts_as_missing(field: str) -> None:
    assert valid(**{field: ""}) == {}


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_numbers_of_a_location_are_removed(empty: object) -> None:
    assert valid(place={"latitude": empty, "longitude": 2}) == {"place": {"longitude": 2}}
    assert valid(place={"latitude": empty, "longitude": empty}) == {"place": {}}


@pytest.mark.parametrize(
    ("field", "value", "sent"),
    [
        ("id", 42, "42"),
        ("id", 1.0, "1"),
        ("id", 1e21, "1e+21"),
        ("id", 12345678901234567890, "12345678901234567000"),
        ("id", True, "true"),
        ("id", ["x"], "x"),
        ("id", [5], "5"),
        ("id", [""], ""),
        ("id", [None], ""),
        ("email", 0, "0"),
        ("email", False, "false"),
        ("email", [5], "5"),
        ("email", [None], ""),
        ("email", [""], None),
        ("batched", "true", True),
        ("batched", "false", False),
        ("batched", 1, True),
        ("batched", 1.0, True),
        ("batched", 0, False),
        ("batched", [True], True),
        ("batched", ["true"], True),
        ("batched", [None], False),
        ("at", 1715940672, "2024-05-17T10:11:12Z"),
        ("at", [1715940672], "2024-05-17T10:11:12Z"),
        ("at", ["1715940672"], "2024-05-17T10:11:12Z"),
        ("at", "2024-05-17", "2024-05-17T00:00:00Z"),
    ],
)
def test_types_are_coerced_as_segment_does_it(field: str, value: object, sent: object) -> None:
    found = valid(**{field: value})
    assert found == {field: sent}
    assert type(found[field]) is type(sent)


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (True, 1),
        (False, 0),
        ("1.25", 1.25),
        (" 1e2 ", 100),
        (".5", 0.5),
        ("0x10", 16),
        (" ", 0),
        ("-Infinity", float("-inf")),
        ([5], 5),
        (["6"], 6),
        ([None], 0),
    ],
)
def test_numbers_are_read_as_javascript_reads_them(value: object, sent: object) -> None:
    assert valid(place={"latitude": value}) == {"place": {"latitude": sent}}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("id", {}, "Id must be a string but it was an object."),
        ("id", [1, 2], "Id must be a string but it was an array."),
        ("id", [[]], "Id must be a string but it was an array."),
        ("id", [MISSING], "Id must be a string but it was undefined."),
        ("email", [], "Email must be a string or null but it was an array."),
        ("email", ["x"], "Email must be a string or null but it was a string."),
        ("batched", "yes", "Batched must be a boolean but it was a string."),
        ("batched", 2, "Batched must be a boolean but it was a number."),
        ("more", [{}], "More must be an object but it was an array."),
        ("more", 0, "More must be an object but it was a number."),
        ("place", [{"latitude": 1}], "Place must be an object but it was an array."),
        ("place", {"latitude": "x"}, "Latitude must be a number but it was a string."),
        ("place", {"latitude": "NaN"}, "Latitude must be a number but it was a string."),
        ("place", {"latitude": float("inf")}, "Latitude must be a number but it was a number."),
        ("at", ["x"], "At must be a string or number but it was a string."),
        ("at", {}, "At must be a string or number but it was an object."),
        ("at", True, "At must be a valid date-like string but it was not."),
        ("at", [None], "At must be a valid date-like string but it was not."),
        ("at", "soon", "At must be a valid date-like string but it was not."),
        ("at", 1e15, "At must be seconds, or milliseconds with 13 digits, since 1970 but it was not."),
    ],
)
def test_what_has_no_way_to_the_type_is_refused(field: str, value: object, sentence: str) -> None:
    assert refusal({**WHOLE, field: value}) == sentence


@pytest.mark.parametrize("empty", [None, ""])
def test_a_required_field_that_is_empty_is_missing(empty: object) -> None:
    assert refusal({**WHOLE, "id": empty}) == "The root value is missing the required field 'id'."


def test_all_errors_are_reported_the_missing_ones_first_then_in_the_order_of_the_fields() -> None:
    assert refusal({"batched": "no", "place": {"longitude": {}, "latitude": "x"}, "id": []}) == (
        "The root value is missing the required field 'at'. Id must be a string but it was an array. "
        "Latitude must be a number but it was a string. Longitude must be a number but it was an object. "
        "Batched must be a boolean but it was a string."
    )


@pytest.mark.parametrize("resolved", [None, "secret", 5, [], True, MISSING])
def test_a_mapping_that_gives_no_object_is_refused(resolved: object) -> None:
    assert refusal(resolved).startswith("The root value must be an object but it was ")


@given(st.fixed_dictionaries({}, optional={each.key: JSON for each in ACTION.fields}))
def test_any_values_are_valid_or_refused_and_never_changed(values: dict[str, object]) -> None:
    before = copy.deepcopy(values)
    try:
        payload = validate(values)
    except InvalidEvent:
        return
    finally:
        assert repr(values) == repr(before)
    assert {"id", "at"} <= payload.keys() <= {each.key for each in ACTION.fields}
    assert isinstance(payload["id"], str)
    assert isinstance(payload.get("email"), str | None)
    assert rfc3339(str(payload["at"])) == payload["at"]
    assert isinstance(payload.get("batched", False), bool)
    assert isinstance(payload.get("more", {}), dict)


@given(JSON.filter(lambda value: isinstance(value, str | list | dict) and len(repr(value)) > 8))
def test_a_refusal_never_holds_a_value(value: object) -> None:
    assert repr(value) not in refusal({**WHOLE, "at": value, "batched": value})
