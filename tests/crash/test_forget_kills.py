"""kill -9 at every step of forgetting a user: asked for again, it goes on, and in the end nothing is left anywhere."""

from __future__ import annotations

import signal

import orjson
import pytest

from tests.proofs import Road, ended
from tests.soak import FULL
from tests.traces import traces

WHO = "zoe-who-wants-to-be-forgotten"
ALL = ("recorded", "sweeping", "swept", "sending", "answered", "settled", "vacuumed", "purged")
STEPS = ALL if FULL else ("recorded", "answered", "settled")


def populated(road: Road) -> None:
    road.people({WHO: 1, "ann": 2, "bob": 3})
    file = road.folder / "events.jsonl"
    lines = [{"type": "identify", "userId": user, "traits": {"n": 1}} for user in (WHO, "ann")]
    file.write_bytes(b"\n".join(orjson.dumps(line) for line in lines))
    assert road.command("events", "send", str(file)) == 0
    assert road.command("backfill") == 0
    assert set(road.sandbox.users()) == {WHO, "ann", "bob"}


def forgotten(road: Road) -> None:
    """Assert that nothing is left, and that nothing comes back."""
    with road.opened() as database:
        assert traces(database, WHO) == []
    assert set(road.sandbox.users()) == {"ann", "bob"}
    assert road.command("backfill") == 0
    assert set(road.sandbox.users()) == {"ann", "bob"}
    with road.opened() as database:
        assert traces(database, WHO) == []
    assert not road.sandbox.complaints


def test_a_user_is_forgotten_here_and_there_and_the_next_refresh_does_not_bring_them_back(
    road: Road, transport: str
) -> None:
    # Nothing is asked for again only because the machine was busy.
    road.configure(deadline="60s", lease="90s")
    populated(road)
    assert road.command("user", "forget", WHO, "--yes") == 0
    forgotten(road)
    assert road.sandbox.stats()["deleted"] == 1


def test_a_forgetting_killed_before_the_bytes_are_overwritten_is_seen_through(sqlite_road: Road) -> None:
    test_a_forgetting_killed_at_any_step_is_seen_through_by_the_same_command(sqlite_road, "vacuumed")


@pytest.mark.parametrize("step", STEPS)
def test_a_forgetting_killed_at_any_step_is_seen_through_by_the_same_command(road: Road, step: str) -> None:
    if step == "vacuumed" and not road.store.startswith("sqlite"):
        return  # PostgreSQL has no such step
    populated(road)
    code, said = ended(road.spawn("user", "forget", WHO, "--yes", die_at=f"forget.{step}"))
    assert code == -signal.SIGKILL, said
    road.clients_gone()
    # Whatever comes next, the user has left for good.
    assert road.rows(f"SELECT count(*) FROM snapshot WHERE user_id = '{WHO}'") == [(0,)]

    code, said = ended(road.spawn("user", "forget", WHO, "--yes"))
    assert code == 0, said
    forgotten(road)
