from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from sync import __version__
from sync.destinations.mapped import Mapped
from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.errors import ConfigurationError
from sync.model.outcome import Verdict
from tests.destinations.pushwoosh.mapped_alone import body, mapping
from tests.destinations.pushwoosh.mapped_alone import pushwoosh as destination

EVENT: dict[str, object] = {
    "type": "identify",
    "userId": "u1",
    "traits": {"big_spenders": True, "email": "x@y"},
    "messageId": "m1",
    "timestamp": "2024-05-17T10:11:12Z",
    "context": {},
}


class Noon:
    def now(self) -> datetime:
        return datetime(2024, 5, 17, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0


@pytest.fixture
def pushwoosh() -> Pushwoosh:
    base = "https://integration-segment.svc-nue.pushwoosh.com"
    return Pushwoosh(name="push", api_key="k3y", app_code="ABCDE-12345", base_url=base, clock=Noon())


def test_an_identify_is_one_post_as_segment_makes_it(pushwoosh: Pushwoosh) -> None:
    [request] = pushwoosh.requests_for(EVENT).requests
    assert request.method == "POST"
    assert str(request.url) == "https://integration-segment.svc-nue.pushwoosh.com/integration-segment/v1/track-user"
    assert request.read() == b'{"attributes":{"big_spenders":true},"user_id":"u1","email":"x@y"}'
    assert dict(request.headers) == {
        "host": "integration-segment.svc-nue.pushwoosh.com",
        "authorization": "Token k3y",
        "x-pw-appcode": "ABCDE-12345",
        "content-type": "application/json",
        "user-agent": f"engage-sync/{__version__}",
    }


def test_the_ping_has_the_extra_body_level(pushwoosh: Pushwoosh) -> None:
    request = pushwoosh.ping()
    assert request.url.path == "/integration-segment/v1/ping"
    assert request.read() == b'{"body":{"name":"test_segment_auth"}}'
    assert request.headers["authorization"] == "Token k3y"


@pytest.mark.parametrize("kind", ["group", "alias", "Identify", None, 5, []])
def test_events_that_no_mapping_takes_make_no_request(pushwoosh: Pushwoosh, kind: object) -> None:
    assert pushwoosh.requests_for({**EVENT, "type": kind}) == Mapped([], [])


def test_every_mapping_that_takes_an_event_makes_its_request_in_order() -> None:
    first = mapping("updateUserProfile", {"external_id": "first"}, subscribe='type = "identify"')
    other = mapping("trackEvent", subscribe='type = "track"')
    second = mapping("updateUserProfile", {"external_id": "second"}, subscribe="traits.big_spenders = true")
    mapped = destination(first, other, second).requests_for(EVENT)
    assert [body(request)["user_id"] for request in mapped.requests] == ["first", "second"]
    assert mapped.refusals == []


def test_a_mapping_that_cannot_take_an_event_says_why_and_the_others_go_on() -> None:
    wrong = mapping("updateUserProfile", {"external_id": {"@path": "$.traits"}})
    mapped = destination(wrong, mapping("updateUserProfile"), wrong).requests_for(EVENT)
    assert [body(request)["user_id"] for request in mapped.requests] == ["u1"]
    assert mapped.refusals == ["mine: External User ID must be a string but it was an object."] * 2


def test_a_refusal_names_its_mapping_where_there_are_others_and_somebody_named_them() -> None:
    said = "External User ID must be a string but it was an object."
    wrong = {"external_id": {"@path": "$.traits"}}
    preset = ACTIONS["updateUserProfile"].preset
    for mappings, refusals in (
        ([mapping("updateUserProfile", wrong)], [said]),
        (
            [mapping("updateUserProfile", wrong, name=preset), mapping("trackEvent", name="Orders")],
            [f"{preset}: {said}"],
        ),
        ([mapping("updateUserProfile", wrong, name=preset)] * 2, [said] * 2),
        ([mapping("updateUserProfile", wrong, name="\x1b[31m" + "x" * 99)] * 2, [f"\\x1b[31m{'x' * 52}…: {said}"] * 2),
    ):
        assert destination(*mappings).requests_for(EVENT).refusals == refusals
        told = destination(*mappings).batches_for([EVENT]).refusals
        assert told == [(0, refusal) for refusal in refusals]


def test_a_destination_without_mappings_sends_nothing() -> None:
    nothing = Pushwoosh(name="p", api_key="k", app_code="c", base_url="https://x.y", mappings=())
    assert nothing.requests_for(EVENT) == Mapped([], [])


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]:8080"])
def test_the_base_address_may_have_a_port(base: str) -> None:
    [request] = Pushwoosh(name="p", api_key="k", app_code="c", base_url=base).requests_for(EVENT).requests
    assert str(request.url) == base.rstrip("/") + "/integration-segment/v1/track-user"
    assert request.headers["host"] == httpx.URL(base).netloc.decode()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**70, b"1180591620717411303424"),
        ("\ud800", b'"\\ud800"'),
        ("é", '"é"'.encode()),
        ([2**70, float("inf"), {"x": float("nan")}], b'[1180591620717411303424,null,{"x":null}]'),
        (float("-inf"), b"null"),
        (1.0, b"1.0"),
    ],
)
def test_any_json_value_can_be_sent(pushwoosh: Pushwoosh, value: object, written: bytes) -> None:
    [request] = pushwoosh.requests_for({**EVENT, "traits": {"n": value}}).requests
    assert request.read() == b'{"attributes":{"n":' + written + b'},"user_id":"u1"}'


@pytest.mark.parametrize("levels", [300, 5_000])
def test_nesting_is_sent_or_refused_as_too_deep(pushwoosh: Pushwoosh, levels: int) -> None:
    deep: object = 1
    for _ in range(levels):
        deep = [deep]
    mapped = pushwoosh.requests_for({**EVENT, "traits": {"n": deep}})
    if levels < 500:
        assert b"[" * levels in mapped.requests[0].read()
    else:
        assert "nested too deeply" in mapped.refusals[0]


def test_answers_are_read_with_the_destinations_clock_and_without_its_token(pushwoosh: Pushwoosh) -> None:
    headers = httpx.Headers({"Retry-After": "Fri, 17 May 2024 12:00:20 GMT"})
    outcome = pushwoosh.read_answer(503, headers, b"busy, k3y")
    assert (outcome.verdict, outcome.retry_after, outcome.detail) == (Verdict.NOT_APPLIED, 20, "busy, [redacted]")


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "tab\t", "ключ", "\x7f"])
def test_settings_that_cannot_stand_in_a_header_are_refused_without_being_repeated(bad: str) -> None:
    for settings in ({"api_key": bad, "app_code": "c"}, {"api_key": "k", "app_code": bad}):
        with pytest.raises(ConfigurationError, match="destination push") as refused:
            Pushwoosh(name="push", base_url="https://x.y", **settings)
        assert bad not in str(refused.value)
