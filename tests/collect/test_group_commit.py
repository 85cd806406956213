"""200 means durable, and nothing else does; many small posts share a transaction; what cannot be stored is put off."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx
import pytest

from sync.collect import Committer
from sync.collect.committer import MOST_EVENTS
from sync.collect.room import Room
from sync.errors import StoreUnavailable
from sync.model.event import LoggedEvent
from sync.store.engine import Database
from sync.store.events import Recorded
from tests.collect.conftest import KEY, Collecting, Shelf, logged, service, track


class Gate:
    """Holds back whoever records until it is opened."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.reached = threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(60)


async def reached(gate: Gate) -> None:
    assert await asyncio.to_thread(gate.reached.wait, 60)


async def test_nobody_is_answered_before_the_commit_and_then_all_who_waited_are(
    collecting: Collecting, shelf: Shelf
) -> None:
    shelf.before = gate = Gate()
    async with collecting(shelf.record) as client:
        posts = [asyncio.create_task(client.post("/v1/track", json=track(number))) for number in range(30)]
        await reached(gate)
        # Whatever is answered now: nothing may have been recorded yet.
        assert (await client.get("/nothing")).status_code == 404
        assert not any(each.done() for each in posts)
        gate.open.set()
        assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}
    assert sum(shelf.commits) == 30
    assert len(shelf.commits) < 30


async def test_what_was_answered_is_in_the_store_once_in_order_whoever_sends_it_again(
    collecting: Collecting, database: Database
) -> None:
    batches = [[track(10 * row + column) for column in range(10)] for row in range(20)]
    async with collecting(logged(database)) as client:
        for _ in range(2):
            posts = [client.post("/v1/batch", json={"batch": batch}) for batch in batches]
            assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200}
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT message_id, user_id FROM event ORDER BY id").all()
    assert sorted(rows) == sorted((f"m{number}", f"u{number}") for number in range(200))
    order = [int(message_id[1:]) for message_id, _ in rows]
    for batch in range(20):
        own = [number for number in order if number // 10 == batch]
        assert own == sorted(own)


async def test_the_store_being_away_is_told_with_when_to_try_again(collecting: Collecting, shelf: Shelf) -> None:
    def away() -> None:
        raise StoreUnavailable("the store cannot be reached")

    shelf.before = away
    async with collecting(shelf.record) as client:
        answer = await client.post("/v1/track", json=track())
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        shelf.before = lambda: None
        assert (await client.post("/v1/track", json=track())).status_code == 200
    assert len(shelf.events) == 1


async def test_too_much_at_once_is_put_off_and_memory_stays_bounded(collecting: Collecting, shelf: Shelf) -> None:
    shelf.before = gate = Gate()
    room = Room(most_events=100)
    async with collecting(shelf.record, room=room) as client:
        first = asyncio.create_task(client.post("/v1/batch", json={"batch": [track(n) for n in range(90)]}))
        await reached(gate)
        answer = await client.post("/v1/batch", json={"batch": [track(n) for n in range(90, 190)]})
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
        assert int(answer.headers["Retry-After"]) > 0
        gate.open.set()
        assert (await first).status_code == 200
        assert (room.size, room.events) == (0, 0)
        assert (await client.post("/v1/batch", json={"batch": [track(n) for n in range(100)]})).status_code == 200


async def test_a_body_without_an_end_is_put_off_when_there_is_no_room(collecting: Collecting, shelf: Shelf) -> None:
    room = Room(most_bytes=50_000)
    async with collecting(shelf.record, room=room) as client:
        assert (await client.post("/v1/batch", content=b" " * 60_000)).status_code == 429
        assert (await client.post("/v1/track", json=track())).status_code == 200
    assert room.size == 0


def events(number: int) -> list[LoggedEvent]:
    now = datetime.now(UTC)
    return [LoggedEvent("web", f"m{n}", "page", None, "u", None, now, now, "{}") for n in range(number)]


async def test_a_transaction_has_only_so_many_events_and_never_part_of_a_request() -> None:
    commits: list[int] = []
    gate = Gate()

    def record(batch: Sequence[LoggedEvent]) -> Recorded:
        gate()
        commits.append(len(batch))
        return Recorded()

    committer = Committer(record)
    waiting = [asyncio.create_task(committer.durable(events(700), 1000)) for _ in range(7)]
    await reached(gate)
    gate.open.set()
    await asyncio.gather(*waiting)
    committer.close()
    assert all(size % 700 == 0 and size <= MOST_EVENTS for size in commits)
    assert sum(commits) == 7 * 700


async def test_a_mistake_of_ours_about_one_request_does_not_cost_the_others(
    collecting: Collecting, shelf: Shelf
) -> None:
    gate = Gate()

    def record(batch: Sequence[LoggedEvent]) -> Recorded:
        gate()
        if any(event.user_id == "u13" for event in batch):
            raise ZeroDivisionError
        return shelf.record(batch)

    async with collecting(record) as client:
        posts = [asyncio.create_task(client.post("/v1/track", json=track(number))) for number in range(20)]
        await reached(gate)
        gate.open.set()
        answers = await asyncio.gather(*posts)
    assert [answer.status_code for answer in answers] == [503 if number == 13 else 200 for number in range(20)]
    assert {event.user_id for event in shelf.events} == {f"u{number}" for number in range(20) if number != 13}


async def test_told_to_stop_it_records_and_answers_what_it_has_taken_and_takes_no_more(shelf: Shelf) -> None:
    shelf.before = gate = Gate()
    async with (
        service(shelf.record) as found,
        httpx.AsyncClient(base_url=found.url, auth=(KEY, ""), timeout=60) as client,
    ):
        assert (await client.get("/nothing")).status_code == 404  # a connection that is there already
        posts = [asyncio.create_task(client.post("/v1/track", json=track(number))) for number in range(5)]
        await reached(gate)
        closing = asyncio.create_task(found.close())
        await asyncio.sleep(0)
        gate.open.set()
        heard = await asyncio.gather(*posts, return_exceptions=True)  # whoever was not let in yet, never is
        answers = [each.status_code for each in heard if isinstance(each, httpx.Response)]
        await closing
        assert answers.count(200) == len(shelf.events) > 0
        assert set(answers) <= {200, 503}
        with pytest.raises(httpx.ConnectError):
            await client.post("/v1/track", json=track())
