"""Tags of many users in one request: how it looks, and what its answers say."""

from __future__ import annotations

from typing import Any

import httpx
import orjson
import pytest

from sync.destinations.bulk import BulkUser, Progress
from sync.destinations.pushwoosh.public.bulk import read_progress, read_submission
from sync.model.outcome import Outcome, Verdict
from tests.destinations.pushwoosh.mapped_alone import APP_CODE, body, mapping
from tests.destinations.pushwoosh.public_alone import BASE, public

OK = Outcome(Verdict.ACCEPTED, 200)


def test_a_bulk_request_is_flat_and_creates_what_is_missing() -> None:
    bulk = public().bulk
    assert bulk is not None
    request = bulk.request([BulkUser("u-1", {"vip": True}), BulkUser("u-2", {"tags": ["a"], "gone": None})])
    assert (request.method, str(request.url)) == ("POST", BASE + "/api/v2/audience/bulkSetTags")
    assert body(request) == {
        "application": APP_CODE,
        "auth": "server-t0ken",
        "create_missing_tags": True,
        "devices": [
            {"user_id": "u-1", "list_operator": "set", "tags": {"vip": True}},
            {"user_id": "u-2", "list_operator": "set", "tags": {"tags": ["a"], "gone": None}},
        ],
    }


def test_its_state_is_asked_for_by_its_id() -> None:
    bulk = public().bulk
    assert bulk is not None
    for detailed, text in ((True, "true"), (False, "false")):
        request = bulk.poll("a/b c-1".replace(" ", "+"), detailed=detailed)
        assert (request.method, request.read()) == ("GET", b"")
        assert str(request.url) == f"{BASE}/api/v2/audience/bulkSetTags/a%2Fb%2Bc-1?detailed={text}"


@pytest.mark.parametrize(
    "wrong", ["", "a b", "a\r\nb", "é", "x" * 201, ".", "..", "a/../b", "a//b", "a/.", "..\\a", "..;/a"]
)
def test_an_id_that_another_path_could_be_made_of_is_none(wrong: str) -> None:
    bulk = public().bulk
    assert bulk is not None
    assert read_submission(OK, orjson.dumps({"request_id": wrong})).request_id is None
    with pytest.raises(ValueError, match="id of a request"):
        bulk.poll(wrong)
    assert bulk.poll("a..b/.c", detailed=False).url.raw_path.endswith(b"/a..b%2F.c?detailed=false")


@pytest.mark.parametrize(
    ("answer", "request_id"),
    [
        ({"request_id": "r-1", "status": "Pending"}, "r-1"),
        ({"request_id": 17}, "17"),
        ({"request_id": ""}, None),
        ({"request_id": "a b"}, None),
        ({"request_id": True}, None),
        ({}, None),
        ([], None),
        (b"<html>", None),
    ],
)
def test_a_submission_without_an_id_is_unknown(answer: object, request_id: str | None) -> None:
    raw = answer if isinstance(answer, bytes) else orjson.dumps(answer)
    found = read_submission(OK, raw)
    assert found.request_id == request_id
    assert found.outcome.verdict is (Verdict.ACCEPTED if request_id else Verdict.UNKNOWN)
    assert found.untold is (request_id is None)


def test_the_documented_error_in_a_success_refuses() -> None:
    found = read_submission(OK, b'{"message":"invalid request"}')
    assert (found.outcome.verdict, found.outcome.status, found.untold) == (Verdict.REFUSED, 200, False)
    assert read_submission(OK, b'{"message":"accepted"}').untold


def test_a_submission_that_was_not_accepted_keeps_its_outcome() -> None:
    refused = public().read_answer(400, httpx.Headers(), b'{"message":"invalid request"}')
    assert refused.verdict is Verdict.REFUSED
    assert read_submission(refused, b'{"request_id":"r-1"}').request_id is None


@pytest.mark.parametrize("state", ["Pending", "InProgress", "", "who knows", "Queued"])
def test_what_does_not_say_that_it_is_done_is_not(state: str) -> None:
    assert read_progress(orjson.dumps({"request_id": "r", "status": state})) == Progress(finished=False)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"status":null}', b'{"status":["Completed"]}'])
def test_what_cannot_be_read_is_not_done(raw: bytes) -> None:
    assert read_progress(raw).finished is False


@pytest.mark.parametrize("state", ["Completed", "done", "SUCCESS", "Completed with errors", "partially_completed"])
def test_users_that_failed_are_named_with_their_reasons_and_the_others_hold_their_tags(state: str) -> None:
    devices = [
        {"user_id": "u-1", "status": "Completed"},
        {"user_id": "u-2", "status": "Failed", "error": "no\nsuch user"},
        {"user_id": "u-3", "error": "wrong type"},
        {"user_id": "u-4", "status": "skipped"},
        {"user_id": "u-5"},
        {"user_id": 6, "status": 400},
        {"user_id": "u-7", "success": False},
        {"user_id": "u-8", "errors": ["bad", "worse"]},
        {"user_id": "u-9", "ok": True, "errors": [], "error": None, "failed_count": 0},
        "odd",
    ]
    found = read_progress(orjson.dumps({"status": state, "devices": devices}))
    assert (found.finished, found.succeeded) == (True, True)
    assert found.failures == {
        "u-2": "no such user",
        "u-3": "wrong type",
        "u-4": "skipped",
        "6": "no reason given",
        "u-7": "no reason given",
        "u-8": "bad, worse",
    }


def test_a_list_of_errors_is_one_of_failures() -> None:
    found = read_progress(orjson.dumps({"status": "ok", "errors": [{"user_id": "u", "message": "bad"}, {"hwid": "h"}]}))
    assert found.failures == {"u": "bad", "h": "no reason given"}


@pytest.mark.parametrize(
    ("told", "failures"),
    [
        ({"errors": {"u-1": "bad", "u-2": {"message": "worse"}}}, {"u-1": "bad", "u-2": "worse"}),
        ({"failed": ["u-1", "u-2"], "failed_count": 2}, dict.fromkeys(("u-1", "u-2"), "no reason given")),
        ({"failed": [{"user_id": 1, "error": "bad"}]}, {"1": "bad"}),
        ({"result": {"failed": [{"u-1": "bad"}]}}, {"u-1": "bad"}),
        ({"devices": [{"device": {"user_id": "u-1"}, "status": "ok"}], "errors": {}, "failed": 0}, {}),
        ({"success": 9, "error": "", "errors": None, "failed_count": "0", "has_errors": False}, {}),
        ({"devices": [{"user_id": "u-1", "status_code": 210, "status_message": "no"}]}, {"u-1": "no"}),
        ({"devices": [{"user_id": "u-1", "code": "404"}, {"user_id": "u-2", "code": 200}]}, {"u-1": "no reason given"}),
        ({"devices": [{"user_id": "u-1", "status": "Updated"}, {"user_id": "u-2", "status_code": 0}]}, {}),
        ({"devices": [{"user_id": "u-1", "tags": {"failed_payments": 3, "status": "gold", "plan": "expired"}}]}, {}),
        ({"error": {"code": 0, "message": ""}, "errors": {"u-1": None}, "has_errors": "false"}, {}),
        ({"error": "none", "error_message": "OK", "total": 2, "success": 2}, {}),
    ],
)
def test_failures_are_read_in_every_form_that_names_users(told: dict[str, object], failures: dict[str, str]) -> None:
    found = read_progress(orjson.dumps({"status": "Completed", **told}))
    assert found == Progress(finished=True, succeeded=True, failures=failures, told=len(failures))
    assert found.explains(found)


_NESTED: list[Any] = [{"user_id": "u", "status": "Failed"}]
for _ in range(100):
    _NESTED = [_NESTED]


@pytest.mark.parametrize(
    "told",
    [
        {"status": "Partial"},
        {"status": "CompletedWithErrors", "errors": []},
        {"failed_count": 3},
        {"failed_count": "3", "failed": ["u-1", "u-2"]},
        {"summary": {"failed": 3}},
        {"has_errors": True},
        {"unsuccessful": 1, "notFound": []},
        {"error": "some of them"},
        {"success": False},
        {"result": "failed"},
        {"failed": [1, 2]},
        {"errors": {"0": "bad"}},
        {"errors": [{}]},
        {"devices": [{"status": "Failed"}]},
        {"devices": [{"user_id": "u-1", "error": "bad"}, {"error": "bad"}]},
        {"devices": [{"user_id": "u-1", "error": "bad"}, {"user_id": True, "ok": False}]},
        {"devices": {"u-1": "Failed"}},
        {"devices": {"u-1": False}},
        {"devices": [{"status_code": 210}]},
        {"total": 3, "success_count": 2},
        {"devices": _NESTED},
        {"failed": _NESTED},
    ],
)
def test_where_more_failed_than_can_be_read_nobody_is_done(told: dict[str, object]) -> None:
    found = read_progress(orjson.dumps({"status": "Completed", **told}))
    assert found.finished
    assert not found.explains(Progress(finished=True, succeeded=True))


def test_details_that_know_less_than_the_summary_explain_nothing() -> None:
    details = read_progress(orjson.dumps({"status": "Completed", "failed": ["u-1"]}))
    for told, enough in (({"failed_count": 1}, True), ({"failed_count": 2}, False), ({"failed": ["u-2"]}, False)):
        summary = read_progress(orjson.dumps({"status": "Partial", **told}))
        assert details.explains(summary) is enough


def test_a_request_that_failed_as_a_whole_succeeded_for_nobody() -> None:
    assert read_progress(b'{"status":"Failed"}') == Progress(finished=True, succeeded=False)


def test_reasons_do_not_repeat_a_token_of_either_kind() -> None:
    bulk = public().bulk
    assert bulk is not None
    raw = orjson.dumps({"status": "done", "devices": [{"user_id": "u", "error": "bad device-t0ken, server-t0ken"}]})
    assert bulk.read_progress(raw).failures == {"u": "bad [redacted], [redacted]"}


@pytest.mark.parametrize(
    ("event", "user"),
    [
        ({"type": "identify", "userId": "u", "traits": {"a": 1}}, BulkUser("u", {"a": 1})),
        ({"type": "identify", "userId": "u", "traits": {"a": 1}, "context": {"device": {"id": "d"}}}, None),
        ({"type": "identify", "traits": {"a": 1}, "context": {"device": {"id": "d"}}}, None),
        ({"type": "identify", "userId": "u", "traits": {str(n): n for n in range(51)}}, None),
        ({"type": "identify", "userId": "u"}, None),
        ({"type": "identify", "traits": {"a": 1}}, None),
        ({"type": "track", "userId": "u", "event": "E", "timestamp": "2024-05-17"}, None),
    ],
)
def test_only_tags_of_one_user_travel_with_others(event: dict[str, Any], user: BulkUser | None) -> None:
    assert public().bulk_user(event) == user


def test_an_event_that_two_mappings_take_travels_alone() -> None:
    two = [mapping("updateUserProfile"), mapping("updateUserProfile")]
    assert public(*two).bulk_user({"type": "identify", "userId": "u", "traits": {"a": 1}}) is None
