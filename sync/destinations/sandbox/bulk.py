"""Requests that Pushwoosh works on after it has answered: how far each is, and for whom it failed."""

from __future__ import annotations

from dataclasses import dataclass, field

from sync.destinations.sandbox.validation import JsonObject


@dataclass(slots=True)
class Job:
    """One bulk request. ``polls`` is how often it says ``Pending`` before it says ``outcome``."""

    request_id: str
    users: tuple[str, ...]
    failed: frozenset[str]
    polls: int
    outcome: str

    def answer(self, *, detailed: bool) -> JsonObject:
        """How far it is now."""
        found: JsonObject = {"request_id": self.request_id, "status": "Pending" if self.polls else self.outcome}
        if self.polls:
            self.polls -= 1
        elif detailed:
            found["devices"] = [self._detail(user) for user in self.users]
        return found

    def _detail(self, user: str) -> JsonObject:
        if user in self.failed or self.outcome == "Failed":
            return {"user_id": user, "status": "Failed", "error": "user is refused"}
        return {"user_id": user, "status": "Completed"}


@dataclass(slots=True)
class Jobs:
    """All bulk requests since the start or the last reset."""

    known: dict[str, Job] = field(default_factory=dict)

    def open(self, users: tuple[str, ...], failed: frozenset[str], *, polls: int, outcome: str) -> Job:
        """Take one in."""
        job = Job(f"bulk-{len(self.known) + 1}", users, failed, polls, outcome)
        self.known[job.request_id] = job
        return job
