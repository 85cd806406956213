"""Many users in one request: what is owed arrives with few of them, and what fails in one is one user's matter."""

from __future__ import annotations

from itertools import count
from typing import Any

import httpx
import pytest

from sync import telemetry
from sync.deliver import bulk, bulk_answers
from sync.deliver.foreground import deliver
from sync.destinations.pushwoosh.public.bulk import Bulk
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.model.outcome import Outcome
from sync.store import bulk_claims, bulks, reports, slots
from sync.store.bulk_claims import Wanted
from tests.proofs import Road
from tests.soak import FULL

pytestmark = pytest.mark.parametrize("transport", ["public-api"])
BULK = "/api/v2/audience/bulkSetTags"
SINGLE = "/json/1.3/setTags"
FORBIDDEN = b'{"status_code": 403, "status_message": "Token restrictions forbid this operation"}'
PARTIAL = b'{"status": "Partial", "failed_count": 3}'
OF_OTHERS = b'{"status": "Completed", "failed": ["u1", "nobody"]}'


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_answers, "FIRST_WAIT", 0.01)


@pytest.fixture
def way(sqlite_road: Road) -> Road:
    configure(sqlite_road)
    return sqlite_road


def configure(road: Road, **batch: object) -> None:
    # Nothing is asked for again only because the machine was busy.
    road.configure(more={"token": "server", "batch": batch}, deadline="60s", lease="90s")


def submitted(road: Road) -> list[int]:
    """How many users each bulk request carried."""
    return [len(each.body["devices"]) for each in road.sandbox.log if each.path == BULK and each.body]  # type: ignore[arg-type]


def singly(road: Road) -> int:
    """Users who got a request of their own."""
    return sum(each.path == SINGLE for each in road.sandbox.log)


def test_a_backfill_takes_a_request_for_every_thousand_users(way: Road) -> None:
    users = 100_000 if FULL else 10_000
    way.crowd(users)
    assert way.command("backfill") == 0
    way.delivered()
    assert len(submitted(way)) <= users / 1000 * 1.1
    assert singly(way) == 0
    assert way.sandbox.stats()["max_concurrent_per_user"] == 1


def test_up_to_fifty_users_go_in_requests_of_their_own(way: Road) -> None:
    way.crowd(50)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([], 50)


def test_more_than_fifty_go_in_bulk_in_requests_of_the_configured_size(way: Road) -> None:
    configure(way, bulk_users=60)
    way.crowd(171)
    assert way.command("delta") == 0
    way.delivered()
    # They are under way beside each other, so that any may come first; who are left are few enough to go either way.
    assert (sorted(submitted(way)), singly(way)) in (([60, 60], 51), ([51, 60, 60], 0))


def test_who_fails_in_bulk_is_parked_by_an_answer_of_their_own_and_the_others_are_settled(way: Road) -> None:
    way.crowd(1_000)
    way.sandbox.set_faults(fail_users=["u7", "u77", "u777"])
    assert way.command("backfill") == 1
    assert submitted(way) == [1_000]
    parked = way.rows("SELECT user_id, state, reason FROM slot ORDER BY user_id")
    assert [row[:2] for row in parked] == [("u7", "parked"), ("u77", "parked"), ("u777", "parked")]
    assert way.sandbox.user_count == 997
    assert singly(way) == 3
    assert way.tries() == {"accepted": 997, "refused": 6}


def test_each_user_has_an_attempt_with_the_request_s_id_and_what_was_sent(way: Road) -> None:
    way.crowd(60)
    assert way.command("delta") == 0
    with way.opened() as database, database.read() as connection:
        [found] = reports.user(connection, "u59")["attempts"]
    assert (found["detail"], found["status"], found["sent"]) == ("bulk bulk-1", 200, {"members": True, "score": 59})


def test_the_end_of_a_request_is_no_reason_to_ask_again_who_is_due_where_nobody_was(
    way: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = bulk.BulkSender.claim
    in_vain: list[int] = []

    async def claim_too(self: bulk.BulkSender, most_alone: int) -> list[bulk.Batch]:
        under_way = self.under_way
        found = await claim(self, most_alone)
        if under_way and not any(map(len, found)):
            in_vain.append(under_way)
        return found

    monkeypatch.setattr(bulk.BulkSender, "claim", claim_too)
    monkeypatch.setattr(bulk, "ASK_AGAIN", 3600.0)
    configure(way, bulk_users=60)
    way.crowd(480)
    assert way.command("backfill") == 0
    way.delivered()
    assert (len(submitted(way)), len(in_vain) <= 1) == (8, True)


def test_a_request_that_is_still_pending_is_asked_for_again(way: Road) -> None:
    way.crowd(80)
    way.sandbox.set_faults(bulk_polls=3)
    assert way.command("delta") == 0
    way.delivered()
    assert submitted(way) == [80]


def test_a_request_that_fails_as_a_whole_is_sent_user_by_user(way: Road) -> None:
    way.crowd(80)
    way.sandbox.set_faults(bulk_fails=True)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([80], 80)


def test_a_request_that_never_ends_is_given_up_and_its_users_go_singly_and_are_confirmed(
    way: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "PATIENCE", 0.1)
    way.crowd(60)
    way.sandbox.set_faults(bulk_polls=10**9)
    assert way.command("delta") == 0
    way.delivered()
    # What nobody knows the end of is in doubt: the next success is confirmed (R4), and that singly too.
    assert (submitted(way), singly(way)) == ([60], 120)


@pytest.mark.parametrize("only_in_detail", [False, True])
def test_a_request_that_may_not_be_asked_for_is_given_up_in_time(
    way: Road, monkeypatch: pytest.MonkeyPatch, only_in_detail: bool
) -> None:
    ask = bulk_answers.Answers._ask

    async def ask_not(self: bulk_answers.Answers, *which: Any, detailed: bool) -> Any:
        return await ask(self, *which, detailed=False) if only_in_detail and not detailed else None

    monkeypatch.setattr(bulk_answers.Answers, "_ask", ask_not)
    monkeypatch.setattr(bulk, "PATIENCE", 0.1)
    way.crowd(60)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60], 120)


def test_a_refused_request_is_divided_until_it_is_taken(way: Road) -> None:
    way.crowd(200)
    way.sandbox.set_faults(status=400, status_count=2)
    assert way.command("delta") == 0
    way.delivered()
    assert sorted(submitted(way)) == [50, 50, 100, 100, 200]
    assert singly(way) == 0


def test_a_request_that_nobody_takes_ends_as_one_for_each_user(way: Road) -> None:
    way.crowd(60)
    way.sandbox.set_faults(status=413, status_count=3)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60, 30, 30], 60)


def test_without_an_answer_everybody_is_in_doubt_and_sent_again_and_confirmed(way: Road) -> None:
    way.crowd(60)
    way.sandbox.set_faults(drop_count=1)
    assert way.command("delta") == 0
    way.delivered()
    assert submitted(way) == [60, 60, 60]


def answered(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """Whatever is submitted gets this success for an answer."""
    read = Bulk.read_submission
    monkeypatch.setattr(Bulk, "read_submission", lambda self, outcome, _: read(self, outcome, body))


def test_a_success_without_an_id_to_ask_for_is_not_tried_again_and_everybody_goes_singly_and_is_confirmed(
    way: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, b'{"status": "Completed"}')
    way.crowd(60)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60], 120)


def test_an_invalid_request_in_a_success_is_refused_like_any(way: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(monkeypatch, b'{"message": "invalid request"}')
    way.crowd(60)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60, 30, 30], 60)


def test_a_token_that_may_not_send_in_bulk_sends_user_by_user(way: Road) -> None:
    way.crowd(60)
    way.sandbox.set_faults(status=403, status_count=1)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60], 60)


@pytest.mark.parametrize(("answer", "alone"), [(1, 60), (2, 120)], ids=["submitted", "asked for"])
def test_a_403_in_the_body_of_a_success_is_about_bulk_as_one_in_the_status_is(
    way: Road, monkeypatch: pytest.MonkeyPatch, answer: int, alone: int
) -> None:
    read = PublicPushwoosh.read_answer
    answers = count(1)

    def forbidding(self: PublicPushwoosh, status: int, headers: httpx.Headers, body: bytes) -> Outcome:
        return read(self, status, headers, FORBIDDEN if next(answers) == answer else body)

    monkeypatch.setattr(PublicPushwoosh, "read_answer", forbidding)
    way.crowd(60)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60], alone)


def test_a_wrong_token_stops_the_destination_and_everybody_stays_due(way: Road) -> None:
    way.crowd(60)
    way.sandbox.set_faults(status=401)
    assert way.command("delta", "--wait", "60") == 1
    assert dict(way.states()) == {"due": 60}
    assert way.rows("SELECT count(*) FROM bulk") == [(0,)]


def test_one_user_of_whom_nothing_can_be_made_goes_alone(way: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    way.crowd(60)
    way.refresh()
    with way.app() as app:
        [outlet] = app.outlets(["pushwoosh"])
        kind = type(outlet.destination)
    made = kind.bulk_user  # type: ignore[attr-defined]

    def fussy(self: object, event: dict[str, object]) -> object:
        if event["userId"] == "u50":
            raise ValueError("a value of this user")
        return made(self, event)

    monkeypatch.setattr(kind, "bulk_user", fussy)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([59], 1)


def test_what_was_sent_by_one_who_had_lost_the_slots_meanwhile_is_owed_anew(way: Road) -> None:
    way.crowd(60)
    way.refresh()
    times = 0

    def take_away(name: str, _: dict[str, object]) -> None:
        nonlocal times
        times += name == "deliver.answered"
        if name == "deliver.answered" and times == 1:
            with way.opened() as database:
                assert slots.rescue(database, "pushwoosh", all_of_them=True) == 60

    stop = telemetry.listen(take_away)
    try:
        with way.app() as app:
            [done] = deliver(app.database(), app.outlets(["pushwoosh"]), app.clock, patience=60)
    finally:
        stop()
    assert (done.complete, done.owed_anew) == (True, 60)
    way.delivered()


@pytest.mark.parametrize("body", [b"{", b'{"status": "Pending"}', b"[]", PARTIAL, OF_OTHERS])
def test_when_nobody_can_read_for_whom_it_failed_everybody_goes_singly(
    way: Road, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    read = Bulk.read_progress
    asked = iter([read])

    def garbled(self: Bulk, answer: bytes) -> object:
        return next(asked, lambda self, _: read(self, body))(self, answer)

    monkeypatch.setattr(Bulk, "read_progress", garbled)
    way.crowd(60)
    assert way.command("delta") == 0
    way.delivered()
    assert (submitted(way), singly(way)) == ([60], 60)


@pytest.mark.parametrize("request_id", ["bulk-77", ".."])
def test_a_request_whose_id_nobody_knows_any_more_goes_singly_and_is_confirmed(way: Road, request_id: str) -> None:
    way.crowd(60)
    way.refresh()
    with way.app() as app, way.opened() as database:
        [claim], _ = bulk_claims.claim(database, "pushwoosh", Wanted(100, 51, 90.0, 900.0), most_alone=1)
        found = claim.bulk
        assert found is not None
        bulks.submitted(database, found, request_id)
        [done] = deliver(app.database(), app.outlets(["pushwoosh"]), app.clock, patience=60)
    assert done.complete
    assert way.sandbox.user_count == 60
    assert (submitted(way), singly(way)) == ([], 120)


def test_a_destination_that_takes_no_bulk_any_more_sends_what_was_under_way_singly(way: Road) -> None:
    way.crowd(60)
    way.refresh()
    with way.opened() as database:
        [claim], _ = bulk_claims.claim(database, "pushwoosh", Wanted(100, 51, 90.0, 900.0), most_alone=1)
        found = claim.bulk
        assert found is not None
        bulks.submitted(database, found, "bulk-77")
    way.configure(more={"token": "device"}, deadline="60s", lease="90s")
    assert way.command("delta") == 0
    way.delivered()
    assert way.rows("SELECT count(*) FROM bulk") == [(0,)]
