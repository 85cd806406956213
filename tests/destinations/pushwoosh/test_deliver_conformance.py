"""What Segment's published destination sent, reproduced: every recorded line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from sync.destinations.mapped import Batched, Mapped
from sync.errors import MappingError
from tests.destinations.pushwoosh.mapped_alone import body, mapping, pushwoosh

RECORDED = Path(__file__).parents[2] / "data" / "conformance" / "deliver.jsonl"
CASES = [orjson.loads(line) for line in RECORDED.read_bytes().splitlines()]


def mapped(case: dict[str, Any]) -> Mapped | Batched:
    destination = pushwoosh(mapping(case["action"], case.get("mapping"), case.get("subscribe")))
    if "events" in case:
        return destination.batches_for(case["events"])
    return destination.requests_for(case["event"])


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_same_requests_go_out_and_the_same_events_are_refused(case: dict[str, Any]) -> None:
    expected = case["expect"]
    try:
        found = mapped(case)
    except MappingError:
        assert expected == {"requests": [], "refused": True}
        return
    requests = found.requests if isinstance(found, Mapped) else [each.request for each in found.batches]
    made = [{"method": each.method, "url": str(each.url), "json": body(each)} for each in requests]
    assert made == expected["requests"]
    # Of a batch it is recorded only whether the whole of it was refused.
    assert bool(found.refusals) == expected["refused"] or "events" in case


def test_there_are_as_many_cases_as_were_recorded() -> None:
    assert len(CASES) == 337
