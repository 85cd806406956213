"""Several events as few requests, in the order of the events for each user.

What goes into a request together waits for more of its kind. As soon as one of its users gets a request of another
kind, it is closed and sent before; events of other users may then have been overtaken, which nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import orjson

from sync.destinations.mapped import Batch, Batched
from sync.destinations.pushwoosh.actions.call import Envelope, JsonObject
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.route import Route

MOST_EVENTS = 100
"""Events in one request."""


@dataclass(slots=True)
class _Open:
    """A request that still takes events."""

    url: httpx.URL
    envelope: Envelope
    items: list[orjson.Fragment] = field(default_factory=list)
    indexes: list[int] = field(default_factory=list)
    users: set[object] = field(default_factory=set)


class Batching:
    """Takes one event after the other; ``finish`` gives the requests, made by ``post`` from address and body."""

    def __init__(self, post: Callable[[httpx.URL, bytes], httpx.Request]) -> None:
        self._post = post
        self._open: dict[str, _Open] = {}
        self._done = Batched()

    def refuse(self, index: int, reason: str) -> None:
        """One mapping cannot use the event at ``index``."""
        self._done.refusals.append((index, reason))

    def add(self, index: int, route: Route, body: JsonObject, *, alone: bool) -> None:
        """What the event at ``index`` became by ``route``; raises `InvalidEvent` when it cannot be written."""
        written = encoded(body)
        whole = route.call.envelope
        users = {body.get("user_id"), body.get("device_id")} - {None}
        for path, waiting in list(self._open.items()):
            if (alone or whole is None or path != route.call.path) and not users.isdisjoint(waiting.users):
                self._close(path)
        if alone or whole is None:
            text = encoded(whole([orjson.Fragment(written)])) if whole else written
            self._done.batches.append(Batch(self._post(route.url, text), (index,)))
            return
        together = self._open.setdefault(route.call.path, _Open(route.url, whole))
        together.items.append(orjson.Fragment(written))
        together.indexes.append(index)
        together.users |= users
        if len(together.items) == MOST_EVENTS:
            self._close(route.call.path)

    def finish(self) -> Batched:
        """Close what is open; nothing may be added afterwards."""
        for path in list(self._open):
            self._close(path)
        return self._done

    def _close(self, path: str) -> None:
        ready = self._open.pop(path)
        request = self._post(ready.url, encoded(ready.envelope(ready.items)))
        self._done.batches.append(Batch(request, tuple(ready.indexes)))
