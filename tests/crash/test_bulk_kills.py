"""kill -9 around a request with many users: one that was taken is asked for by its id, one of which nobody knows is sent
again."""

from __future__ import annotations

import signal

import pytest

from sync.deliver import bulk_answers
from tests.proofs import Road, ended

USERS = 200
pytestmark = pytest.mark.parametrize("transport", ["public-api"])
BULK = "/api/v2/audience/bulkSetTags"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.01)


@pytest.fixture
def way(road: Road) -> Road:
    return in_bulk(road)


def in_bulk(road: Road) -> Road:
    road.configure(more={"token": "server", "batch": {"bulk_users": USERS // 2}}, deadline="30s", lease="40s")
    road.crowd(USERS)
    return road


def killed(road: Road, step: str, occurrence: int = 1) -> None:
    """A backfill that has died there."""
    code, said = ended(road.spawn("backfill", die_at=step, occurrence=occurrence))
    assert code == -signal.SIGKILL, said
    road.clients_gone()


def submitted(road: Road) -> int:
    return sum(each.path == BULK for each in road.sandbox.log)


def test_killed_between_request_and_question_it_is_taken_up_by_its_id_and_nobody_is_sent_twice(way: Road) -> None:
    killed(way, "bulk.submitted", 2)
    assert way.states() == {"sending": USERS}
    assert way.command("backfill") == 0
    way.delivered()
    assert submitted(way) == 2
    assert way.sandbox.sent_counts() == dict.fromkeys(way.wanted, 1)
    assert way.tries() == {"accepted": USERS}


def test_killed_before_the_id_is_stored_it_is_sent_again_and_confirmed_and_nobody_is_lost(way: Road) -> None:
    way.configure(more={"token": "server", "batch": {"bulk_users": USERS}}, deadline="30s", lease="40s")
    killed(way, "deliver.answered")
    assert way.states() == {"sending": USERS}
    assert way.rows("SELECT users, request_id FROM bulk") == [(USERS, None)]
    assert way.command("backfill") == 0
    way.delivered()
    # Once before, once again, and once to confirm it after the quiet period (R4).
    assert way.sandbox.sent_counts() == dict.fromkeys(way.wanted, 3)
    assert submitted(way) == 3


def test_killed_after_one_of_two_was_settled_the_other_is_asked_for(sqlite_road: Road) -> None:
    way = in_bulk(sqlite_road)
    killed(way, "bulk.settled")
    assert way.command("backfill") == 0
    way.delivered()
    assert way.sandbox.sent_counts() == dict.fromkeys(way.wanted, 1)
    assert way.rows("SELECT count(*) FROM bulk") == [(0,)]
