"""Segment's webhook destinations may post here: signed where a secret is agreed, one event or a list of them."""

from __future__ import annotations

import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import orjson
import pytest

from sync.errors import StoreUnavailable
from tests.collect.conftest import KEY, SECRET, Collecting, Shelf, service, track

DONE = {"success": True}


@pytest.fixture
async def client(collecting: Collecting, shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    async with collecting(shelf.record, auth=False) as found:
        yield found


def signed(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"X-Signature": hmac.new(secret.encode(), body, "sha1").hexdigest()}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_signed_event_is_taken_whichever_way_it_is_sent(
    client: httpx.AsyncClient, shelf: Shelf, method: str
) -> None:
    body = orjson.dumps(track())
    answer = await client.request(method, "/v1/webhook/hook", content=body, headers=signed(body))
    assert (answer.status_code, answer.json()) == (200, DONE)
    assert [event.source for event in shelf.events] == ["hook"]


async def test_a_list_is_a_batch(client: httpx.AsyncClient, shelf: Shelf) -> None:
    body = orjson.dumps([track(1), {"type": "nothing"}, track(2)])
    assert (await client.post("/v1/webhook/hook", content=body, headers=signed(body))).json() == DONE
    assert [event.message_id for event in shelf.events] == ["m1", "m2"]


@pytest.mark.parametrize(
    "headers", [{}, {"X-Signature": ""}, {"X-Signature": "0" * 40}, signed(b"other"), signed(b"{}", "x")]
)
async def test_without_the_right_signature_nothing_is_taken(
    client: httpx.AsyncClient, shelf: Shelf, headers: dict[str, str]
) -> None:
    answer = await client.post("/v1/webhook/hook", json=track(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    assert not shelf.events


async def test_a_webhook_without_a_secret_and_a_write_key_in_the_address_need_no_signature(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    assert (await client.post("/v1/webhook/open", json=track(1))).json() == DONE
    assert (await client.post(f"/v1/webhook/{KEY}", json=track(2))).json() == DONE
    assert (await client.post("/v1/webhook/web", json=track(3))).status_code == 404
    assert [event.source for event in shelf.events] == ["open", "web"]


async def test_times_that_segment_has_corrected_are_not_corrected_again(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    times = {
        "timestamp": "2026-03-01T10:00:00.000Z",
        "originalTimestamp": "2026-03-01T11:00:00.000Z",
        "sentAt": "2026-03-01T11:00:01.000Z",
        "receivedAt": "2026-03-01T10:00:01.000Z",
    }
    await client.post("/v1/webhook/open", json=track(1, **times))
    (body,) = shelf.bodies
    assert {name: body[name] for name in times if name != "receivedAt"} == {
        name: text for name, text in times.items() if name != "receivedAt"
    }


async def test_segments_word_of_people_to_be_deleted_is_heard_and_nothing_more(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    assert (await client.post("/v1/webhook/open", json={"type": "delete", "userId": "u"})).json() == DONE
    assert not shelf.events


@asynccontextmanager
async def forgetting(shelf: Shelf, forget: Callable[[str, str], None]) -> AsyncIterator[httpx.AsyncClient]:
    """A collector that takes deletions."""
    async with service(shelf.record) as found:
        found._entrance.forget = forget
        async with httpx.AsyncClient(base_url=found.url, timeout=60) as client:
            yield client


async def test_a_signed_deletion_forgets_its_user_before_it_is_answered(shelf: Shelf) -> None:
    said: list[tuple[str, str]] = []
    body = orjson.dumps([{"type": "delete", "userId": 7}, track(1), {"type": "delete", "userId": "7"}])
    async with forgetting(shelf, lambda *given: said.append(given)) as client:
        answer = await client.post("/v1/webhook/hook", content=body, headers=signed(body))
    assert (answer.status_code, answer.json()) == (200, DONE)
    assert said == [("7", "hook")]
    assert [event.message_id for event in shelf.events] == ["m1"]


@pytest.mark.parametrize("path", ["/v1/webhook/open", f"/v1/webhook/{KEY}"])
async def test_a_deletion_that_anybody_may_have_sent_is_refused(shelf: Shelf, path: str) -> None:
    said: list[tuple[str, str]] = []
    async with forgetting(shelf, lambda *given: said.append(given)) as client:
        answer = await client.post(path, json={"type": "delete", "userId": "u1"})
        batch = await client.post("/v1/batch", json={"batch": [{"type": "delete", "userId": "u1"}]}, auth=(KEY, ""))
    assert (answer.status_code, batch.status_code) == (400, 400)
    assert said == []


async def test_a_deletion_that_cannot_be_stored_is_asked_for_again(shelf: Shelf) -> None:
    def away(*_: str) -> None:
        raise StoreUnavailable("away")

    body = orjson.dumps({"type": "delete", "userId": "u1"})
    async with forgetting(shelf, away) as client:
        answer = await client.post("/v1/webhook/hook", content=body, headers=signed(body))
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


async def test_deletions_are_ignored_unless_they_are_asked_for(client: httpx.AsyncClient, shelf: Shelf) -> None:
    body = orjson.dumps({"type": "delete", "userId": "u1"})
    answer = await client.post("/v1/webhook/hook", content=body, headers=signed(body))
    assert (answer.status_code, shelf.events) == (200, [])
