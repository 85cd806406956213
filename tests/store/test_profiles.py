"""A profile says of each trait what the latest event says, in whatever order events arrive."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import permutations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from sync.model.event import LoggedEvent
from sync.store import events, profiles
from sync.store.engine import Database
from sync.store.event_schema import profile
from sync.store.profiles import _Profile
from tests.moving_clock import MovingClock

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
_count = iter(range(10**9))


def identify(traits: object, minute: int = 0, user_id: str | None = "ann", **more: object) -> LoggedEvent:
    """An identify event of a minute after noon."""
    message_id = f"message-{next(_count)}"
    fields: dict[str, object] = {
        "source": "web",
        "message_id": message_id,
        "type": "identify",
        "name": None,
        "user_id": user_id,
        "anonymous_id": "somebody",
        "timestamp": NOON + timedelta(minutes=minute),
        "received_at": NOON,
        "body": orjson.dumps({"type": "identify", "traits": traits}).decode(),
    }
    return LoggedEvent(**{**fields, **more})  # type: ignore[arg-type]


def known(database: Database) -> dict[str, dict[str, object]]:
    """The traits of everybody who has a profile."""
    with database.read() as connection:
        rows = connection.execute(select(profile.c.user_id, profile.c.traits)).all()
    return {user_id: orjson.loads(traits) if isinstance(traits, str) else traits for user_id, traits in rows}


def updated_at(database: Database) -> datetime:
    with database.read() as connection:
        found: datetime = connection.execute(select(profile.c.updated_at)).scalar_one()
    return found


def test_traits_are_merged_and_the_latest_of_each_counts(database: Database) -> None:
    events.record(database, [identify({"plan": "free", "city": "Oslo"}), identify({"n": [1, {"a": None}]}, 0, "bob")])
    events.record(database, [identify({"plan": "pro", "age": 7}, 2)])
    events.record(database, [identify({"plan": "trial", "late": True}, 1)])
    assert known(database) == {
        "ann": {"plan": "pro", "city": "Oslo", "age": 7, "late": True},
        "bob": {"n": [1, {"a": None}]},
    }


def test_of_equal_times_the_later_recorded_counts(database: Database) -> None:
    events.record(database, [identify({"plan": "free"}), identify({"plan": "pro"})])
    assert known(database)["ann"] == {"plan": "pro"}
    events.record(database, [identify({"plan": "basic"})])
    assert known(database)["ann"] == {"plan": "basic"}


def test_null_takes_a_trait_away_and_an_older_event_does_not_bring_it_back(database: Database) -> None:
    events.record(database, [identify({"plan": "free", "city": "Oslo"}), identify({"plan": None}, 2)])
    events.record(database, [identify({"plan": "old"}, 1)])
    assert known(database)["ann"] == {"city": "Oslo"}
    events.record(database, [identify({"plan": "new"}, 3)])
    assert known(database)["ann"] == {"city": "Oslo", "plan": "new"}


def test_only_what_was_collected_and_new_and_of_a_user_is_merged(database: Database) -> None:
    first = identify({"plan": "free"})
    events.record(database, [first])
    again = identify({"plan": "changed"}, 5, message_id=first.message_id)
    others = [
        identify({"plan": "read from a table"}, 5, collected=False),
        identify({"plan": "nobody's"}, 5, user_id=None),
        identify({"plan": "a track's"}, 5, type="track"),
        identify({"plan": "a group's"}, 5, type="group"),
    ]
    events.record(database, [again, *others])
    assert known(database) == {"ann": {"plan": "free"}}


@pytest.mark.parametrize("body", ['{"traits": null}', '{"traits": [1]}', "{}"])
def test_an_identify_without_traits_makes_a_profile_without_any(database: Database, body: str) -> None:
    events.record(database, [identify({}, body=body)])
    assert known(database) == {"ann": {}}


def test_json_too_deep_for_a_reader_leaves_the_profile_alone(postgresql_database: Database) -> None:
    deep = '{"traits": {"a": ' + "[" * 1500 + "]" * 1500 + "}}"
    assert events.record(postgresql_database, [identify({"plan": "free"}), identify({}, body=deep)]).new == 2
    assert known(postgresql_database) == {"ann": {"plan": "free"}}


def test_a_profile_is_dated_by_its_last_change(database: Database, clock: MovingClock) -> None:
    events.record(database, [identify({"plan": "free"})])
    first = updated_at(database)
    clock.advance(60)
    events.record(database, [identify({"plan": "free"}, 1)])
    assert updated_at(database) == first
    clock.advance(60)
    events.record(database, [identify({"plan": "pro"}, 2)])
    assert updated_at(database) - first >= timedelta(seconds=120)


def test_a_profile_does_not_grow_beyond_all_measure(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MOST_TRAITS", 10)
    events.record(database, [identify({f"trait {number}": number for number in range(50)})])
    events.record(database, [identify({"another": 1, "trait 3": "known"}, 1)])
    assert len(known(database)["ann"]) == 10
    assert known(database)["ann"]["trait 3"] == "known"
    monkeypatch.setattr(profiles, "LARGEST", 1000)
    events.record(database, [identify({"trait 3": "x" * 2000}, 2), identify({"plan": "free"}, 2, "bob")])
    assert known(database)["ann"]["trait 3"] == "known"
    assert known(database)["bob"] == {"plan": "free"}


def merged(said: list[tuple[int, Mapping[str, object]]]) -> dict[str, object]:
    one = _Profile({}, {})
    for at, traits in said:
        one.merge(dict(traits), str(at))
    return one.traits


@given(
    st.dictionaries(
        st.integers(0, 9), st.dictionaries(st.sampled_from("abc"), st.none() | st.integers(), max_size=3), max_size=4
    )
)
def test_the_order_of_arrival_does_not_matter(said: dict[int, dict[str, object]]) -> None:
    results = [merged(list(order)) for order in permutations(said.items())]
    assert all(result == results[0] for result in results)
