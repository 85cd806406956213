"""What Segment's published package did with each of these triggers, recorded."""

from __future__ import annotations

import pathlib

import orjson
import pytest

from sync.errors import InvalidSubscription
from sync.mapping.trigger import compile_trigger

RECORDED = pathlib.Path(__file__).parents[2] / "data" / "conformance" / "fql.jsonl"
CASES = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]

CANNOT_MEAN_WHAT_THEY_SAY = {
    "fql-036": "properties.price <=100",
    "fql-051": "properties.dec = .5",
    "fql-090": "properties.and = 1",
    "fql-132": 'contains(propertiesfoo, "x")',
    "fuzz-2860": 'foo = "bar" or name = "UPPER lower" or match(name, "*b*")',
    "fuzz-3552": "properties.b.or > 51",
}
"""Segment accepts these, and does something that nobody meant."""


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_trigger_matches_the_events_that_it_matches_at_segment(case: dict[str, object]) -> None:
    trigger = compile_trigger(case["subscribe"], tolerant=True)
    assert [trigger(event) for event in case["events"]] == case["expect"]["matches"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_configuration_takes_it_with_the_same_result_or_says_what_to_write(case: dict[str, object]) -> None:
    if case["id"] in CANNOT_MEAN_WHAT_THEY_SAY:
        with pytest.raises(InvalidSubscription):
            compile_trigger(case["subscribe"])
    else:
        trigger = compile_trigger(case["subscribe"])
        assert [trigger(event) for event in case["events"]] == case["expect"]["matches"]
