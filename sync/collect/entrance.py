"""One request from its body to its answer: who sends it, what is in it, is there room, is it durable."""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from sync import telemetry
from sync.clock import Clock
from sync.collect import answers, body
from sync.collect.answers import MUCH_LATER, Refused
from sync.collect.committer import Committer, Unrecorded
from sync.collect.intake import Posting, SourceOf, Taken, take
from sync.collect.remarks import Remarks
from sync.collect.room import Room
from sync.collect.senders import Senders, basic_user
from sync.errors import StoreError

_TREE = 8
"""How many times larger than its text a document is in memory, or less."""

Forget = Callable[[str, str], None]
"""Forgets a user; the second is the source that says so. Raises `StoreError`."""

_WRONG_KEY = Refused(401, "invalid_write_key", "the write key is missing or wrong")


class Entrance:
    """Takes in what is posted. ``senders`` and the committer's ``record`` may be replaced while requests are answered.

    Without ``forget``, deletions are ignored.
    """

    def __init__(self, senders: Senders, committer: Committer, clock: Clock, room: Room | None = None) -> None:
        self.senders = senders
        self.committer = committer
        self.remarks = Remarks(clock)
        self.forget: Forget | None = None
        self.closing = False
        self._clock = clock
        self._room = room or Room()
        self._one_at_a_time = asyncio.Lock()

    async def post(self, request: web.Request, kind: str | None) -> web.Response:
        """Take in one event of a ``kind``, or with ``None`` a batch. Raises `Refused`."""
        with self._room.share() as share:
            raw = await body.received(request, share)
            async with self._one_at_a_time:
                share.hold(_TREE * len(raw))
                items, batch = _batch(body.document(raw)) if kind is None else _single(body.document(raw))
                source_of = self._source_of(request, batch)
                posting = Posting(source_of, self._clock.now(), batch, kind, _ip(request), corrected=False)
                taken = await take(items, posting)
            share.hold(taken.size, len(taken.events))
            return await self._record(taken, len(raw))

    async def webhook(self, request: web.Request) -> web.Response:
        """Take in what Segment posts to a webhook: one event, or a list of them. Raises `Refused`."""
        with self._room.share() as share:
            raw = await body.received(request, share)
            async with self._one_at_a_time:
                share.hold(_TREE * len(raw))
                name, signature = request.match_info["key"], request.headers.get("X-Signature")
                source = self.senders.webhook(name, raw, signature)
                items, batch = _posted(body.document(raw))
                forgets = None if self.forget is None else self.senders.signs(name)
                now = self._clock.now()
                posting = Posting(lambda _: source, now, batch, None, None, corrected=True, forgets=forgets)
                taken = await take(items, posting)
            share.hold(taken.size, len(taken.events))
            return await self._record(taken, len(raw))

    async def _record(self, taken: Taken, size: int) -> web.Response:
        for (source, reason), number in taken.refused.items():
            self.remarks.refused(source, reason, taken.sentences[source, reason], number)
        if taken.events:
            try:
                await self.committer.durable(taken.events, taken.size)
            except Unrecorded:
                raise Refused(
                    503, "unavailable", "the events cannot be stored now: try again", retry_after=MUCH_LATER
                ) from None
            for source, number in Counter(event.source for event in taken.events).items():
                telemetry.count("collect_events", number, source=source)
            telemetry.count("collect_bytes", size)
        elif taken.refused and not taken.forgotten:
            return answers.refusal(_for_nothing(taken))
        if taken.forgotten and self.forget is not None:
            await self._forget_all(taken.forgotten, self.forget)
        return answers.done()

    async def _forget_all(self, users: Sequence[tuple[str, str]], forget: Forget) -> None:
        """Once it is answered, they are forgotten here, and the destinations are owed the deletion."""
        try:
            for user_id, source in dict.fromkeys(users):
                await asyncio.to_thread(forget, user_id, source)
                telemetry.count("collect_deletes", 1, source=source)
        except StoreError:
            raise Refused(
                503, "unavailable", "nobody can be forgotten now: try again", retry_after=MUCH_LATER
            ) from None

    def _source_of(self, request: web.Request, batch: Mapping[str, object]) -> SourceOf:
        """Whose the items are: the request says it in one of three places, or each item says it itself."""
        given = [basic_user(request.headers.get("Authorization")), batch.get("writeKey"), request.query.get("writeKey")]
        keys = [key for key in given if isinstance(key, str) and key]
        for key in keys:
            name = self.senders.named(key)
            if name is not None:
                return lambda _: name
        if keys:
            raise _WRONG_KEY
        known: dict[object, str | None] = {}

        def source_of(item: Mapping[str, object]) -> str | None:
            key = item.get("writeKey")
            if not isinstance(key, str):
                return None
            if key not in known:
                known[key] = self.senders.named(key)
            return known[key]

        return source_of


def _single(document: object) -> tuple[Sequence[object], Mapping[str, object]]:
    if not isinstance(document, dict):
        raise Refused(400, "invalid_event", "an event must be a JSON object")
    # Of what surrounds a batch, it has only the sender's: it is not its own context.
    return [document], {key: document[key] for key in ("writeKey", "sentAt") if key in document}


def _batch(document: object) -> tuple[Sequence[object], Mapping[str, object]]:
    if isinstance(document, dict) and isinstance(document.get("batch"), list):
        return document["batch"], document
    if isinstance(document, list):
        return document, {}
    raise Refused(400, "invalid_batch", "a batch must be a JSON object with a list `batch`")


def _posted(document: object) -> tuple[Sequence[object], Mapping[str, object]]:
    if isinstance(document, list) or (isinstance(document, dict) and isinstance(document.get("batch"), list)):
        return _batch(document)
    return _single(document)


def _for_nothing(taken: Taken) -> Refused:
    """Nothing could be taken: says why the first could not."""
    (_, reason), sentence = next(iter(taken.sentences.items()))
    return _WRONG_KEY if reason == "write_key" else Refused(400, "invalid_event", sentence)


def _ip(request: web.Request) -> str | None:
    """Where the sender is. A proxy of our own, which is at a private address, knows better."""
    near = request.remote
    forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
    if near is None or not forwarded or not _is_private(near):
        return near
    return forwarded if _is_address(forwarded) else near


def _is_private(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_private


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
