"""No event and no mapping whatsoever: requests, refusals or the declared errors, and nothing is ever changed."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from sync.destinations.mapped import Batched, Mapped
from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.transport import AnyPushwoosh
from sync.errors import InvalidEvent, InvalidMapping, InvalidSubscription
from sync.mapping.mapping import compile_subscription
from tests.destinations.pushwoosh.mapped_alone import pushwoosh
from tests.destinations.pushwoosh.public_alone import public

KEYS = st.sampled_from(
    ["type", "userId", "event", "name", "timestamp", "properties", "traits", "context", "device", "location", "id", "0"]
) | st.text(max_size=3)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["identify", "track", "2024-05-17", "1e400", "", "\ud800", 2**70, 1715940672345])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
EVENTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["identify", "track", "page", "screen"]) | VALUES},
    optional={
        "userId": VALUES,
        "event": VALUES,
        "name": VALUES,
        "timestamp": VALUES,
        "properties": VALUES,
        "traits": VALUES,
        "context": VALUES,
    },
)
PATHS = st.lists(KEYS, max_size=4).map(lambda keys: "$." + ".".join(keys))


def directives(inner: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Every directive, mostly well made."""
    objects = st.dictionaries(KEYS, inner, max_size=2)
    texts = st.text(max_size=3)
    well_made = (
        st.builds(lambda path: {"@path": path}, PATHS | inner),
        st.builds(lambda path: {"@template": "a{{" + path + "}}b"}, PATHS),
        st.builds(lambda value: {"@literal": value}, inner),
        st.builds(lambda a, b, c: {"@if": {"exists": a, "then": b, "else": c}}, inner, inner, inner),
        st.builds(lambda a, b: {"@if": {"blank": a, "then": b}}, inner, inner),
        st.builds(
            lambda how, value: {"@case": {"operator": how, "value": value}}, st.sampled_from(["lower", "upper"]), inner
        ),
        st.builds(lambda a, b, c: {"@replace": {"pattern": a, "replacement": b, "value": c}}, texts, texts, inner),
        st.builds(lambda path, shape: {"@arrayPath": [path, shape]}, PATHS | inner, objects),
        st.builds(
            lambda how, value: {"@json": {"mode": how, "value": value}}, st.sampled_from(["encode", "decode"]), inner
        ),
        st.builds(
            lambda value, omit: {"@flatten": {"separator": ".", "value": value, "omitArrays": omit}},
            inner,
            st.booleans(),
        ),
        st.builds(
            lambda a, how: {"@merge": {"objects": a, "direction": how}},
            st.lists(objects | inner, max_size=3),
            st.sampled_from(["left", "right"]),
        ),
        st.builds(lambda a, b: {"@transform": {"apply": a, "mapping": b}}, objects, objects),
        st.builds(lambda value: {"@excludeWhenNull": value}, inner),
        st.builds(lambda path: {"@liquid": "{{ " + path.removeprefix("$.") + " | upcase }}"}, PATHS),
    )
    return st.one_of(*well_made) | objects | st.lists(inner, max_size=2)


RAW = st.recursive(SCALARS | PATHS.map(lambda path: {"@path": path}), directives, max_leaves=8)


def mappings(slug: str) -> SearchStrategy[Any]:
    """A raw mapping: some fields of the action as they should be, some of any kind."""
    action = ACTIONS[slug]
    return st.dictionaries(st.sampled_from([each.key for each in action.fields]) | KEYS, RAW, max_size=4).map(
        lambda some: {**action.default_mapping(), **some}
    )


def shown(found: Mapped | Batched) -> list[tuple[str, str, bytes]]:
    requests = found.requests if isinstance(found, Mapped) else [each.request for each in found.batches]
    return [(each.method, str(each.url), whole(each)) for each in requests]


def whole(request: httpx.Request) -> bytes:
    content = request.read()
    assert isinstance(orjson.loads(content.replace(b"\\ud800", b"")), dict)
    return content


BY_TRANSPORT = pytest.mark.parametrize("connected", [pushwoosh, public], ids=["segment-integration", "public-api"])


@BY_TRANSPORT
@given(event=EVENTS)
def test_any_event_through_the_presets_is_sent_refused_or_left_out(
    connected: Callable[..., AnyPushwoosh], event: dict[str, Any]
) -> None:
    before = copy.deepcopy(event)
    found = connected().requests_for(event)
    assert repr(event) == repr(before)
    again = connected().requests_for(event)
    assert (shown(found), found.refusals) == (shown(again), again.refusals)


@given(event=EVENTS)
def test_any_event_is_one_user_of_a_bulk_request_or_none(event: dict[str, Any]) -> None:
    before = copy.deepcopy(event)
    found = public().bulk_user(event)
    assert repr(event) == repr(before)
    bulk = public().bulk
    if found is not None and bulk is not None:
        assert len(public().requests_for(event).requests) == 1
        whole(bulk.request([found]))


@given(st.lists(EVENTS | VALUES, max_size=5))
def test_any_batch_through_the_presets_accounts_for_each_event_at_most_once(events: list[Any]) -> None:
    before = copy.deepcopy(events)
    found = pushwoosh().batches_for(events)
    assert repr(events) == repr(before)
    shown(found)
    told = [index for each in found.batches for index in each.indexes] + [index for index, _ in found.refusals]
    assert len(told) == len(set(told))


@BY_TRANSPORT
@given(
    event=EVENTS,
    action_and_mapping=st.sampled_from(sorted(ACTIONS)).flatmap(lambda slug: st.tuples(st.just(slug), mappings(slug))),
)
def test_any_mapping_on_any_event_raises_only_what_is_declared(
    connected: Callable[..., AnyPushwoosh], event: dict[str, Any], action_and_mapping: tuple[str, Any]
) -> None:
    slug, raw = action_and_mapping
    before = copy.deepcopy((event, raw))
    try:
        mapping = compile_subscription("any", ACTIONS[slug], 'type != "nothing"', raw)
    except InvalidMapping:
        return
    found = connected(mapping).requests_for(event)
    again = connected(mapping).requests_for(event)
    assert repr((event, raw)) == repr(before)
    assert (shown(found), found.refusals) == (shown(again), again.refusals)
    try:
        mapping.payload(event)
    except InvalidEvent:
        assert found.requests == []


@given(st.text(max_size=40) | st.just('type = "track"'), RAW | mappings("trackEvent"))
def test_any_trigger_and_any_raw_mapping_compile_or_raise_only_what_is_declared(subscribe: str, raw: object) -> None:
    with contextlib.suppress(InvalidMapping, InvalidSubscription):
        assert compile_subscription("any", ACTIONS["trackEvent"], subscribe, raw).trigger.text == subscribe
