"""A destination that is told to delete users: it answers from a script, over no network."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import httpx
import orjson

from sync.clock import SystemClock
from sync.deliver.channel import Channel
from sync.deliver.deleter import Deleter
from sync.destinations.mapped import BODY
from sync.destinations.pushwoosh.transport import AnyPushwoosh, Transport, connected
from sync.model.delivery import DeliverySettings
from sync.store import deletions, forgetting
from sync.store.deletions import Standing
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import PUSH

SETTINGS = DeliverySettings(concurrency=1)
Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]


def destination(transport: Transport = Transport.SEGMENT) -> AnyPushwoosh:
    return connected(transport, name=PUSH, api_key="api-t0ken", app_code="c", base_url="https://push.example")


class Scripted(httpx.AsyncBaseTransport):
    """Gives these answers in turn, the last one for ever. ``told`` is who was to be deleted, in order."""

    def __init__(self, *answers: Answer) -> None:
        self.told: list[str] = []
        self.on_told: Callable[[], None] = lambda: None
        self._answers = list(answers) or [(200, b"")]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.extensions[BODY])
        self.told.append(body.get("external_id") or body.get("user_id"))
        self.on_told()
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        headers = answer[2] if len(answer) == 3 else {}
        return httpx.Response(answer[0], content=answer[1], headers=headers)


class Still(SystemClock):
    """Moves on with a clock of the test's, and never by itself: a machine that stalls changes nothing."""

    def __init__(self, moved: MovingClock) -> None:
        self._moved = moved

    def monotonic(self) -> float:
        return self._moved.ahead


def deleter(
    database: Database,
    clock: MovingClock,
    there: Scripted,
    transport: Transport = Transport.SEGMENT,
    settings: DeliverySettings = SETTINGS,
) -> Deleter:
    told = destination(transport)
    random, still = Random(1), Still(clock)
    channel = Channel(PUSH, told.read_answer, settings, there, still, random, on_breaker=lambda _: None)
    return Deleter(database, told, settings, channel, still, random)


def forgotten(database: Database, clock: MovingClock, *users: str) -> list[int]:
    """Forget users one after another; gives the numbers of it."""
    numbers = []
    for user in users:
        number = forgetting.forget(database, user, [PUSH], "op")
        assert number is not None
        numbers.append(number)
        clock.advance(1)
    return numbers


def standing(database: Database, number: int) -> Standing:
    (found,) = deletions.standing(database, number)
    return found
