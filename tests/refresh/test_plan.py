"""A plan is exact, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from sync.model.definition import Definition
from sync.store.engine import Database
from sync.store.recorded import Sample
from sync.store.schema import metadata
from tests.recorder import PUSH
from tests.refresh.conftest import SPEND, VIP, Stage, cleared, to


def content(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with database.read() as connection:
        return {
            table.name: sorted(tuple(map(repr, row)) for row in connection.execute(text(f"SELECT * FROM {table.name}")))
            for table in metadata.sorted_tables
        }


@contextmanager
def untouched(database: Database) -> Iterator[None]:
    """Fails when the block changes a single byte of the store."""
    before = content(database)
    file = Path(database.engine.url.database or "") if database.dialect == "sqlite" else None
    frozen = (file.read_bytes(), Path(f"{file}-wal").read_bytes()) if file else None
    yield
    assert content(database) == before
    if file:
        assert (file.read_bytes(), Path(f"{file}-wal").read_bytes()) == frozen


def test_a_plan_writes_nothing(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann", "bob"])
    stage.delta(SPEND)
    with untouched(stage.database):
        stage.shop.answers([("bob", "1"), ("cid", "2")])
        stage.plan(to(VIP, PUSH, "other"), SPEND, destinations=(PUSH, "other"), removals=True)
        stage.plan(SPEND, removals=True)
        stage.plan(VIP)


def test_a_plan_of_an_empty_store_writes_nothing(stage: Stage) -> None:
    stage.shop.members("ann")
    with untouched(stage.database):
        planned = stage.plan(VIP)
    assert (planned.users, planned.owed) == ({PUSH: 1}, {PUSH: 0})
    assert planned.definitions[0].joined == (PUSH,)


def test_a_plan_shows_a_sample_of_each_direction(stage: Stage) -> None:
    stage.shop.answers([("ann", "1"), ("bob", "1"), ("cid", "1")])
    stage.delta(SPEND)
    stage.shop.answers([("bob", "2"), ("cid", "1"), ("dan", "3")])
    (planned,) = stage.plan(SPEND).definitions
    assert set(planned.samples) == {Sample("ann", '"1"', None), Sample("bob", '"1"', '"2"'), Sample("dan", None, '"3"')}
    assert (planned.counts.entered, planned.counts.exited, planned.counts.changed) == (1, 1, 1)


def test_a_plan_shows_what_the_guard_would_hold(stage: Stage) -> None:
    stage.delta(members=[f"u{number}" for number in range(30)])
    stage.sent()
    stage.shop.members()
    planned = stage.plan(VIP)
    assert (planned.definitions[0].counts.held, planned.users[PUSH]) == (30, 0)


def test_a_plan_shows_a_removal(stage: Stage) -> None:
    stage.delta(cleared(VIP), ["ann", "bob"])
    stage.sent()
    planned = stage.plan(removals=True)
    assert [(each.key, each.cleared) for each in planned.removed] == [("vip", 2)]
    assert planned.users == {PUSH: 2}


users = st.sets(st.sampled_from([f"u{number}" for number in range(14)]))
steps = st.lists(
    st.tuples(
        st.sampled_from([VIP, SPEND]),
        users,
        st.sampled_from(["1", "2"]),
        st.sampled_from([(PUSH,), ("other",), (PUSH, "other")]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def prove_exact(stage: Stage, taken: list[tuple[Definition, set[str], str, tuple[str, ...], bool]]) -> None:
    with stage.database.write() as connection:
        for table in reversed(metadata.sorted_tables):
            if table.name != "counter":
                connection.execute(table.delete())
    for definition, members, value, destinations, sending in taken:
        stage.shop.answers((user, value) for user in sorted(members))
        asked = to(definition, *destinations)
        planned = stage.plan(asked, destinations=(PUSH, "other"))
        done = stage.delta(asked)
        assert planned.definitions[0].counts == done.counts
        assert planned.definitions[0].hold == done.hold
        assert planned.users == {destination: len(stage.owed(destination)) for destination in (PUSH, "other")}
        if sending:
            stage.sent()


EXACT = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.differing_executors],
)


@EXACT
@given(taken=steps)
def test_a_plan_counts_exactly_whom_the_very_same_delta_then_owes(
    stage: Stage, taken: list[tuple[Definition, set[str], str, tuple[str, ...], bool]]
) -> None:
    prove_exact(stage, taken)


def test_a_plan_of_a_postgresql_source_is_exact(stage_of_postgresql_shop: Stage) -> None:
    prove_exact(
        stage_of_postgresql_shop,
        [(VIP, {"u1", "u2"}, "1", (PUSH,), True), (VIP, {"u2", "u3"}, "1", (PUSH, "other"), False)],
    )


@pytest.mark.parametrize("definition", [VIP, SPEND])
def test_a_plan_counts_what_was_owed_before(stage: Stage, definition: Definition) -> None:
    stage.shop.answers([("ann", "1")])
    stage.delta(definition)
    planned = stage.plan(definition)
    assert (planned.users, planned.owed) == ({PUSH: 1}, {PUSH: 1})
