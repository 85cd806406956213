"""Many users in one request that is worked on after it was answered: what of it is the same for every destination."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

import httpx

from sync.model.outcome import Outcome


class BulkUser(NamedTuple):
    """One user of a bulk request, and the tags to set."""

    user_id: str
    tags: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Submission:
    """What became of sending a bulk request. ``request_id`` is there when it was accepted.

    ``untold``: it may be worked on, and nobody can ask how it ends.
    """

    outcome: Outcome
    request_id: str | None = None
    untold: bool = False


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bulk request is. ``finished``: nothing will change any more.

    ``failures`` are reasons by user. ``succeeded``: all others hold their tags; not so when the whole request failed.
    ``told`` is for how many it failed, at least: it may say so and not for whom.
    """

    finished: bool
    succeeded: bool = False
    failures: Mapping[str, str] = field(default_factory=dict)
    told: float = 0

    def explains(self, summary: Progress) -> bool:
        """Whether all who failed are known, also of those whom a ``summary`` tells of."""
        known = len(self.failures)
        return (
            summary.succeeded
            and max(self.told, summary.told) <= known
            and summary.failures.keys() <= self.failures.keys()
        )


class Bulk(Protocol):
    """Makes such requests, and reads the answers to them."""

    def request(self, users: Sequence[BulkUser]) -> httpx.Request:
        """One request for several users, each of them once."""
        ...

    def poll(self, request_id: str, *, detailed: bool) -> httpx.Request:
        """Ask how far a request is; ``detailed``: and for whom it failed."""
        ...

    def read_submission(self, outcome: Outcome, body: bytes) -> Submission:
        """What became of sending it; ``outcome`` is the ordinary reading of the answer."""
        ...

    def read_progress(self, body: bytes) -> Progress:
        """How far it is, from the body of an accepted answer."""
        ...


@runtime_checkable
class InBulk(Protocol):
    """A destination that takes many users in one request. ``bulk`` is ``None`` where its settings do not allow it."""

    @property
    def bulk(self) -> Bulk | None: ...

    @property
    def treats_alike(self) -> bool:
        """Whether the tags never depend on whose event it is, nor on its ``messageId``, and the user is the ``userId``
        as it stands, if it is not empty."""
        ...

    def bulk_user(self, event: dict[str, object]) -> BulkUser | None:
        """The event as one user of such a request; ``None`` when it cannot go in one."""
        ...
