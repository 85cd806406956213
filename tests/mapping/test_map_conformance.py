"""What Segment's published package made of each of these mappings and events, recorded."""

from __future__ import annotations

import pathlib

import orjson
import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.compiler import compile_mapping

RECORDED = pathlib.Path(__file__).parents[1] / "data" / "conformance" / "map.jsonl"
CASES = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_a_mapping_makes_what_segment_makes(case: dict[str, dict[str, object]]) -> None:
    before = orjson.dumps(case)
    if case["expect"].get("error"):
        with pytest.raises((InvalidMapping, InvalidEvent)):
            compile_mapping(case["mapping"])(case["event"])
    else:
        output = compile_mapping(case["mapping"])(case["event"])
        assert orjson.loads(orjson.dumps(output)) == case["expect"]["output"]
    assert orjson.dumps(case) == before


def test_the_recorded_cases_are_all_here() -> None:
    assert len(CASES) == 310
