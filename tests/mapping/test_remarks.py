"""What is no fault in a mapping and yet hardly meant."""

from __future__ import annotations

import pytest

from sync.destinations.pushwoosh.actions import ACTIONS, presets
from sync.mapping.mapping import compile_subscription
from tests.mapping.made import made


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{$.event}}", ["`{{$.event}}` is always empty: write `{{event}}`"]),
        (
            "a {{ $.a.b }} {{{$.c}}}",
            ["`{{{$.c}}}` is always empty: write `{{{c}}}`", "`{{$.a.b}}` is always empty: write `{{a.b}}`"],
        ),
        ("{{event}} $.event {{a.$.b}} {{$}} {{$.}}", []),
        ("{{$.\x1b[31m}}", ["`{{$.\\x1b[31m}}` is always empty: write `{{\\x1b[31m}}`"]),
    ],
)
def test_a_placeholder_that_begins_with_a_dollar_is_told_for_it_is_always_empty(template: str, said: list[str]) -> None:
    mapping = {"external_id": "x", "city": {"@template": template}}
    compiled = compile_subscription("mine", ACTIONS["updateUserProfile"], 'type = "identify"', mapping)
    assert list(compiled.remarks) == said
    assert all(made({"@template": template}, {"event": "A", "a": {"b": "B"}, "c": "C"}).strip("a ") == "" for _ in said)


def test_it_is_told_once_wherever_it_stands() -> None:
    label = {"@template": "{{$.sku}}"}
    shape = {"@arrayPath": ["$.properties.products", {"label": label}]}
    either = {"@if": {"exists": {"@path": "$.traits"}, "then": [label], "else": {"deep": label}}}
    mapping = {"custom_attributes": {"products": shape, "either": either}}
    compiled = compile_subscription("mine", ACTIONS["updateUserProfile"], 'type = "identify"', mapping)
    assert compiled.remarks == ("`{{$.sku}}` is always empty: write `{{sku}}`",)


def test_nothing_is_remarked_of_paths_literals_and_presets() -> None:
    mapping = {"external_id": {"@path": "$.userId"}, "city": {"@literal": "{{$.a}}"}, "country": "{{$.a}}"}
    compiled = compile_subscription("mine", ACTIONS["updateUserProfile"], 'type = "identify"', mapping)
    assert [each.remarks for each in (compiled, *presets())] == [(), (), ()]
