"""What Segment's published package did with each of these triggers, recorded."""

from __future__ import annotations

import pathlib

import orjson
import pytest

from sync.mapping.trigger import compile_trigger

RECORDED = pathlib.Path(__file__).parents[2] / "data" / "conformance" / "fql.jsonl"
CASES = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_trigger_matches_the_events_that_it_matches_at_segment(case: dict[str, object]) -> None:
    trigger = compile_trigger(case["subscribe"], tolerant=True)
    assert [trigger(event) for event in case["events"]] == case["expect"]["matches"]
