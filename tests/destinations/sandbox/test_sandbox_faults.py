"""Each fault does on the wire what the documentation says, and applies the request or not."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from itertools import count

import httpx
import orjson
import pytest

from sync.destinations.sandbox import Faults, Sandbox, serve

TRACK_USER = "/integration-segment/v1/track-user"
HEADERS = {"Authorization": "Token key", "X-PW-Appcode": "CODE", "Content-Type": "application/json"}


async def send(client: httpx.AsyncClient, user_id: str = "u-1", /, **attributes: object) -> httpx.Response:
    return await client.post(TRACK_USER, content=orjson.dumps({"attributes": attributes, "user_id": user_id}))


class FrozenClock:
    """A clock that stands still until told."""

    seconds = 0.0

    def now(self) -> datetime:
        return datetime(2024, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.mark.parametrize("status", [401, 500, 503, 304])
async def test_status_answers_every_request_and_applies_none(
    client: httpx.AsyncClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.set_faults(status=status)
    assert [(await send(client)).status_code for _ in range(2)] == [status, status]
    assert (sandbox.accepted, sandbox.stats()["refused"]) == (0, 2)


@pytest.mark.parametrize("status", [202, 204])
async def test_a_status_of_success_applies_the_request(
    client: httpx.AsyncClient, sandbox: Sandbox, status: int
) -> None:
    sandbox.set_faults(status=status)
    assert (await send(client)).status_code == status
    assert sandbox.accepted == 1


@pytest.mark.parametrize(("given", "header"), [(2, "2"), (2.0, "2"), ("soon", "soon"), (None, None)])
async def test_status_count_and_retry_after(
    client: httpx.AsyncClient, sandbox: Sandbox, given: float | str | None, header: str | None
) -> None:
    sandbox.set_faults(status=503, status_count=2, retry_after=given)
    answers = [await send(client) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert [answer.headers.get("Retry-After") for answer in answers] == [header, header, None]
    assert sandbox.faults == Faults()


async def test_redirect(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(redirect="http://127.0.0.1:1/elsewhere")
    answer = await send(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://127.0.0.1:1/elsewhere")
    assert sandbox.accepted == 0


@pytest.mark.parametrize("with_header", [True, False])
async def test_rate_limit_refuses_what_is_beyond_and_refills_with_time(with_header: bool) -> None:
    clock = FrozenClock()
    sandbox = Sandbox(clock=clock, faults=Faults(rate_limit=2, rate_limit_retry_after=with_header))
    async with serve(sandbox) as url, httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as client:
        answers = [await send(client) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert answers[2].headers.get("Retry-After") == ("1" if with_header else None)
        clock.seconds += 0.5
        assert [(await send(client)).status_code for _ in range(2)] == [200, 429]


async def test_a_slow_rate_limit_says_how_long_to_wait() -> None:
    sandbox = Sandbox(clock=FrozenClock(), faults=Faults(rate_limit=0.1))
    async with serve(sandbox) as url, httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as client:
        assert [(await send(client)).headers.get("Retry-After") for _ in range(2)] == [None, "10"]


async def test_error_rate_strikes_a_share_and_repeats_with_the_seed(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.set_faults(error_rate=0.5)
    seen = [(await send(client)).status_code for _ in range(40)]
    assert set(seen) == {200, 500}
    twin = Sandbox(faults=Faults(error_rate=0.5))
    async with serve(twin) as url, httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as second:
        assert [(await send(second)).status_code for _ in range(40)] == seen


async def test_fail_users_are_refused_alone_and_without_complaint(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(fail_users=["u-2"])
    assert (await send(client, "u-1")).status_code == 200
    answer = await send(client, "u-2")
    assert (answer.status_code, answer.json()["error"]) == (400, {"message": 'user "u-2" is refused'})
    assert (list(sandbox.users()), sandbox.complaints) == (["u-1"], [])


@pytest.mark.parametrize(("code", "accepted"), [(210, 0), (200, 1)])
async def test_status_code_in_the_body(client: httpx.AsyncClient, sandbox: Sandbox, code: int, accepted: int) -> None:
    sandbox.set_faults(status_code=code)
    answer = await send(client)
    assert (answer.status_code, answer.json()["status_code"], sandbox.accepted) == (200, code, accepted)


async def test_latency_delays_the_answer_but_not_the_effect(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(latency=1)
    started = time.monotonic()
    await asyncio.gather(*(send(client, f"u-{number % 2}") for number in range(4)))
    assert time.monotonic() - started >= 1
    stats = sandbox.stats()
    assert (stats["max_concurrent"], stats["max_concurrent_per_user"]) == (4, 2)

    sandbox.set_faults(latency=60)
    with pytest.raises(httpx.ReadTimeout):
        await client.post(TRACK_USER, content=b'{"attributes":{},"user_id":"late"}', timeout=1.0)
    assert sandbox.user("late") is not None


async def test_apply_late_lets_an_older_value_overtake(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    latency, tries = 3, count(1)
    while True:
        user = f"u-{next(tries)}"
        sandbox.set_faults(latency=latency, apply_late=True)
        began = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            await client.post(TRACK_USER, content=orjson.dumps({"attributes": {"n": 1}, "user_id": user}), timeout=1.0)
        before = sandbox.user(user)
        sandbox.set_faults(latency=0)
        await send(client, user, n=2)
        meanwhile, accepted = sandbox.user(user), sandbox.accepted
        if time.monotonic() - began < latency:  # else the machine stood still
            break
    assert (before, meanwhile) == (None, {"attributes": {"n": 2}})
    async with asyncio.timeout(60):
        while sandbox.accepted == accepted:  # noqa: ASYNC110 - the sandbox has no event to wait for
            await asyncio.sleep(0.01)
    assert sandbox.user(user) == {"attributes": {"n": 1}}
    assert sandbox.values(user, "n") == [1, 2]


async def test_drop_count_applies_and_closes_without_an_answer(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(drop_count=2)
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
            await send(client)
    assert (await send(client)).status_code == 200
    assert sandbox.accepted == 3
    assert sandbox.stats()["by_status"] == {"none": 2, "200": 1}


async def test_drop_rate(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(drop_rate=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await send(client)
    assert sandbox.log[-1].fault == "drop"


async def test_malformed_is_not_http(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(malformed=True)
    with pytest.raises(httpx.RemoteProtocolError, match="illegal"):
        await send(client)
    assert sandbox.accepted == 1


async def test_garbage_is_a_200_that_is_not_json(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(garbage=True)
    answer = await send(client)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    with pytest.raises(orjson.JSONDecodeError):
        orjson.loads(answer.content)
    assert sandbox.accepted == 1


async def test_oversize_streams_so_many_bytes(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(oversize=200_001)
    answer = await send(client)
    assert len(answer.content) == 200_001
    assert "Content-Length" not in answer.headers
    assert sandbox.accepted == 1


async def test_drip_lets_deadlines_strike_although_every_read_succeeds(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.set_faults(drip=0.02)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.0):
            await send(client)
    assert sandbox.accepted == 1
    sandbox.set_faults(drip=0.0001)
    assert (await send(client)).json() == {}


async def test_skipped_names_the_tags_and_does_not_store_them(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(skipped=["x"])
    answer = await send(client, x=1, y=2)
    assert answer.json() == {"status_code": 200, "response": {"skipped": [{"tag": "x", "reason": "Not found"}]}}
    assert sandbox.user("u-1") == {"attributes": {"y": 2}}


async def test_a_wrong_request_is_complained_of_even_when_a_fault_answers(
    client: httpx.AsyncClient, sandbox: Sandbox
) -> None:
    sandbox.set_faults(status=503)
    assert (await client.post(TRACK_USER, content=b"{")).status_code == 503
    assert len(sandbox.complaints) == 1


async def test_faults_are_set_over_http_as_a_whole(client: httpx.AsyncClient, sandbox: Sandbox) -> None:
    sandbox.set_faults(latency=0.01, garbage=True)
    wanted = {"error_rate": 0.5, "fail_users": ["b", "a"]}
    answer = await client.put("/_sandbox/faults", content=orjson.dumps(wanted))
    assert answer.json() == {**Faults().to_json(), "error_rate": 0.5, "fail_users": ["a", "b"]}
    assert sandbox.faults == Faults(error_rate=0.5, fail_users=frozenset({"a", "b"}))
    assert (await client.get("/_sandbox/faults")).json() == answer.json()
    assert Faults.from_json(answer.json()) == sandbox.faults
    await client.put("/_sandbox/faults", content=b"{}")
    assert sandbox.faults == Faults()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nonsense": 1}, 'there is no fault "nonsense"'),
        ({"error_rate": 2}, "error_rate must be between 0 and 1"),
        ({"error_rate": True}, "error_rate must be between 0 and 1"),
        ({"status": 99}, "status must be an HTTP status"),
        ({"status": 500.0}, "status must be an HTTP status"),
        ({"status_count": 0}, "status_count must be a whole number from 1"),
        ({"fail_users": "u-1"}, "fail_users must be a list of strings"),
        ({"rate_limit": 0}, "rate_limit must be"),
        ({"latency": -1}, "latency must be"),
        ({"drip": 0}, "drip must be"),
        ({"redirect": "a\r\nb"}, "redirect must be a URL"),
        ({"garbage": 1}, "garbage must be true or false"),
        ({"fail_users": [["x"]]}, "fail_users must be a list of strings"),
    ],
)
async def test_faults_that_make_no_sense_are_refused(
    client: httpx.AsyncClient, sandbox: Sandbox, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        sandbox.set_faults(**changes)
    answer = await client.put("/_sandbox/faults", content=orjson.dumps(changes))
    assert answer.status_code == 400
    assert message in answer.json()["message"]
    assert (await client.put("/_sandbox/faults", content=b"[]")).status_code == 400
    assert (await client.put("/_sandbox/faults", content=b"{")).status_code == 400
    assert sandbox.faults == Faults()
