"""An answer may move later requests to another host: within the registered domain, over https, for an hour."""

from __future__ import annotations

import httpx
import orjson
import pytest

from sync.destinations.pushwoosh.public.hosts import BELIEVED_FOR, Hosts, registered_domain
from tests.destinations.pushwoosh.public_alone import Standing, public

IDENTIFY: dict[str, object] = {"type": "identify", "userId": "u", "traits": {"a": 1}}


@pytest.mark.parametrize(
    ("configured", "told", "host"),
    [
        ("https://api.pushwoosh.com", "https://go.pushwoosh.com/json/1.3/", "https://go.pushwoosh.com"),
        ("https://api.pushwoosh.com", "https://AAAAA-BBBBB.api.pushwoosh.com", "https://aaaaa-bbbbb.api.pushwoosh.com"),
        ("https://api.pushwoosh.com", "https://pushwoosh.com:8443", "https://pushwoosh.com:8443"),
        ("https://api.example.co.uk", "https://go.example.co.uk", "https://go.example.co.uk"),
        ("https://10.0.0.1", "https://10.0.0.1:444", "https://10.0.0.1:444"),
        ("http://127.0.0.1:1", "http://127.0.0.1:2/", "http://127.0.0.1:2"),
    ],
)
def test_a_host_of_the_same_domain_is_followed(configured: str, told: str, host: str) -> None:
    hosts = Hosts(configured, Standing())
    assert hosts.move(told)
    assert str(hosts.current).rstrip("/") == host


@pytest.mark.parametrize(
    ("configured", "told"),
    [
        ("https://api.pushwoosh.com", "http://go.pushwoosh.com"),
        ("https://api.pushwoosh.com", "https://pushwoosh.com.evil.example"),
        ("https://api.pushwoosh.com", "https://evilpushwoosh.com"),
        ("https://api.pushwoosh.com", "https://go.pushwoosh.com@evil.example"),
        ("https://api.pushwoosh.com", "https://user:pass@go.pushwoosh.com"),
        ("https://api.pushwoosh.com", "//go.pushwoosh.com"),
        ("https://api.pushwoosh.com", "go.pushwoosh.com"),
        ("https://api.pushwoosh.com", "https://"),
        ("https://api.pushwoosh.com", "https://[::1"),
        ("https://api.pushwoosh.com", "https://a:99999"),
        ("https://api.pushwoosh.com", ""),
        ("https://api.pushwoosh.com", {"url": "https://go.pushwoosh.com"}),
        ("https://api.example.co.uk", "https://evil.co.uk"),
        ("https://10.0.0.1", "https://10.0.0.2"),
        ("https://localhost", "https://elsewhere"),
        ("http://127.0.0.1:1", "http://127.0.0.2:1"),
        ("https://127.0.0.1:1", "http://127.0.0.1:1"),
    ],
)
def test_no_other_host_is_followed(configured: str, told: object) -> None:
    hosts = Hosts(configured, Standing())
    assert not hosts.move(told)
    assert str(hosts.current) == str(httpx.URL(configured))


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("api.pushwoosh.com", "pushwoosh.com"),
        ("PUSHWOOSH.com.", "pushwoosh.com"),
        ("a.b.example.com.au", "example.com.au"),
        ("com.au", None),
        ("localhost", None),
        ("127.0.0.1", None),
        ("::1", None),
        ("a..com", None),
    ],
)
def test_the_registered_domain_is_never_too_short(host: str, domain: str | None) -> None:
    assert registered_domain(host) == domain


def test_requests_go_where_an_answer_asks_and_after_an_hour_where_they_went_before() -> None:
    clock = Standing()
    destination = public(clock=clock)
    answer = {"status_code": 200, "base_url": "https://go.pushwoosh.com/json/1.3/", "response": None}
    assert destination.read_answer(200, httpx.Headers(), orjson.dumps(answer)).warnings == ()
    [request] = destination.requests_for(IDENTIFY).requests
    assert (str(request.url), request.headers["host"]) == (
        "https://go.pushwoosh.com/json/1.3/setTags",
        "go.pushwoosh.com",
    )
    assert destination.delete_user("u").url.host == "api.pushwoosh.com"
    clock.seconds = BELIEVED_FOR
    assert destination.requests_for(IDENTIFY).requests[0].url.host == "api.pushwoosh.com"


def test_a_move_that_is_not_followed_is_told_as_a_warning() -> None:
    destination = public()
    answer = {"status_code": 200, "base_url": "https://evil.example"}
    [warning] = destination.read_answer(200, httpx.Headers(), orjson.dumps(answer)).warnings
    assert warning.startswith("base_url https://evil.example was not followed")
    assert destination.requests_for(IDENTIFY).requests[0].url.host == "api.pushwoosh.com"


def test_an_answer_that_is_no_success_moves_nothing() -> None:
    destination = public()
    for status, code in ((200, 403), (500, 200)):
        answer = {"status_code": code, "base_url": "https://go.pushwoosh.com"}
        destination.read_answer(status, httpx.Headers(), orjson.dumps(answer))
    assert destination.requests_for(IDENTIFY).requests[0].url.host == "api.pushwoosh.com"
