from __future__ import annotations

from datetime import UTC, datetime

import httpx
import orjson
import pytest

from sync import __version__
from sync.destinations.pushwoosh.destination import Pushwoosh
from sync.errors import ConfigurationError
from sync.model.outcome import Verdict

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
    [request] = pushwoosh.requests_for(EVENT)
    assert request.method == "POST"
    assert str(request.url) == "https://integration-segment.svc-nue.pushwoosh.com/integration-segment/v1/track-user"
    assert request.content == b'{"attributes":{"big_spenders":true},"user_id":"u1","email":"x@y"}'
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
    assert request.content == b'{"body":{"name":"test_segment_auth"}}'
    assert request.headers["authorization"] == "Token k3y"


@pytest.mark.parametrize("kind", ["track", "page", "screen", "group", "alias", None])
def test_other_events_make_no_request(pushwoosh: Pushwoosh, kind: str | None) -> None:
    assert pushwoosh.requests_for({**EVENT, "type": kind}) == []


@pytest.mark.parametrize("base", ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://[::1]:8080"])
def test_the_base_address_may_have_a_port(base: str) -> None:
    [request] = Pushwoosh(name="p", api_key="k", app_code="c", base_url=base).requests_for(EVENT)
    assert str(request.url) == base.rstrip("/") + "/integration-segment/v1/track-user"
    assert request.headers["host"] == httpx.URL(base).netloc.decode()


def test_any_json_value_can_be_sent(pushwoosh: Pushwoosh) -> None:
    [big] = pushwoosh.requests_for({**EVENT, "traits": {"n": 2**70, "text": "é"}})
    assert big.content == b'{"attributes":{"n":1180591620717411303424,"text":"\\u00e9"},"user_id":"u1"}'
    [odd] = pushwoosh.requests_for({**EVENT, "traits": {"text": "\ud800"}})
    assert odd.content == b'{"attributes":{"text":"\\ud800"},"user_id":"u1"}'
    [text] = pushwoosh.requests_for({**EVENT, "traits": {"text": "é"}})
    assert orjson.loads(text.content)["attributes"] == {"text": "é"}


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
