from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.destinations.mapped import Batched
from sync.destinations.pushwoosh.actions import track_event
from sync.mapping.mapping import Mapping
from tests.destinations.pushwoosh.mapped_alone import APP_CODE, body, mapping, pushwoosh, sent


def track(user: object, name: str = "Seen", **more: object) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": name, "timestamp": "2024-05-17T10:11:12Z", **more}


def identify(user: str) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "traits": {"a": 1}}


def batched(events: Sequence[Any], *mappings: Mapping, where_enabled: bool = False) -> Batched:
    return pushwoosh(*mappings).batches_for(events, where_enabled=where_enabled)


def names(found: Batched) -> list[list[str]]:
    """The names of the events in each request; a profile is ``@`` and its user."""
    bodies = [body(each.request) for each in found.batches]
    return [
        [item["name"] for item in each["events"]] if "events" in each else ["@" + each["user_id"]] for each in bodies
    ]


def test_events_travel_together_in_their_order() -> None:
    found = batched([track("a", "1"), track("b", "2"), track("a", "3")])
    assert names(found) == [["1", "2", "3"]]
    assert [each.indexes for each in found.batches] == [(0, 1, 2)]
    assert {item["app_code"] for item in body(found.batches[0].request)["events"]} == {APP_CODE}


def test_a_batch_of_one_is_what_the_event_is_alone() -> None:
    [only] = batched([track("a")]).batches
    assert body(only.request) == sent(track("a"))


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_never_more_than_100_in_a_request(count: int, sizes: list[int]) -> None:
    found = batched([track("a", str(number)) for number in range(count)])
    assert [len(each) for each in names(found)] == sizes
    assert [name for each in names(found) for name in each] == [str(number) for number in range(count)]
    assert [index for each in found.batches for index in each.indexes] == list(range(count))


def test_what_cannot_be_used_is_refused_alone_with_its_reason_and_what_nobody_wants_is_left_out() -> None:
    found = batched([track("a", "1"), track(None, "2"), {"type": "group"}, track("a", ""), track("b", "5"), 7, None])
    assert names(found) == [["1", "5"]]
    assert found.batches[0].indexes == (0, 4)
    assert found.refusals == [
        (1, "The root value is missing the required field 'external_id'."),
        (3, "The root value is missing the required field 'name'."),
    ]


def test_an_event_that_cannot_be_written_is_refused_alone() -> None:
    deep: object = 1
    for _ in range(5_000):
        deep = [deep]
    found = batched([track("a", "1"), track("a", "2", properties={"n": deep}), track("a", "3")])
    assert names(found) == [["1", "3"]]
    assert [index for index, _ in found.refusals] == [1]


def test_profiles_go_one_by_one_after_what_the_same_user_did_before() -> None:
    found = batched([track("a", "1"), track("b", "2"), identify("c"), identify("a"), track("a", "3"), track("c", "4")])
    assert names(found) == [["@c"], ["1", "2"], ["@a"], ["3", "4"]]
    assert [each.indexes for each in found.batches] == [(2,), (0, 1), (3,), (4, 5)]


def test_a_profile_that_is_a_device_comes_after_what_the_device_did_before() -> None:
    device = {"type": "identify", "context": {"device": {"id": "d"}}}
    found = batched([track("a", "1", context=device["context"]), device])
    assert [each.indexes for each in found.batches] == [(0,), (1,)]


def test_where_batching_must_be_enabled_an_event_whose_mapping_does_not_say_so_goes_alone() -> None:
    raw = {**track_event.ACTION.default_mapping(), "enable_batching": {"@path": "$.properties.together"}}
    kinds = [True, "true", False, None, True]
    events = [track("a", str(index), properties={"together": kind}) for index, kind in enumerate(kinds)]
    assert names(batched(events, mapping("trackEvent", raw))) == [["0", "1", "2", "3", "4"]]
    assert names(batched(events, mapping("trackEvent", raw), where_enabled=True)) == [["0", "1"], ["2"], ["3"], ["4"]]


def test_every_mapping_that_takes_an_event_has_its_item() -> None:
    other = mapping("trackEvent", {**track_event.ACTION.default_mapping(), "name": "Copy"}, 'event = "2"')
    found = batched([track("a", "1"), track("a", "2")], mapping("trackEvent"), other)
    assert names(found) == [["1", "2", "Copy"]]
    assert found.batches[0].indexes == (0, 1, 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), max_size=20), st.booleans())
def test_each_users_events_stay_in_order_and_none_is_lost(
    told: list[tuple[str, bool, bool]], where_enabled: bool
) -> None:
    raw = {**track_event.ACTION.default_mapping(), "enable_batching": {"@path": "$.properties.together"}}
    events = [
        identify(user) if profile else track(user, str(index), properties={"together": together})
        for index, (user, profile, together) in enumerate(told)
    ]
    found = batched(events, mapping("trackEvent", raw), mapping("updateUserProfile"), where_enabled=where_enabled)
    order = [index for each in found.batches for index in each.indexes]
    for user in "abc":
        own = [index for index, (whose, _, _) in enumerate(told) if whose == user]
        assert [index for index in order if told[index][0] == user] == own
