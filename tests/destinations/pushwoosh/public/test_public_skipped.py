"""A tag that Pushwoosh does not have is told once, with the type to create it with."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from sync.destinations.mapped import READ
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.skipped import MOST_TOLD
from sync.destinations.pushwoosh.public.tag_types import TagType, advised, holding
from sync.model.outcome import Verdict
from tests.destinations.pushwoosh.public_alone import public


def warnings(there: PublicPushwoosh, traits: dict[str, Any], *skipped: object) -> tuple[str, ...]:
    """What is told when Pushwoosh skips these of a user's traits."""
    [request] = there.requests_for({"type": "identify", "userId": "u", "traits": traits}).requests
    answer = orjson.dumps({"status_code": 200, "status_message": "OK", "response": {"skipped": list(skipped)}})
    outcome = request.extensions[READ](200, httpx.Headers(), answer)
    assert outcome.verdict is Verdict.ACCEPTED
    return outcome.warnings  # type: ignore[no-any-return]


def missing(tag: str) -> dict[str, str]:
    return {"tag": tag, "reason": "Not found"}


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (True, "Boolean"),
        (7, "Integer, or Price if it may have decimals"),
        (7.5, "Price"),
        ("blue", "String"),
        (["a", "b"], "List"),
        ("2026-11-01 12:00", "Date, or String"),
        ("2026-11-01T12:00:00Z", "Date, or String"),
        ("1.20.3", "String"),
        ({"a": 1}, "String"),
    ],
)
def test_a_skipped_tag_is_told_with_the_type_that_its_value_wants(value: object, kind: str) -> None:
    [told] = warnings(public(), {"vip": value}, missing("vip"))
    assert told == (
        f"tag vip was skipped: Not found. Create it in Pushwoosh's Control Panel with the type {kind}; "
        "then `backfill` sends its values again"
    )


def test_of_a_null_no_type_is_told() -> None:
    [told] = warnings(public(), {"vip": None}, missing("vip"))
    assert "Control Panel; then" in told


def test_the_same_tag_has_one_warning_whatever_its_values() -> None:
    there = public()
    found = {each for value in (1, 2.5, "x", None) for each in warnings(there, {"score": value}, missing("score"))}
    assert len(found) == 1


def test_another_reason_is_told_without_advice() -> None:
    assert warnings(public(), {"a": 1}, {"tag": "a", "reason": "wrong type"}) == ("tag a was skipped: wrong type",)


def test_what_was_stored_is_not_warned_of() -> None:
    [request] = public().requests_for({"type": "identify", "userId": "u", "traits": {"a": 1}}).requests
    assert request.extensions[READ](200, httpx.Headers(), b'{"status_code":200,"response":{}}').warnings == ()


def test_not_every_name_that_an_event_may_have_is_told() -> None:
    there = public()
    found = {each for number in range(MOST_TOLD + 9) for each in warnings(there, {"a": 1}, missing(f"tag {number}"))}
    assert len(found) == MOST_TOLD + 1
    assert sum("more than" in each for each in found) == 1


@pytest.mark.parametrize(
    ("values", "kind"), [((1, 2.5), "Price"), ((1, "x"), "String: its values are of several types"), ((None, 5), None)]
)
def test_a_type_must_hold_every_value(values: tuple[object, ...], kind: str | None) -> None:
    types = frozenset(TagType).intersection(*map(holding, values))
    assert advised(types) == (kind or "Integer, or Price if it may have decimals")
