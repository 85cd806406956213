"""What delivery needs of a destination; every destination type is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import httpx

from sync.destinations.mapped import Mapped, Part, Prepared
from sync.model.outcome import Outcome


class Destination(Protocol):
    """Turns events into requests, and answers into outcomes. Knows no slots, no retries, no sockets."""

    name: str

    def requests_for(self, event: dict[str, object]) -> Mapped:
        """The requests that carry ``event``, in order, and why others cannot; neither when no mapping takes it."""
        ...

    def prepare(self, event: dict[str, object]) -> Prepared:
        """What ``event`` becomes, before it is known with which others it travels; nothing when no mapping takes it."""
        ...

    def request_of(self, parts: Sequence[Part]) -> httpx.Request:
        """One request of several parts that may share it, or of one."""
        ...

    def ping(self) -> httpx.Request:
        """A request that tests the credentials and changes nothing."""
        ...

    def delete_user(self, user_id: str) -> httpx.Request:
        """A request that deletes a user and all that is known of them."""
        ...

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What an answer means."""
        ...
