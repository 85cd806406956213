"""What a destination makes of events: requests to send, and reasons why there is none."""

from __future__ import annotations

from dataclasses import dataclass, field

import httpx

BODY = "engage_sync.body"
"""The extension of a request or an answer that holds its whole body: reading it through httpx's streams costs more."""


ONCE = "engage_sync.once"
"""The extension of a request whose repetition is a second event to whoever gets it, not the same state once more."""


ACCEPTED = "engage_sync.accepted"
"""The extension of a request that is called, without arguments, when its answer was read as accepted."""


READ = "engage_sync.read"
"""The extension of a request that reads its answer (status, headers, body) in place of the destination: what an answer means
may depend on what was asked."""


ANSWER_BYTES = "engage_sync.answer_bytes"
"""The extension of a request that says how many bytes of its answer are read, where that may be many."""


@dataclass(frozen=True, slots=True)
class Mapped:
    """What one event became: a request for each mapping that took it, in order of the mappings.

    ``refusals`` has a reason for each mapping that wanted the event and could not use it. Both are empty when no
    mapping wanted it.
    """

    requests: list[httpx.Request] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """One request, and which of the events it carries: an index for each item, in order."""

    request: httpx.Request
    indexes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Batched:
    """What several events became. ``refusals`` are (index of the event, reason); an event in neither matched nothing."""

    batches: list[Batch] = field(default_factory=list)
    refusals: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Part:
    """What one mapping made of an event: the body of a request, or what becomes an item of one.

    ``to`` is where it goes. Parts that ``join`` may share a request with others that go there. ``once``: its repetition is a
    second event to whoever gets it; else it changes a profile, to the same state however often it is sent.
    """

    to: str
    text: bytes
    join: bool
    once: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an event became, before it is known with which others it travels. Both are empty when no mapping wants it."""

    parts: tuple[Part, ...] = ()
    refusals: tuple[str, ...] = ()
