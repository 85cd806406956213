"""What is made once for many who are alike is what each of them would have got alone."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sync.clock import SystemClock
from sync.deliver.channel import Channel
from sync.deliver.passengers import Passengers
from sync.deliver.served import Served
from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.mapping.mapping import Mapping, compile_subscription
from sync.model.delivery import DeliverySettings
from sync.model.slot import Alike, ClaimedSlot
from sync.store.engine import connect
from tests.destinations.pushwoosh.public_alone import public

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
USERS = ["u1", "u2", "", "7", "ü{{userId}}"]
VALUES = st.sampled_from([True, None, 7, "x", "", "userId", "$.userId", "{{userId}}", "{{messageId}}", [1], {"b": 2}])
PARTS: list[Any] = [
    None,
    "fixed",
    {"@path": "$.userId"},
    {"@path": "$.userId.length"},
    {"@path": "$.messageId"},
    {"@path": "$."},
    {"@path": "$.traits"},
    {"@path": "$.traits.a"},
    {"@path": {"@path": "$.traits.a"}},
    {"@template": "{{userId}}"},
    {"@template": "{{traits.a}}"},
    {"@template": "{{{traits.a}}}"},
    {"@template": {"@path": "$.traits.a"}},
    {"@liquid": "{{ userId }}"},
    {"@liquid": "{{ traits.a | upcase }}"},
    {"@if": {"exists": {"@path": "$.userId"}, "then": "x"}},
    {"@transform": {"apply": {"of": {"@path": "$.userId"}}, "mapping": {"@path": "$.of"}}},
    {"id": {"@path": "$.messageId"}},
    {"@merge": {"objects": [{"@path": "$.traits"}, {"who": {"@path": "$.userId"}}], "direction": "right"}},
]
FIELDS = ["external_id", "email", "city", "device_id", "language", "custom_attributes", "of_no_use"]
TRIGGERS = ['type = "identify"', 'userId = "u1"', "traits.a = true", 'type = "track"', 'contains(userId, "u")']


@st.composite
def mappings(draw: st.DrawFn) -> Mapping:
    action = draw(st.sampled_from([ACTIONS["updateUserProfile"]] * 4 + [ACTIONS["trackEvent"]]))
    changed = draw(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(PARTS), max_size=3))
    return compile_subscription(
        "mine", action, draw(st.sampled_from(TRIGGERS)), {**action.default_mapping(), **changed}
    )


def passengers(destination: PublicPushwoosh) -> Passengers:
    settings, clock = DeliverySettings(), SystemClock()
    channel: Channel = None  # type: ignore[assignment] # nothing is sent
    requests = destination.bulk
    assert requests is not None
    database = connect("sqlite://")
    return Passengers(Served(database, destination, requests, "push", settings, channel, clock, Random(1)))


def alike(owed: dict[str, object]) -> Alike:
    slot = ClaimedSlot(USERS[0], "token", 7, owed, dict.fromkeys(owed, 7), {"also": 1}, False, 0, None, NOW)
    return Alike(slot, USERS)


@given(st.lists(mappings(), max_size=2), st.dictionaries(st.sampled_from(["a", "b"]), VALUES, min_size=1))
def test_who_is_owed_the_same_as_others_gets_what_they_would_have_got_alone(
    found: list[Mapping], owed: dict[str, object]
) -> None:
    going = passengers(public(*found))
    together, left_out = going.of([alike(owed)], {"7"})
    one_by_one = going.of([Alike(slot, [slot.user_id]) for slot in alike(owed)], {"7"})
    assert ([each.user for each in together], left_out) == ([each.user for each in one_by_one[0]], one_by_one[1])
    assert [(each.user_id, each.slot.user_id) for each in together] == [(each.user_id,) * 2 for each in one_by_one[0]]


def test_by_the_presets_all_who_are_owed_the_same_are_alike() -> None:
    assert public().treats_alike
