"""Posted items made into events. One that is wrong does not touch the others: it is counted by its reason."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sync.collect.answers import Refused
from sync.model.event import LoggedEvent
from sync.model.received import Reason, RefusedEvent, common, instant, read_event, user_to_forget

MOST_EVENTS = 2_500
"""In one request, as Segment has it."""

MOST_BYTES = 4 * 1024 * 1024
"""Of all events of one request, with what the request says of all of them."""

_AT_ONCE = 200
"""Events after which everybody else in the loop gets a turn."""

DELETE = "delete"
"""Segment tells webhooks of people to be deleted."""

SourceOf = Callable[[Mapping[str, object]], str | None]


@dataclass(frozen=True, slots=True)
class Posting:
    """What all items of one request have in common.

    ``source_of`` tells whose an item is, if it is anybody's. ``kind`` is given by the address, if at all. ``corrected``:
    the items' times are right already; else they are as wrong as the sender's clock, of which ``sentAt`` tells. ``forgets``: what to do about deletions: nothing (``None``), or what they say
    (``True``), or to refuse them, for nobody knows who sends them (``False``).
    """

    source_of: SourceOf
    received_at: datetime
    batch: Mapping[str, object]
    kind: str | None
    ip: str | None
    corrected: bool
    forgets: bool | None = None


@dataclass(slots=True)
class Taken:
    """What came of the items of a request. ``sentences``: why the first of those that were refused was.

    ``forgotten``: users who are to be forgotten, each with the source that says so.
    """

    events: list[LoggedEvent] = field(default_factory=list)
    size: int = 0
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    sentences: dict[tuple[str, str], str] = field(default_factory=dict)
    ignored: int = 0
    forgotten: list[tuple[str, str]] = field(default_factory=list)

    def refuse(self, source: str, reason: str, sentence: str) -> None:
        """Count one that is not taken."""
        self.refused[source, reason] += 1
        self.sentences.setdefault((source, reason), sentence)


async def take(items: Sequence[object], posting: Posting) -> Taken:
    """Make events of ``items``. Raises `Refused` when they are too many, or too large together."""
    if len(items) > MOST_EVENTS:
        raise Refused(400, "too_many_events", f"a batch has at most {MOST_EVENTS} events")
    taken = Taken()
    sent_at = None if posting.corrected else instant(posting.batch.get("sentAt"))
    posting = _with_common(posting, len(items))
    for number, item in enumerate(items, 1):
        _take_one(item, posting, sent_at, taken)
        if taken.size > MOST_BYTES:
            raise _too_large_together()
        if number % _AT_ONCE == 0:
            await asyncio.sleep(0)
    return taken


def _with_common(posting: Posting, events: int) -> Posting:
    """The same, with what the batch says of all its events measured and cleaned: not anew for each of them."""
    try:
        said, size = common(posting.batch)
    except RefusedEvent as error:
        if error.reason is Reason.TOO_LARGE:
            raise _too_large_together() from None
        raise Refused(400, "invalid_batch", f"`context` and `integrations` of the batch: {error}") from None
    if size * events > MOST_BYTES:
        raise _too_large_together()
    return replace(posting, batch=said)


def _too_large_together() -> Refused:
    return Refused(400, "too_large", "`context` and `integrations` of the batch are too large for its events")


def _take_one(item: object, posting: Posting, sent_at: datetime | None, taken: Taken) -> None:
    if not isinstance(item, dict):
        taken.refuse("", Reason.NOT_AN_OBJECT, "an event must be a JSON object")
        return
    source = posting.source_of(item)
    if source is None:
        taken.refuse("", "write_key", "the write key of the event is missing or wrong")
        return
    if posting.corrected and item.get("type") == DELETE:
        _take_deletion(item, source, posting, taken)
        return
    if sent_at is None and not posting.corrected:
        sent_at = instant(item.get("sentAt"))
    try:
        event = read_event(
            item,
            source=source,
            received_at=posting.received_at,
            sent_at=sent_at,
            batch=posting.batch,
            type=posting.kind,
            ip=posting.ip,
        )
    except RefusedEvent as error:
        taken.refuse(source, error.reason, str(error))
    else:
        taken.events.append(event)
        taken.size += len(event.body)


def _take_deletion(item: Mapping[str, object], source: str, posting: Posting, taken: Taken) -> None:
    if posting.forgets is None:
        taken.ignored += 1
    elif not posting.forgets:
        taken.refuse(source, "unsigned_delete", "a `delete` is taken from a webhook with a `secret` only")
    else:
        try:
            taken.forgotten.append((user_to_forget(item), source))
        except RefusedEvent as error:
            taken.refuse(source, error.reason, str(error))
